"""A run: its processes, its folder, its seed, and what it came to."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from easydict import EasyDict

from ding_cls.answers.show import Display
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.common.counting import counted, either
from ding_cls.common.disk import disk_error
from ding_cls.common.logs.events import EventWriter
from ding_cls.common.logs.log import buffered_logger, close_logger, forward_library_logs, learner_log, release
from ding_cls.common.seed import set_pkg_seed
from ding_cls.common.stops.signals import deferred_stops, end_early_stops, stoppable
from ding_cls.config import checked_config
from ding_cls.config.compile import save_run_config
from ding_cls.config.merge import plain_copy
from ding_cls.config.messages import with_location
from ding_cls.config.origins import FileNotes
from ding_cls.config.run_length import last_update, num_epochs, num_updates
from ding_cls.config.tools.lint import lint_run
from ding_cls.config.tools.lint_rule import LintFinding
from ding_cls.config.tree import comparable_leaves
from ding_cls.data import BatchMixing, EvalLoader, TrainLoader
from ding_cls.data.labels import class_counts
from ding_cls.distributed import dist_finalize, dist_init
from ding_cls.errors import ConfigError, DingError, PartError
from ding_cls.pipeline.checks.both_sets import has_test_folder, remarks_on_sets
from ding_cls.pipeline.checks.changed_data import FACT, bind_data, sets_of_loaders, with_present_data
from ding_cls.pipeline.checks.labels import labels_of, measures_cross_entropy
from ding_cls.pipeline.checks.num_classes import follow_num_classes
from ding_cls.pipeline.checks.ranks import check_same_start
from ding_cls.pipeline.checks.shapes import check_single_images
from ding_cls.pipeline.datasets.input_statistics import (
    fill_input_statistics,
    input_line,
    keep_input_statistics,
)
from ding_cls.pipeline.datasets.splits import preprocessing_of
from ding_cls.pipeline.result import TrainResult, epoch_of, words_to_go_on
from ding_cls.pipeline.resume import keep_batches, name_restart_on_error, named_run, origin_fact, set_aside
from ding_cls.pipeline.run_folder import checkpoints_of, choose_folder
from ding_cls.policy import Policy
from ding_cls.policy.stages import stages_of
from ding_cls.worker import BaseLearner, MetricSerialEvaluator

Loader = TypeVar("Loader", TrainLoader, EvalLoader)


@dataclass(slots=True)
class Run:
    """An open run, as ``open_run`` gives it.

    Attributes:
        cfg: the compiled config; ``exp_name`` is the folder that was claimed.
        rank: this process.
        world_size: number of processes.
        tb_logger: TensorBoard writer on rank 0, else None.
        logger: prints the run's first and last lines, on rank 0.
        notes: what reading the config file has found beside its values.
        facts: what every checkpoint says of the run beside what ``connect`` knows.
        allow_changed_data: go on with other data than the checkpoint's.
        learner: trains; None before ``connect``.
        remarks: what `look_at` has found in the data, a line each.
    """

    cfg: Any
    rank: int
    world_size: int
    tb_logger: Any
    logger: logging.Logger
    _checkpoint: Mapping[str, Any] | None
    _origins: Mapping[str, str] = field(default_factory=dict)
    _newer: Sequence[Path] = ()
    _file: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    allow_changed_data: bool = False
    notes: FileNotes = field(default_factory=FileNotes)
    learner: BaseLearner | None = None
    remarks: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)
    _loaders: list[TrainLoader | EvalLoader] = field(default_factory=list)

    @property
    def is_resumed(self) -> bool:
        """Whether the run continues from a checkpoint."""
        return self._checkpoint is not None

    @property
    def saved_facts(self) -> Mapping[str, Any]:
        """What the checkpoint that the run continues from says about it; empty for a new run."""
        facts: Mapping[str, Any] = (self._checkpoint or {}).get("run", {})
        return facts

    @property
    def learner_cfg(self) -> Any:
        """The learner's section of the config, with the end that ``policy.learn.max_iters`` sets."""
        learn = self.cfg.policy.learn
        return EasyDict({**learn.learner, "train_iterations": last_update(learn)})

    def max_epochs(self, loader: TrainLoader) -> int:
        """Return the epochs that the run begins: ``train_epoch``, or as many as ``max_iters`` needs."""
        return num_epochs(self.cfg.policy.learn, len(loader))

    def num_updates(self, loader: TrainLoader) -> int:
        """Return the updates of the whole run."""
        return num_updates(self.cfg.policy.learn, len(loader))

    @property
    def shard(self) -> dict[str, int]:
        """``rank``, ``world_size`` and ``num_workers``, as ``build_train_loader`` and ``build_eval_loader``
        take them."""
        workers = self.cfg.policy.learn.learner.dataloader.num_workers
        return {"rank": self.rank, "world_size": self.world_size, "num_workers": workers}

    def own(self, loader: Loader) -> Loader:
        """Return the loader; its reading processes end with the run, however that ends."""
        self._loaders.append(loader)
        return loader

    def look_at(self, train_set: Any, eval_set: Any) -> None:
        """Note and log what should be known of the data before they are trained on; on rank 0 alone."""
        if self.rank == 0:
            rules = {each.rule for each in self.findings(1)}
            self.remarks = remarks_on_sets(
                self.cfg,
                train_set,
                eval_set,
                origins=self._origins,
                compares_images="evaluated-on-training-data" not in rules,
            )
        for each in self.remarks:
            self.logger.warning(each)

    def connect(self, policy: Policy, learner: BaseLearner, loader: TrainLoader) -> None:
        """Tell the policy what it cannot know, the checkpoints what they shall say; continue a resumed run.

        Raises:
            ConfigError: an update would normalise a single image by its own statistics.
            CheckpointError: the checkpoint to resume from was made for another model or other data.
        """
        self.learner = learner
        if FACT not in self.facts:
            bind_data(self, sets_of_loaders(loader, self._loaders))
        check_single_images(policy, self.cfg, loader)
        preprocessing = preprocessing_of(self.cfg)
        classes = tuple(loader.dataset.classes)
        label_kind = labels_of(loader.dataset).kind
        mode = policy.learn_mode
        mode.set_attribute("seed", self.cfg.seed)
        mode.set_attribute("prepare_batch", preprocessing.prepare)
        learn = self.cfg.policy.learn
        augments = [each.batch_augments for each in stages_of(learn)]
        build = partial(BatchMixing, num_classes=len(classes), max_epochs=self.max_epochs(loader))
        mode.set_attribute("mix_batch", [build(each) if each else None for each in augments])
        mode.set_attribute("class_names", classes)
        mode.set_attribute("class_counts", partial(class_counts, loader.dataset, len(classes)))
        learner.describe_run(
            {
                "class_names": list(classes),
                "label_kind": label_kind,
                "preprocessing": preprocessing.state_dict(),
                "config": plain_copy(self.cfg),
                **origin_fact(self.saved_facts, self._origins, self.cfg),
                "num_train_samples": len(loader.dataset),
                "global_batch_size": loader.global_batch_size,
                "drop_last": loader.drop_last,
                "seed": self.cfg.seed,
                **self.facts,
            }
        )
        is_shown = measures_cross_entropy(self.cfg.policy.eval.metric)
        learner.display = Display(
            num_classes=len(classes),
            has_one_label=label_kind != "several",
            is_other_loss=is_shown and not mode.get_attribute("minimises_cross_entropy"),
        )
        if self.cfg.policy.learn.learner.log_policy:
            learner.info(mode.info())
        self._log_epoch(learner, loader)
        learner.allows_changed_data = self.allow_changed_data
        self._restore(learner, loader)
        for file in self._newer if self.rank == 0 else ():
            rest = "; the best counts anew from here" if file.name == BEST_NAME else ""
            self.logger.warning(f"set aside, for it is newer: {set_aside(file)}{rest}")
        if self.rank == 0:
            # A resumed run has its new values now, and building the data has told the size of their pictures.
            save_run_config(self.cfg, Path(self.cfg.exp_name))
        end_early_stops()

    def _restore(self, learner: BaseLearner, loader: TrainLoader) -> None:
        """Continue from the checkpoint of a resumed run."""
        if self._checkpoint is None:
            return
        if self.rank == 0:
            self._report_changes(learner)
        with name_restart_on_error(self.cfg.exp_name, self._file):
            learner.load_checkpoint(with_present_data(self._checkpoint, self.facts))
        if learner.train_iter >= self.num_updates(loader):
            self.logger.info("this run is complete: nothing is left to train")

    def _log_epoch(self, learner: BaseLearner, loader: TrainLoader) -> None:
        dropped = loader.num_left_out
        left_out = f"; {dropped} are left out each epoch, always others" if dropped else ""
        learner.info(
            f"{counted(len(loader), 'update')} an epoch with {either(loader.sizes)} images each{left_out}"
        )
        for finding in self.findings(len(loader)):
            self.logger.warning(str(finding))

    def follow_num_classes(self, num_classes: int) -> str:
        """Set what the config inherits of the number of classes to that of the data; return a line on it."""
        return follow_num_classes(self.cfg, num_classes, origins=self._origins, notes=self.notes)

    def findings(self, updates_per_epoch: int) -> list[LintFinding]:
        """Return what the rules of ``config lint`` find, now that the length of an epoch is known."""
        return lint_run(
            plain_copy(self.cfg),
            self._origins,
            processes=self.world_size,
            updates_per_epoch=updates_per_epoch,
            notes=self.notes,
        )

    def finish(self, policy: Policy, learner: BaseLearner, evaluator: MetricSerialEvaluator) -> TrainResult:
        """Close what the run opened and return what it came to."""
        collect = self.cfg.policy.collect
        seconds = max(learner.training_seconds, 1e-9)
        result = TrainResult(
            history=learner.history.rows,
            best=dict(evaluator.best or {}),
            best_epoch=epoch_of(evaluator.best_iter, learner.history.rows),
            final=dict(evaluator.last_result),
            model=policy.eval_mode.get_attribute("eval_model"),
            run_folder=Path(self.cfg.exp_name),
            images_per_s=learner.num_samples / seconds,
            minutes=(time.perf_counter() - self._began) / 60,
            was_complete=self.is_resumed and learner.num_samples == 0,
            has_test_split=collect.test is not None or has_test_folder(collect),
            needs_code=bool(self.cfg.custom_imports),
            checkpoint_folder=checkpoints_of(self.cfg),
            go_on=words_to_go_on(self.cfg, learner, evaluator),
            display=learner.display,
        )
        is_untrained = evaluator.is_best_untrained and not evaluator.ranking.is_of_the_user
        if evaluator.last_eval_iter > 0 and (is_untrained or evaluator.best is None):
            kept = "untrained network" if is_untrained else "last update"
            self.logger.warning(
                f"no evaluation after training began was finite: the best checkpoint is that of the {kept}; "
                "train again with a smaller policy.learn.learning_rate, or with policy.learn.grad_clip"
            )
        learner.close()
        evaluator.close()
        return result

    def _report_changes(self, learner: BaseLearner) -> None:
        saved = (self._checkpoint or {}).get("run", {}).get("config", {})
        before, now = comparable_leaves(saved), comparable_leaves(plain_copy(self.cfg))
        for key in sorted(before.keys() | now.keys()):
            if key != "exp_name" and before.get(key) != now.get(key):
                learner.logger.warning(
                    f"{key} was {before.get(key)!r} in the checkpoint and is {now.get(key)!r} now"
                )


@contextmanager
@stoppable
def open_run(
    cfg: Mapping[str, Any],
    *,
    seed: int | None = None,
    resume: bool | str | os.PathLike[str] = False,
    origins: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
    notes: FileNotes | None = None,
    allow_changed_data: bool = False,
    **classes: Any,
) -> Iterator[Run]:
    """Open a run: processes, one folder for all of them, the checked config in it, the seed.

    Args:
        cfg: the config, as read; ``seed`` replaces its own.
        resume: continue the run in ``exp_name`` or in a folder; from a checkpoint newer ones are set aside.
        origins: which line of which file set each key, for error messages.
        problems: what ``ding_cls.config.resolve`` found wrong; ``notes``: what reading the file has found.
        allow_changed_data: go on with other data than the run was begun with, and warn.
        classes: ``policy=``, ``learner=``, ``evaluator=``: the classes whose own config keys are known.

    Raises:
        ConfigError: keys or values that cannot be used, there is no run to resume, or the ranks differ.
        DingError: the launcher's variables, all of the run's checkpoints or the disk cannot be used.
        RunStopped: a signal came before training began.
    """
    given = dict(origins or {})
    compiled = _compiled(cfg, seed, origins=(origins := dict(given)), problems=problems, **classes)
    rank, world_size = _join(compiled) if compiled.policy.multi_gpu else (0, 1)
    logger = buffered_logger("run")
    logger.disabled = rank != 0
    writer, run, chosen = None, None, None
    try:
        check_same_start(compiled, resume=bool(resume), allow_changed_data=allow_changed_data)
        named = named_run(resume, compiled.exp_name)
        compiled.exp_name = named.folder or compiled.exp_name
        with deferred_stops():
            chosen = choose_folder(compiled, rank, is_resumed=bool(resume), named=named, logger=logger)
        checkpoint = chosen.checkpoint
        if checkpoint is not None:
            origins, saved = given, checkpoint.get("run", {}).get("config")
            compiled = _compiled(cfg, seed, saved=saved, origins=origins, problems=problems, **classes)
            keep_batches(compiled, cfg, checkpoint, logger)
        compiled.exp_name = chosen.path
        if rank == 0:
            writer = _open_logs(compiled, origins, logger, is_new=checkpoint is None)
        set_pkg_seed(compiled.seed, use_cuda=compiled.policy.cuda)
        run = Run(compiled, rank, world_size, writer, logger, checkpoint, origins, chosen.newer, chosen.file)
        run.allow_changed_data, run.notes = allow_changed_data, notes or run.notes
        with forward_library_logs(logger):
            yield run
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if chosen is not None:
            chosen.give_back(checkpoints_of(compiled, chosen.path), num_updates=_num_updates(run))
        if (clearer := _clearer(error, compiled, origins)) is not None:
            raise clearer from error
        raise
    finally:
        _close(run, writer, logger, chosen)


def _close(run: Run | None, writer: EventWriter | None, logger: logging.Logger, chosen: Any) -> None:
    for each in run._loaders if run is not None else ():
        each.close()
    if writer is not None:
        writer.close()
    close_logger(logger)
    if chosen is not None:
        chosen.release()
    dist_finalize()


def _open_logs(cfg: Any, origins: Mapping[str, str], logger: logging.Logger, *, is_new: bool) -> EventWriter:
    """Write a new run's config, open its TensorBoard file, log where the run is and what it takes in."""
    folder = cfg.exp_name
    if is_new:
        save_run_config(cfg, Path(folder))
    writer = EventWriter(os.path.join(".", folder, "log", "serial"))
    release(logger, learner_log(folder))
    logger.info(f"run folder: {Path(folder).resolve()}")
    if line := input_line(cfg, origins):
        logger.info(line)
    return writer


def _num_updates(run: Run | None) -> int:
    return 0 if run is None or run.learner is None else run.learner.train_iter


def _clearer(error: BaseException, cfg: Any, origins: Mapping[str, str]) -> DingError | None:
    """Return the error that says where a part was described, or how full the disk is; else None."""
    if isinstance(error, PartError):
        return ConfigError(with_location(error, cfg, origins))
    return disk_error(error)


def _compiled(
    cfg: Mapping[str, Any],
    seed: int | None,
    *,
    origins: dict[str, str],
    saved: object = None,
    **arguments: Any,
) -> Any:
    """Return the checked config with the input of its network, or of the run that is resumed, filled in.

    Args:
        cfg: as in `open_run`, like the others.
        seed: as there.
        origins: as there; gets those of what is filled in.
        saved: the config in the checkpoint of a resumed run.
        arguments: of ``checked_config``.
    """
    filled: dict[str, Any] = plain_copy(cfg)
    keep_input_statistics(filled, saved)
    fill_input_statistics(filled, origins, policy=arguments.get("policy"))
    return checked_config(filled, seed, origins=origins, **arguments)


def _join(cfg: Any) -> tuple[int, int]:
    # On a machine with CUDA the default backend is nccl, which moves nothing between CPUs.
    return dist_init("gloo" if cfg.policy.cuda is False else None)
