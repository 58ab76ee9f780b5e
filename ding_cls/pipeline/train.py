"""Training from a config file, or from a folder and a model's name."""

import logging
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ding_cls.config import resolve, to_native
from ding_cls.config.defaults import ROOT
from ding_cls.config.merge import plain_copy
from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.recipe import recipe_line, resolve_run
from ding_cls.config.tools.inspected import InspectedConfig
from ding_cls.config.tree import at
from ding_cls.config.user_code import import_user_code
from ding_cls.data import TrainLoader, build_eval_loader, build_train_loader
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.labelled import TABLES
from ding_cls.inference.saved_run import GIVEN
from ding_cls.pipeline.build import build_network
from ding_cls.pipeline.checks.labels import metric_for
from ding_cls.pipeline.checks.losses import check_losses, fill_num_classes
from ding_cls.pipeline.checks.shapes import check_image_shapes
from ding_cls.pipeline.datasets.data_argument import lay_data_folder
from ding_cls.pipeline.datasets.data_file import is_data_file, table_lines, training_sections
from ding_cls.pipeline.datasets.input_statistics import fill_input_statistics
from ding_cls.pipeline.hooks import implied_hooks
from ding_cls.pipeline.image_check import readable_datasets, shown_count
from ding_cls.pipeline.result import TrainResult
from ding_cls.pipeline.resume import SAVED_CONFIG, folder_in, is_run, named_run, without_folders
from ding_cls.pipeline.run_context import Run, open_run
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, MetricSerialEvaluator

_LOGGER = logging.getLogger(__name__)

PARTS = {"policy": ImageClassificationPolicy, "learner": BaseLearner, "evaluator": MetricSerialEvaluator}


def train(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    model: str | torch.nn.Module | None = None,
    pretrained: bool | str | os.PathLike[str] = False,
    epochs: int | None = None,
    seed: int | None = None,
    resume: bool | str | os.PathLike[str] = False,
    synthetic: bool = False,
    exp_name: str | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
    check_images: bool = False,
    allow_changed_data: bool = False,
) -> TrainResult:
    """Train a classifier.

    Args:
        config: a config file, or nested dicts; what does not set how to train takes a recipe.
        data: folder with ``train/CLASS/`` and ``val/CLASS/``; or a table of paths and labels, or ``.npz``.
        model: a name that ``ding_cls.models.build_model`` knows, or a network that gives logits.
        pretrained: True for published ImageNet weights, or a file of weights.
        epochs, seed: epochs in all; the seed of everything random.
        resume: continue a run: its folder, or a checkpoint in it; True: the run of this name.
        synthetic: generate images instead of ``data``.
        exp_name: the run's folder; without a config ``runs/{data}_{model}`` by default.
        overrides: values as ``'policy.learn.batch_size=64'``; they win over everything else.
        allow_code: import the modules that ``custom_imports`` names.
        check_images: open every image before anything is trained.
        allow_changed_data: resume, with a warning, also on other names or labels than the checkpoint's.

    Raises:
        DingError: one line: what cannot be used, and what to do.
        RunStopped: SIGTERM, Ctrl-C, SIGHUP or SIGUSR1 came; once training began, a checkpoint is saved.
    """
    if (folder := named_run(resume, exp_name).folder) is not None:
        exp_name, overrides = folder, without_folders(overrides)
    elif resume and config is None and data is None and not synthetic:
        folder = folder_in(overrides) or exp_name
    config = _own_config(folder) if config is None else config
    cfg, about = read_run_and_code(
        config,
        data=data,
        model=model,
        epochs=epochs,
        pretrained=pretrained,
        synthetic=synthetic,
        resume=bool(resume),
        exp_name=exp_name,
        overrides=overrides,
        allow_code=allow_code,
    )
    with open_run(cfg, seed=seed, resume=resume, allow_changed_data=allow_changed_data, **about) as run:
        _log_choices(run, about["origins"], has_config=config is not None)
        policy, learner, evaluator, loader = assemble(run, model, check_images=check_images)
        run.connect(policy, learner, loader)
        evaluated = evaluator if run.cfg.policy.eval.evaluator.validate else None
        learner.start(loader, max_epochs=run.max_epochs(loader), evaluator=evaluated)
        return run.finish(policy, learner, evaluator)


def _own_config(folder: str | None) -> Path | None:
    """Return the config that a run's folder holds, if there is one."""
    return Path(folder, SAVED_CONFIG) if folder is not None and is_run(folder) else None


def read_run_and_code(
    config: str | os.PathLike[str] | Mapping[str, Any] | None, *, allow_code: bool, **arguments: Any
) -> tuple[Any, dict[str, Any]]:
    """Read the config that ``train``'s arguments describe and import the modules that it names.

    Args:
        config: as in ``train``.
        allow_code: as in ``train``.
        arguments: `read_run`'s.

    Returns:
        The config, and ``open_run``'s arguments: origins, problems, notes, classes with keys of their own.
    """
    notes = FileNotes()
    cfg, origins, problems = read_run(config, notes=notes, **arguments)
    import_user_code(cfg, is_allowed=allow_code, folder=folder_of(config))
    if cfg.get("custom_imports") and (beside := folder_of(config)) is not None:
        # A checkpoint of this run names where the modules are.
        cfg["custom_imports"].setdefault("folder", str(beside.resolve()))
    return cfg, {"origins": origins, "problems": problems, "notes": notes, **PARTS}


def _log_choices(run: Run, origins: Mapping[str, str], *, has_config: bool) -> None:
    if not has_config and not any(path.startswith("policy.model") for path in origins):
        run.logger.info(f"no --model is named: {run.cfg.policy.model.name}")
    if line := recipe_line(run.cfg, origins):
        run.logger.info(f"recipe {line}")


def assemble(
    run: Run, model: str | torch.nn.Module | None, *, check_images: bool = False
) -> tuple[ImageClassificationPolicy, BaseLearner, MetricSerialEvaluator, TrainLoader]:
    """Build the parts of a run in order: data, network, policy, learner, evaluator."""
    learn, evaluation = run.cfg.policy.learn, run.cfg.policy.eval
    train_set, eval_set = readable_datasets(run, check_images=check_images)
    num_classes = len(train_set.classes)
    if line := run.follow_num_classes(num_classes):
        _LOGGER.warning("%s", line)
    sampler = plain_copy(run.cfg.policy.collect.sampler)
    drop_last = learn.learner.dataloader.drop_last
    train_loader = run.own(
        build_train_loader(
            train_set,
            learn.batch_size,
            seed=run.cfg.seed,
            sampler=sampler,
            drop_last=drop_last,
            **run.shard,
        )
    )
    eval_loader = run.own(build_eval_loader(eval_set, evaluation.batch_size, **run.shard))
    check = partial(check_image_shapes, cfg=run.cfg, train_set=train_set, eval_set=eval_set)
    if isinstance(model, torch.nn.Module):
        network, about_weights = model, f"{type(model).__name__} as given"
        check(network)
    else:
        is_new = not run.is_resumed
        network, about_weights = build_network(run.cfg, num_classes, load_weights=is_new, check=check)
    fill_num_classes(run.cfg, num_classes)
    check_losses(run.cfg, network, train_set)
    counts = f"{shown_count(train_set)} training and {shown_count(eval_set)} evaluation images"
    if not evaluation.evaluator.validate:
        counts = f"{shown_count(train_set)} training images, nothing is evaluated"
    for line in table_lines([train_set, eval_set]):
        run.logger.info(line)
    run.logger.info(f"{counts}, {num_classes} classes")
    run.look_at(train_set, eval_set)
    run.logger.info(about_weights)
    policy = ImageClassificationPolicy(run.cfg.policy, model=network)
    learner = BaseLearner(run.learner_cfg, policy.learn_mode, run.tb_logger, exp_name=run.cfg.exp_name)
    for hook in implied_hooks(run.cfg, train_loader, named=learner.hooks("after_iter")):
        learner.register_hook(hook)
    evaluator = MetricSerialEvaluator(
        evaluation.evaluator,
        [eval_loader, metric_for(evaluation.metric, eval_set)],
        policy.eval_mode,
        run.tb_logger,
        exp_name=run.cfg.exp_name,
    )
    return policy, learner, evaluator, train_loader


def read_run(
    config: str | os.PathLike[str] | Mapping[str, Any] | None,
    *,
    data: str | os.PathLike[str] | None,
    model: str | torch.nn.Module | None,
    epochs: int | None,
    pretrained: bool | str | os.PathLike[str],
    synthetic: bool,
    resume: bool,
    exp_name: str | None,
    overrides: Sequence[str],
    only_training: bool = False,
    notes: FileNotes | None = None,
) -> NativeConfig:
    """Return the config that ``train``'s arguments describe, which line set which key, and what is wrong.

    With ``only_training`` pictures for validation are not asked for, and ``data`` may hold the class folders.
    ``notes`` takes what reading the file finds beside its values.
    """
    origins: dict[str, str] = {}
    unreadable: list[str] = []
    notes = FileNotes() if notes is None else notes
    if config is None:
        if data is None and not synthetic:
            raise ConfigError(
                "say what to train on: a config file, --data DIR or --synthetic; or a run: --resume RUN"
            )
        cfg: Any = {"exp_name": exp_name or _run_folder(data, model)}
        if resume:
            cfg = resumed_config(cfg, overrides)
    elif isinstance(config, Mapping):
        cfg = config
    else:
        cfg, origins = read_config_with_origins(config, problems=unreadable, notes=notes)
    native, words = to_native(cfg, overrides, origins, notes=notes)
    given: dict[str, Any] = {}
    if exp_name is not None:
        given["exp_name"] = exp_name
    if data is not None:
        given |= _data_settings(native, data, words, notes, only_training=only_training)
    if synthetic:
        given["policy.collect.synthetic"] = True
    if model is not None:
        name = model if isinstance(model, str) else f"{type(model).__name__}{GIVEN}"
        is_composed = "type" in (at(native.cfg, "policy.model") or {})
        # The weights that a composed network begins with are its own.
        whole = {"policy.model": {"name": name, "_delete_": True}}
        given |= whole if is_composed else {"policy.model.name": name}
    if pretrained:
        given["policy.model.pretrained"] = True if pretrained is True else str(pretrained)
    if epochs is not None:
        given["policy.learn.train_epoch"] = epochs
    described = resolve_run(native.cfg, words, native.origins, given=given)
    if not resume:
        fill_input_statistics(described.cfg, described.origins)
    if isinstance(config, str | os.PathLike) and "exp_name" not in described.cfg:
        # Two configs that are silent about it would else be one run to --resume.
        described.cfg["exp_name"] = Path(config).stem
    return described._replace(problems=[*unreadable, *native.problems, *described.problems])


def inspect_run(
    config: str | os.PathLike[str] | None, *, seed: int | None, allow_code: bool, **settings: Any
) -> InspectedConfig:
    """Return the config that ``train`` of the same arguments begins with, as the tools look at one.

    Args:
        config: as in ``train``, like the rest.
        seed: as there.
        allow_code: as there; nothing is imported here.
        settings: as there.
    """
    notes = FileNotes()
    described = read_run(config, resume=False, notes=notes, **settings)
    if seed is not None:
        described.cfg["seed"], described.origins["seed"] = seed, "argument seed"
    name = str(config or described.cfg["exp_name"])
    return InspectedConfig(name, described.cfg, described.origins, described, notes)


def folder_of(config: object) -> Path | None:
    """Return the folder of a config file: the user's own modules may lie beside it."""
    return Path(config).parent if isinstance(config, str | os.PathLike) else None


def resumed_config(cfg: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the config that the run in ``exp_name`` was started with; ``cfg`` where there is none.

    So ``--resume`` need not repeat what was typed at the start; what is typed now comes on top.

    Args:
        cfg: what the run would be without a past.
        overrides: ``key=value`` words; one of them may name another ``exp_name``. They are not applied here.
    """
    exp_name = resolve(cfg, overrides).cfg.get("exp_name", ROOT["exp_name"].default)
    saved = Path(str(exp_name), "total_config.py")
    if not saved.is_file():
        return dict(cfg)
    return {**read_config_with_origins(saved)[0], "exp_name": exp_name}


def _data_settings(
    native: NativeConfig,
    data: str | os.PathLike[str],
    words: Sequence[str],
    notes: FileNotes,
    *,
    only_training: bool,
) -> dict[str, Any]:
    """Return the values of the config that make a folder or a file the data of a run."""
    if is_data_file(data):
        is_validated = "policy.eval.evaluator.validate=False" not in words
        return training_sections(
            native.cfg, data, is_validated=is_validated, only_training=only_training, words=words
        )
    try:
        folders = lay_data_folder(native, data, words=words, notes=notes, only_training=only_training)
    except DataError as error:
        # Of Kaggle's tables one has labels; a sample of what to hand in has none.
        tables = sorted(each for each in Path(data).glob("*") if each.suffix.lower() in TABLES)
        tables = [each for each in tables if "submission" not in each.stem.lower()]
        tables.sort(key=lambda each: not re.search("train|label", each.stem, re.I))
        if not tables or all(each.suffix.lower() == ".txt" for each in tables):
            raise
        raise DataError(f"{error}; for the table in it: --data {shlex.quote(str(tables[0]))}") from error
    return dict(folders)


def _run_folder(data: str | os.PathLike[str] | None, model: str | torch.nn.Module | None) -> str:
    """Return the folder of a run that has no config: what it is called by default."""
    name = model if isinstance(model, str) else "resnet18" if model is None else type(model).__name__.lower()
    folder = "synthetic"
    if data is not None:
        folder = Path(data).resolve().stem if is_data_file(data) else Path(data).resolve().name
    return f"runs/{folder}_{name.replace('/', '_')}"
