"""What an evaluation takes from where: network, preprocessing and classes of a checkpoint, data and metric of
its own run or of another config."""

import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.logs.log import text_logger
from ding_cls.common.process import launched_rank
from ding_cls.config import checked_config, resolve, to_native
from ding_cls.config.merge import plain_copy, to_easydict
from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.preprocessing import INPUT_KEYS
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.tree import is_inside, leaves, put
from ding_cls.config.user_code import import_user_code
from ding_cls.data import ImageNetDataset, PipelinePreprocessing
from ding_cls.errors import CheckpointError, ConfigError, DataError
from ding_cls.images.class_names import order_of_numbers
from ding_cls.images.labelled import check_has_split, is_one_split, refuse_split
from ding_cls.images.listing import folder_names, list_classes
from ding_cls.inference.saved_run import (
    check_buildable,
    described_run,
    describes_run,
    preprocessing_in,
)
from ding_cls.metrics import described_metric
from ding_cls.models import load_pretrained
from ding_cls.pipeline.build import build_datasets, build_network
from ding_cls.pipeline.checks.labels import Labels, check_tasks
from ding_cls.pipeline.checks.num_classes import follow_num_classes
from ding_cls.pipeline.datasets.data_file import evaluation_section, is_data_file
from ding_cls.pipeline.datasets.dataset_cfg import (
    FOLDERS,
    changed,
    holds_every_split,
    inner_of,
    part_of,
    with_pipeline,
)
from ding_cls.pipeline.datasets.input_statistics import fill_input_statistics, input_line
from ding_cls.pipeline.datasets.splits import (
    classes_in,
    evaluation_pipeline,
    evaluation_set,
    preprocessing_of,
    training_set,
    without_quarantined,
)
from ding_cls.pipeline.image_check import FACT
from ding_cls.pipeline.train import PARTS, folder_of
from ding_cls.policy import ImageClassificationPolicy

Config = str | os.PathLike[str] | Mapping[str, Any]
Metrics = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]

_LOGGER = logging.getLogger(__name__)
_LOADING = {"type": "LoadImageFromFile"}
_OF_THE_DATA = (
    *(f"policy.collect.{name}" for name in ("train", "val", "test", "learn_data_path", "eval_data_path")),
    *(f"policy.collect.{name}" for name in ("synthetic", "synthetic_samples", "synthetic_eval_samples")),
    "policy.collect.quarantine",
    *("policy.eval.metric", "policy.eval.batch_size", "policy.learn.learner.dataloader"),
    *("policy.cuda", "policy.multi_gpu", "policy.learn.multi_gpu", "seed", "custom_imports"),
)
_OF_THE_NETWORK = ("policy.model", "policy.learn.precision", "policy.learn.channels_last")


@dataclass(frozen=True, slots=True)
class EvalInputs:
    """What is evaluated, and how.

    Attributes:
        checkpoint: the file.
        state: what it holds; None where it is a file of weights that is no checkpoint.
        cfg: the compiled config.
        preprocessing: what is done to an image.
        class_names: in the order of their numbers; None where the checkpoint does not say them.
        is_run: the checkpoint says which network, preprocessing and classes it was made for.
        notes: what reading the config that describes the network has found.
        origins: which line of it set what.
    """

    checkpoint: Path
    state: Mapping[str, Any] | None
    cfg: Any
    preprocessing: PipelinePreprocessing
    class_names: tuple[str, ...] | None
    is_run: bool
    notes: FileNotes = field(default_factory=FileNotes)
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def bad_images(self) -> Mapping[str, Any]:
        """The images of each split that the run left out, as its facts name them."""
        found: Mapping[str, Any] = self._facts.get(FACT, {})
        return found

    @property
    def label_kind(self) -> str:
        """What the labels were that the run was trained on, as `Labels.kind`; empty: nobody knows."""
        return str(self._facts.get("label_kind", ""))

    @property
    def _facts(self) -> Mapping[str, Any]:
        run = (self.state or {}).get("run") if self.is_run else None
        return run if isinstance(run, dict) else {}


def read_inputs(
    checkpoint: str | os.PathLike[str],
    *,
    config: Config | None,
    metric: Metrics | None,
    overrides: Sequence[str],
    has_model: bool,
    allow_code: bool,
) -> EvalInputs:
    """Read a checkpoint, and the config that says otherwise; the arguments are those of ``evaluate``.

    Raises:
        CheckpointError: the file is missing, damaged, or does not say what it was made for.
        ConfigError: the config, an override or a metric cannot be used.
    """
    file = checkpoint_file(checkpoint)
    state = read_checkpoint(file) if config is None or zipfile.is_zipfile(file) else None
    if config is not None and not describes_run((state or {}).get("run")):
        notes = FileNotes()
        cfg, origins = _given_config(
            config, metric, overrides, is_alone=True, allow_code=allow_code, notes=notes
        )
        if not has_model:
            check_buildable(cfg, file, function="evaluate")
        classes = _noted_classes(state)
        return EvalInputs(file, state, cfg, preprocessing_of(cfg), classes, False, notes, origins)
    run, saved = described_run(state or {}, file, has_model=has_model, function="evaluate")
    preprocessing = preprocessing_in(run, file)
    if config is None:
        described, words = to_native(saved, overrides)
        cfg, _ = _compiled(described, metric, words, allow_code=allow_code, folder=None)
        _check_words(saved, overrides, _OF_THE_DATA)
    else:
        import_user_code(saved, is_allowed=allow_code)
        given, _ = _given_config(config, metric, overrides, is_alone=False, allow_code=allow_code)
        cfg = _with_data_of(given, saved)
    return EvalInputs(file, state, cfg, preprocessing, tuple(run["class_names"]), True)


def evaluated_set(
    inputs: EvalInputs, data: str | os.PathLike[str] | None, split: str | None
) -> tuple[Any, str | None]:
    """Return the dataset to evaluate, and the name of its split; None: a folder of classes without splits.

    Args:
        inputs: what is evaluated.
        data: a folder with the split's folder in it, or with one folder for each class; a table, or arrays;
            None: as the config says.
        split: 'train', 'val' or 'test'; None: 'val', or all of what has no splits.

    Raises:
        DataError: there is no such folder, or it has classes that the checkpoint lacks.
    """
    cfg, collect = inputs.cfg, inputs.cfg.policy.collect
    inputs.notes.data = "" if data is None else os.fspath(data)
    classes = inputs.class_names
    if data is not None and _is_one_split(data, collect, classes or ()):
        refuse_split(data, split)
        classes = classes or _training_classes(cfg) or _listed_classes(data)
        dataset = ImageNetDataset(data, False, inputs.preprocessing, classes=classes)
        return without_quarantined(dataset, collect), None
    if data is not None and is_data_file(data):
        return _set_in_file(inputs, data, split)
    if data is not None and not holds_every_split(collect.val):
        is_plain = collect.val is None and collect.get(split or "val") is None
        check_has_split(data, split, is_plain=is_plain)
    split = split or "val"
    if data is None and collect.synthetic:
        if split == "test":
            raise DataError("a run on synthetic images has no test split; it has 'train' and 'val'")
        train_set, eval_set = build_datasets(cfg)
        return (train_set if split == "train" else eval_set), split
    if classes is None:
        classes = _training_classes(cfg)
        if classes is None:
            folder = collect.eval_data_path if data is None else data
            names = list_classes(os.fspath(folder)) if data is None else classes_in(cfg, split, data)
            classes = _in_told_order(names, folder)
    return evaluation_set(cfg, split, classes, preprocessing=inputs.preprocessing, data=data), split


def _set_in_file(
    inputs: EvalInputs, data: str | os.PathLike[str], split: str | None
) -> tuple[Any, str | None]:
    """Return the samples to evaluate in a table or in arrays, and the name of their split."""
    collect = inputs.cfg.policy.collect
    like = next((each for name in (split or "val", "val", "train") if (each := collect.get(name))), None)
    section, split = evaluation_section(
        data, split, like, classes=inputs.class_names or (), trained=inputs.label_kind
    )
    classes = inputs.class_names or _training_classes(inputs.cfg)
    if classes is None:
        raise DataError(
            f"the checkpoint does not say its classes, and '{os.fspath(data)}' may lack some; name its "
            "training data in the config"
        )
    dataset = evaluation_set(
        inputs.cfg, split or "", classes, preprocessing=inputs.preprocessing, section=section
    )
    return dataset, split


def eval_policy(
    inputs: EvalInputs, classes: Sequence[str], model: torch.nn.Module | None, labels: Labels
) -> ImageClassificationPolicy:
    """Return a policy that evaluates the checkpoint's network.

    Raises:
        CheckpointError: the weights do not fit it.
        ConfigError: it has a head for more or fewer tasks than ``labels``.
        ModelError: as `load_pretrained`.
    """
    network = model
    if not inputs.is_run:
        line = follow_num_classes(inputs.cfg, len(classes), origins=inputs.origins, notes=inputs.notes)
        if line:
            _LOGGER.warning("%s", line)
    if network is None:
        # A run's network has taken its images: the pipeline may make other ones than image_size says.
        check = (lambda _: None) if inputs.is_run else None
        network, _ = build_network(inputs.cfg, len(classes), load_weights=False, check=check)
    check_tasks(network, labels, data="the data", remedy="name other data, or the checkpoint of another run")
    if not inputs.is_run:
        report = load_pretrained(network, inputs.checkpoint)
        if report.reinitialised:
            raise CheckpointError(
                f"'{inputs.checkpoint}' was trained on other classes than these {len(classes)}: "
                f"{', '.join(report.reinitialised)} differ in size, or are not in it"
            )
    policy = ImageClassificationPolicy(inputs.cfg.policy, model=network, enable_field=["eval"])
    if inputs.is_run and inputs.state is not None:
        try:
            policy.eval_mode.load_state_dict(inputs.state)
        except CheckpointError as error:
            raise CheckpointError(f"'{inputs.checkpoint}': {error}") from error
    policy.eval_mode.set_attribute("class_names", tuple(classes))
    policy.eval_mode.set_attribute("prepare_batch", inputs.preprocessing.prepare)
    return policy


def _is_one_split(data: str | os.PathLike[str], collect: Any, classes: Sequence[str]) -> bool:
    """Return whether a folder has one folder for each class, and no splits."""
    if not is_one_split(data, classes):
        return False
    is_published = any(holds_every_split(collect.get(split)) for split in ("val", "test"))
    # Files as published may lie in folders too.
    return not is_published or not set(folder_names(Path(data))).isdisjoint(classes)


def _given_config(
    config: Config,
    metric: Metrics | None,
    overrides: Sequence[str],
    *,
    is_alone: bool,
    allow_code: bool,
    notes: FileNotes | None = None,
) -> tuple[Any, Mapping[str, str]]:
    """Return a config that the user names, compiled, and which line set what; ``notes`` takes the rest.

    It describes the network too where ``is_alone``.
    """
    notes = FileNotes() if notes is None else notes
    unreadable: list[str] = []
    origins: Mapping[str, str] | None = None
    if isinstance(config, Mapping):
        values = config
    else:
        file = Path(config, "total_config.py") if os.path.isdir(config) else Path(config)
        if not file.is_file() and file != Path(config):
            raise ConfigError(f"'{config}' is no run's folder: there is no total_config.py in it")
        values, origins = read_config_with_origins(file, problems=unreadable, notes=notes)
    described, words = to_native(values, overrides, origins, notes=notes)
    if is_alone:
        fill_input_statistics(described.cfg, described.origins)
        line = input_line(described.cfg, described.origins)
        if line and launched_rank() == 0:
            text_logger("run").info(line)
    described = described._replace(problems=[*unreadable, *described.problems])
    compiled = _compiled(described, metric, words, allow_code=allow_code, folder=folder_of(config))
    used = (*_OF_THE_DATA, *_OF_THE_NETWORK, "policy.collect") if is_alone else _OF_THE_DATA
    _check_words(values, overrides, used)
    return compiled


def _compiled(
    described: NativeConfig,
    metric: Metrics | None,
    words: Sequence[str],
    *,
    allow_code: bool,
    folder: Path | None,
) -> tuple[Any, Mapping[str, str]]:
    """Return a config with another metric and ``key=value`` words, compiled; the user's code is imported."""
    values = described.cfg
    import_user_code(resolve(values, words).cfg, is_allowed=allow_code, folder=folder)
    if metric is not None:
        values = plain_copy(values)
        put(values, "policy.eval.metric", described_metric(metric))
    cfg, origins, problems = resolve(values, words, described.origins)
    parts: dict[str, Any] = dict(PARTS)
    problems = [*described.problems, *problems]
    return checked_config(cfg, origins=origins, problems=problems, **parts), origins


def _check_words(values: Mapping[str, Any], overrides: Sequence[str], used: Sequence[str]) -> None:
    """Refuse a ``key=value`` word that changes nothing about an evaluation."""
    before = dict(leaves(resolve(values).cfg))
    for number, word in enumerate(overrides, 1):
        after = dict(leaves(resolve(values, overrides[:number]).cfg))
        keys = [key for key in after.keys() | before.keys() if after.get(key) != before.get(key)]
        if keys and not any(is_inside(key, each) for key in keys for each in used):
            raise ConfigError(
                f"{word}: an evaluation does not use {sorted(keys)[0]}; what it takes is policy.eval.metric, "
                "policy.eval.batch_size, policy.learn.learner.dataloader, policy.cuda and the data in "
                "policy.collect"
            )
        before = after


def _with_data_of(given: Any, saved: Any) -> Any:
    """Return a run's config with data, metric and machine of another; images are prepared as the run's."""
    merged, other = plain_copy(saved), plain_copy(given)
    merged["seed"] = other["seed"]
    policy, learner = merged["policy"], merged["policy"]["learn"]["learner"]
    for name in ("cuda", "multi_gpu", "eval"):
        policy[name] = other["policy"][name]
    learner["dataloader"] = other["policy"]["learn"]["learner"]["dataloader"]
    collect = {**other["policy"]["collect"], **{name: policy["collect"][name] for name in INPUT_KEYS}}
    pipeline = evaluation_pipeline(saved.policy.collect)
    for split in ("train", "val", "test"):
        if collect[split] is not None:
            collect[split] = changed(collect[split], lambda inner: _prepared_by(inner, pipeline))
    policy["collect"] = collect
    return to_easydict(merged)


def _prepared_by(section: dict[str, Any], pipeline: Sequence[Any]) -> dict[str, Any]:
    """Return a dataset's description with another's pipeline, which may have had its pixels in memory."""
    is_in_memory = getattr(part_of(section), "is_in_memory", False)
    loads = any(isinstance(step, Mapping) and step.get("type") == _LOADING["type"] for step in pipeline)
    return with_pipeline(section, pipeline if loads or is_in_memory else [_LOADING, *pipeline])


def _noted_classes(state: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the class names that a checkpoint of mmclassification notes."""
    meta = (state or {}).get("meta")
    names = meta.get("CLASSES") if isinstance(meta, Mapping) else None
    is_list = isinstance(names, list | tuple) and all(isinstance(each, str) for each in names)
    return tuple(names) if names and is_list else None


def _listed_classes(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of class folders, for a checkpoint that does not say its own."""
    return _in_told_order(list_classes(os.fspath(folder)), folder)


def _in_told_order(names: tuple[str, ...], folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names as they are, and warn where their order is not that of the numbers that they are."""
    if line := order_of_numbers(names):
        _LOGGER.warning("the checkpoint names no classes, so they are the folders of '%s'; %s", folder, line)
    return names


def _training_classes(cfg: Any) -> tuple[str, ...] | None:
    """Return the class names of a config's training data; None where these are not on this machine."""
    collect = cfg.policy.collect
    if collect.train is None and not os.path.isdir(collect.learn_data_path):
        return None
    inner = inner_of(collect.train or {})
    named = [collect.learn_data_path, *(inner.get(name) for name in (*FOLDERS, "ann_file"))]
    if not all(os.path.exists(os.path.expanduser(each)) for each in named if each):
        return None
    return tuple(training_set(cfg).classes)
