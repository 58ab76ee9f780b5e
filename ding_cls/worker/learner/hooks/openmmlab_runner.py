"""The learner under the names of mmcv's runner, for hooks that are written for that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import Position


class LogBuffer:
    """What is logged of the update at hand, as mmcv's buffer has it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def output(self) -> dict[str, Any]:
        """Values by name; what is put in is logged."""
        return self._engine.log_buffer["scalar"]

    def update(self, vars: Mapping[str, Any], count: int = 1) -> None:
        """Add values by name; ``count`` is not used: a row is one update's."""
        self.output.update(vars)

    def __getitem__(self, kind: str) -> dict[str, Any]:
        """Return what the learner's own buffer has under ``scalar``, ``scalars`` or ``histogram``."""
        return self._engine.log_buffer[kind]


class RunnerView:
    """A learner at one position of its loop, with mmcv's names and numbers.

    It has every attribute of the learner too, and what is set on it is set there: hooks hand each other
    values so.

    Args:
        engine: the learner.
        position: where its loop is.
    """

    _engine: Engine
    _position: Position

    def __init__(self, engine: Engine, position: Position) -> None:
        object.__setattr__(self, "_engine", engine)
        object.__setattr__(self, "_position", position)

    # mmcv's hooks read and write any attribute of their runner.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._engine, name, value)

    @property
    def num_begun(self) -> int:
        """1 before an update or epoch, which a hook counts as begun; else 0."""
        return int(self._position in ("before_iter", "before_epoch"))

    @property
    def iter(self) -> int:
        """The number of the update at hand, from 0; after an epoch or run how many are finished."""
        return self._engine.train_iter - (self._position == "after_iter")

    @property
    def epoch(self) -> int:
        """The number of the epoch at hand, from 0; after the run how many are finished."""
        length = self._engine.updates_per_epoch
        if not length:
            return self._engine.epoch_info[0]
        is_inside = self._position in ("after_iter", "after_epoch")
        return (self._engine.train_iter - is_inside) // length

    @property
    def inner_iter(self) -> int:
        """The number of the batch in its epoch, from 0."""
        length = self._engine.updates_per_epoch
        return self.iter % length if length else self._engine.epoch_info[1]

    @property
    def max_iters(self) -> int | None:
        """At which update the run ends."""
        return self._engine.max_iter

    @property
    def max_epochs(self) -> int | None:
        """How many epochs the run has, one that is cut short included."""
        length, last = self._engine.updates_per_epoch, self._engine.max_iter
        return None if not length or last is None else -(-last // length)

    @property
    def model(self) -> Any:
        """The network, without DDP's wrapper."""
        return self._engine.policy.get_attribute("model")

    @property
    def optimizer(self) -> Any:
        """The optimizer."""
        return self._engine.policy.get_attribute("optimizer")

    @property
    def outputs(self) -> dict[str, Any]:
        """What the latest update returned; losses are 0-dim tensors, samples those of all processes."""
        found = self._engine.outputs
        if "total_loss" not in found:
            return dict(found)
        losses = {name: value for name, value in found.items() if name.endswith("loss")}
        log_vars = {**losses, "loss": found["total_loss"]}
        return {
            **found,
            "loss": found["total_loss"],
            "log_vars": log_vars,
            "num_samples": self._engine.num_latest,
        }

    @property
    def log_buffer(self) -> LogBuffer:
        """What is logged of the update at hand."""
        return LogBuffer(self._engine)

    @property
    def work_dir(self) -> str:
        """The run's folder."""
        return self._engine.exp_name

    @property
    def mode(self) -> str:
        """'val' after an evaluation, else 'train'."""
        return "val" if self._position == "after_eval" else "train"

    def current_lr(self) -> list[float]:
        """Return the learning rate of each group of parameters."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def current_momentum(self) -> list[float]:
        """Return the momentum of each group, of Adam its first beta; 0 where it has none."""
        groups = self.optimizer.param_groups
        return [group.get("momentum", group.get("betas", (0,))[0]) for group in groups]

    def save_checkpoint(self, out_dir: str | None = None, filename_tmpl: str | None = None, **_: Any) -> None:
        """Save everything that a resume needs, in the run's folder; the name is the library's own."""
        self._engine.save_checkpoint()
