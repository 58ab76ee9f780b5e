"""The hooks that come with the learner: load, save, log, reduce."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.common.late import Percentage
from ding_cls.common.logs.events import write_scalars
from ding_cls.distributed.comm import gather_objects, get_world_size, mean_over_ranks
from ding_cls.errors import ConfigError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS, POSITIONS, LearnerHook, Position
from ding_cls.worker.learner.hooks.log_rows import clock, log_row
from ding_cls.worker.learner.saving.checkpointing import saving_together
from ding_cls.worker.learner.state.history import SampleSums
from ding_cls.worker.learner.state.rank_mean import REDUCED_AT_ONCE, Means, RankMean

NO_REDUCE_PREFIX = "noreduce_"


@HOOKS.register("load_ckpt")
class LoadCkptHook(LearnerHook):
    """Load a checkpoint; an empty path loads none, and a run that was resumed keeps its own.

    Args:
        ext_args: ``load_path``, the file.
    """

    def __init__(
        self,
        name: str,
        priority: int | str = 20,
        *,
        position: Position = "before_run",
        ext_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, priority, position=position)
        self._path = str(_options(name, ext_args, load_path="")["load_path"])

    def __call__(self, engine: Engine) -> None:
        if self._path and engine.has_loaded:
            engine.info(f"'{self._path}' is not loaded: this run continues from its own checkpoint")
        elif self._path:
            engine.load_checkpoint(self._path)


@HOOKS.register("save_ckpt")
class SaveCkptHook(LearnerHook):
    """Save ``iteration_{n}.pth.tar``; at before_run the untrained network, once.

    While updates are not finite nothing is saved on the way: it would only push out what was good before.

    Args:
        ext_args: ``freq``, the number of updates (at after_epoch: epochs) between two files; 1 by default.
    """

    def __init__(
        self,
        name: str,
        priority: int | str = 20,
        *,
        position: Position = "after_iter",
        ext_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, priority, position=position)
        self._freq = _interval(name, ext_args)

    def __call__(self, engine: Engine) -> None:
        position = self._position
        count = engine.epoch if position == "after_epoch" else engine.last_iter.val
        is_due = position == "after_run" or count % self._freq == 0
        if not is_due or (position == "before_run" and count > 0):
            return
        # This waits for the device: it comes last.
        is_on_the_way = position in ("after_iter", "after_epoch")
        if not (is_on_the_way and engine.history.bad_updates.is_going_on()):
            if engine.max_iter is not None:
                # Inside ``start`` all ranks come here together.
                pool(engine)
            with saving_together(engine) as save:
                save()


@HOOKS.register("log_reduce")
class LogReduceHook(LearnerHook):
    """Replace every logged scalar by its mean over the ranks.

    Names that begin with ``noreduce_`` stay as they are, less the prefix. Times measured on the device stay
    each rank's own: reading them would make the step wait. Where no other hooks than the built-in ones read
    the numbers, those of several updates are reduced together: where a line is due, before a checkpoint is
    written, and after 32 updates at the latest.

    Args:
        ext_args: ``freq`` is accepted and has no effect.
    """

    def __init__(
        self,
        name: str,
        priority: int | str = 10,
        *,
        position: Position = "after_iter",
        ext_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, priority, position=position)
        _interval(name, ext_args)
        self._pending: list[RankMean] = []
        self._num_updates = 0

    def __call__(self, engine: Engine) -> None:
        scalars = engine.log_buffer["scalar"]
        own = {name for name in scalars if name.startswith(NO_REDUCE_PREFIX)}
        if get_world_size() > 1:
            shared = {
                name: RankMean(value.tensor() if isinstance(value, Percentage) else value)
                for name, value in scalars.items()
                if name not in own and isinstance(value, torch.Tensor | Percentage | int | float)
            }
            scalars.update(shared)
            self._pending += shared.values()
            self._num_updates += 1
            if engine.has_readers or self._num_updates == REDUCED_AT_ONCE or _is_line_due(engine):
                self.reduce()
            if engine.has_readers:
                scalars.update({name: each.tensor() for name, each in shared.items()})
        for name in own:
            scalars[name.removeprefix(NO_REDUCE_PREFIX)] = scalars.pop(name)

    def reduce(self) -> None:
        """Reduce what is still each rank's own; all ranks call it together."""
        if self._pending:
            means = Means(mean_over_ranks([each.own for each in self._pending]))
            for number, each in enumerate(self._pending):
                each.take(means, number)
        self._pending, self._num_updates = [], 0


@HOOKS.register("log_show")
class LogShowHook(LearnerHook):
    """Every ``freq`` updates: one line, one row in ``metrics.jsonl``, one TensorBoard event.

    Values are averages over the last ten updates. They stay on the device until the line is due. Ranks other
    than 0 only clear the buffer.

    Args:
        ext_args: ``freq``, the number of updates between two lines; 1 by default.
    """

    def __init__(
        self,
        name: str,
        priority: int | str = 20,
        *,
        position: Position = "after_iter",
        ext_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, priority, position=position)
        self._freq = _interval(name, ext_args)
        self._last: tuple[float, int] | None = None

    def __call__(self, engine: Engine) -> None:
        buffer = engine.log_buffer
        # Another log hook has shown and cleared this update already.
        if not buffer["scalar"]:
            return
        if engine.rank == 0:
            engine.monitor.add(buffer["scalar"])
            engine.monitor.time.step()
            if self._last is None:
                # The first line needs a moment to count from for images/s.
                in_step = time.perf_counter() - engine.step_began
                self._last = (engine.trained_seconds() - in_step - engine.data_time, 0)
            if engine.last_iter.val % self._freq == 0:
                self._show(engine)
        for values in buffer.values():
            values.clear()

    def _show(self, engine: Engine) -> None:
        averages = {f"{name}_avg": average for name, average in engine.monitor.averages().items()}
        epoch = engine.epoch_info[0]
        now = engine.trained_seconds()
        began, samples = self._last or (now, engine.num_samples)
        rate = (engine.num_samples - samples) / max(now - began, 1e-9)
        self._last = (now, engine.num_samples)
        engine.logger.info(self._line(engine, averages, rate))
        scalars = {**averages, "data_time_val": engine.data_time, "epoch_val": epoch}
        engine.record("train", {"epoch": epoch, **scalars, "images_per_s": rate})
        if engine.tb_logger is not None:
            tags = {f"{engine.instance_name}/{name}": value for name, value in scalars.items()}
            with engine.logs.tensorboard():
                write_scalars(engine.tb_logger, tags, engine.last_iter.val)
                for name, values in engine.log_buffer["histogram"].items():
                    tag = f"{engine.instance_name}/{name}"
                    engine.tb_logger.add_histogram(tag, values, engine.last_iter.val)

    def _line(self, engine: Engine, averages: Mapping[str, float], rate: float) -> str:
        """Return the line, with the labels that programs which read it know."""
        epoch, step, length = engine.epoch_info
        fields = [
            f"Epoch: {epoch} [{step:>4d}/{length}]",
            f"Loss: {averages.get('total_loss_avg', float('nan')):>6.4f}",
            f"Data Time: {engine.data_time:.3f}",
            f"Forward Time: {averages.get('forward_time_avg', 0.0):.3f}",
            f"Backward Time: {averages.get('backward_time_avg', 0.0):.3f}",
            f"GradSync Time: {averages.get('sync_time_avg', 0.0):.3f}",
            f"LR: {averages.get('cur_lr_avg', 0.0):.3e}",
        ]
        if "acc1_avg" in averages:
            fields.append(f"Acc1: {averages['acc1_avg']:.2f}")
        fields.append(f"Images/s: {rate:.0f}")
        if (left := engine.time_left()) is not None:
            fields.append(f"ETA: {clock(left)}")
        return "\t".join(fields)


class LogRowHook(LogShowHook):
    """``LogShowHook`` whose line is a row of 80 columns; ``ding-cls train`` shows these.

    Loss and accuracy are means over the images since the row before (after a resume: since then), without
    those of skipped updates; the learning rate is that of the last update. Row in ``metrics.jsonl`` and
    TensorBoard event are those of ``LogShowHook``.

    Args:
        name: as in ``LearnerHook``.
        priority: as in ``LearnerHook``.
        freq: updates between two rows.
    """

    def __init__(self, name: str, priority: int | str = 20, *, freq: int = 1) -> None:
        super().__init__(name, priority, ext_args={"freq": freq})
        self._sums = SampleSums()
        self._lr: Any = 0.0
        self._seen = 0

    def __call__(self, engine: Engine) -> None:
        scalars = engine.log_buffer["scalar"]
        if engine.rank == 0 and scalars:
            count = engine.num_samples - self._seen
            history = engine.history
            self._sums.add(scalars, count, is_skipped=history.is_skipped, copies=history.copies)
            self._lr, self._seen = scalars.get("cur_lr", 0.0), engine.num_samples
        super().__call__(engine)

    def _line(self, engine: Engine, averages: Mapping[str, float], rate: float) -> str:
        sums, count = self._sums.totals()
        means = {name: total / (count or math.nan) for name, total in sums.items()}
        self._sums.set({}, 0)
        epoch, step, length = engine.epoch_info
        return log_row(
            epoch=epoch,
            step=step + 1,
            length=length,
            means=engine.display(means),
            lr=float(self._lr),
            rate=rate,
            left=engine.time_left(),
        )


class ImageClsLogShowHook(LogShowHook):
    """``LogShowHook`` with the interval as a plain argument.

    Args:
        name: as in ``LearnerHook``.
        priority: as in ``LearnerHook``.
        position: as in ``LearnerHook``.
        freq: updates between two lines.
    """

    def __init__(
        self, name: str, priority: int | str = 20, position: Position = "after_iter", freq: int = 1
    ) -> None:
        super().__init__(name, priority, position=position, ext_args={"freq": freq})


def pool(engine: Engine) -> None:
    """Bring together on rank 0 what the ranks have added up and logged; all of them call it."""
    engine.history.pool()
    for hook in engine.hooks("after_iter"):
        if isinstance(hook, LogReduceHook):
            hook.reduce()


def has_readers(engine: Engine) -> bool:
    """Return whether hooks of others may read an update's numbers before a line is due.

    All ranks call it together and get the same answer: that somebody does on one of them, or that their lines
    are due at different updates.
    """
    hooks = [hook for position in POSITIONS for hook in engine.hooks(position)]
    lines = sorted(hook._freq for hook in hooks if isinstance(hook, LogShowHook))
    # Not isinstance: a user's subclass may read anything.
    is_read = any(type(hook).__module__ not in (__name__, f"{__package__}.implied") for hook in hooks)
    everywhere = gather_objects((is_read, lines))
    return any(each != (False, lines) for each in everywhere)


def _is_line_due(engine: Engine) -> bool:
    lines = (hook for hook in engine.hooks("after_iter") if isinstance(hook, LogShowHook))
    return any(engine.last_iter.val % hook._freq == 0 for hook in lines)


def _options(name: str, ext_args: Mapping[str, Any] | None, **known: Any) -> dict[str, Any]:
    given = {} if ext_args is None else ext_args
    if not isinstance(given, Mapping) or not given.keys() <= known.keys():
        raise ConfigError(f"hook '{name}' got ext_args={given!r}; it takes a dict of: {', '.join(known)}")
    return {**known, **given}


def _interval(name: str, ext_args: Mapping[str, Any] | None) -> int:
    freq = _options(name, ext_args, freq=1)["freq"]
    is_number = isinstance(freq, int | float) and not isinstance(freq, bool)
    if not is_number or not 1 <= freq < math.inf or freq != int(freq):
        raise ConfigError(f"hook '{name}' has freq={freq!r}; it is a whole number of updates from 1 on")
    return int(freq)
