"""The learning rate that falls when evaluations get no better: the one schedule that remembers something."""

from collections.abc import Mapping
from typing import Any

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.optim.schedules.base import SCHEDULES
from ding_cls.types import Position

_MOST = 10**9


def observes_evaluations(described: Any) -> bool:
    """Return whether ``policy.learn.lr_schedule`` is a schedule that follows the evaluations."""
    if isinstance(described, str):
        return described.startswith("default-")
    kind = described.get("type")
    return hasattr(SCHEDULES.get(kind) if isinstance(kind, str) else kind, "observe")


@SCHEDULES.register_module()
class ReduceLROnPlateau:
    """``base_lr * factor ** k`` after ``k`` times that evaluations have not got better for a while.

    Its state is in the checkpoint. Warm-up around it asks for no evaluation.

    Args:
        monitor: which of an evaluation's results counts.
        mode: whether less of it is better ('min') or more ('max'); None: less of a loss, more of all else.
        factor: of each fall, less than 1.
        patience: evaluations without progress before the one that makes it fall.
        threshold: what counts as progress: by that share of the best, or by that much.
        threshold_mode: 'rel' or 'abs'.
        cooldown: evaluations after a fall that do not count.
        min_lr: the learning rate falls no lower.

    Raises:
        ConfigError: a value outside its range.

    Source: the values of ``torch.optim.lr_scheduler.ReduceLROnPlateau``, but for its ``eps``.
    """

    def __init__(
        self,
        *,
        monitor: str = "acc1",
        mode: str | None = None,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        direction = mode or ("min" if monitor.endswith("loss") else "max")
        for is_fine, name, value, allowed in (
            (0 <= factor < 1, "factor", factor, "at least 0, and less than 1"),
            (direction in ("min", "max"), "mode", mode, "min or max"),
            (threshold_mode in ("rel", "abs"), "threshold_mode", threshold_mode, "rel or abs"),
            (patience >= 0, "patience", patience, "0 or more"),
        ):
            if not is_fine:
                raise ConfigError(f"ReduceLROnPlateau: {name}={value!r} is not allowed; it must be {allowed}")
        self._monitor, self._sign = monitor, 1 if direction == "max" else -1
        self._factor, self._patience, self._min_lr = factor, patience, min_lr
        self._threshold, self._is_relative, self._cooldown = threshold, threshold_mode == "rel", cooldown
        self._best: float | None = None
        self._num_bad = self._cooldown_left = self._num_falls = 0

    def __call__(self, base_lr: float, position: Position) -> float:
        """Return the learning rate after the evaluations so far; the position does not matter."""
        lr: float = base_lr * self._factor**self._num_falls
        return max(lr, min(self._min_lr, base_lr))

    def observe(self, results: Mapping[str, Any]) -> None:
        """Take notice of an evaluation.

        Raises:
            ConfigError: it did not give what is monitored.
        """
        if self._monitor not in results:
            raise ConfigError(
                f"policy.learn.lr_schedule watches '{self._monitor}'; the evaluation gives "
                f"{', '.join(results)}: set monitor= to one of them"
            )
        value = float(results[self._monitor])
        if self._is_better(value):
            self._best, self._num_bad = value, 0
        else:
            self._num_bad += 1
        if self._cooldown_left > 0:
            self._cooldown_left -= 1
            self._num_bad = 0
        if self._num_bad > self._patience:
            self._num_falls += 1
            self._cooldown_left, self._num_bad = self._cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Return what was observed."""
        return {
            "best": self._best,
            "num_bad": self._num_bad,
            "cooldown_left": self._cooldown_left,
            "num_falls": self._num_falls,
            "monitor": self._monitor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with a state; that of another result leaves the learning rate where it is, and counts
        anew.

        Raises:
            CheckpointError: as `check_state`.
        """
        self.check_state(state)
        self._num_falls = state["num_falls"]
        self._best, self._num_bad, self._cooldown_left = None, 0, 0
        if state.get("monitor", self._monitor) == self._monitor:
            self._best, self._num_bad = state["best"], state["num_bad"]
            self._cooldown_left = state["cooldown_left"]

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that is none of such a schedule.

        Raises:
            CheckpointError: it names the entry.
        """
        for name in ("best", "num_bad", "cooldown_left", "num_falls"):
            value = state.get(name) if isinstance(state, Mapping) else None
            is_none = name == "best" and isinstance(state, Mapping) and value is None
            kinds = (int, float) if name == "best" else (int,)
            is_fine = isinstance(value, kinds) and not isinstance(value, bool)
            if is_fine and name != "best":
                is_fine = value is not None and 0 <= value < _MOST
            if not is_none and not is_fine:
                raise CheckpointError(
                    f"the checkpoint is malformed: lr_scheduler.schedule.{name} is a "
                    f"{type(value).__name__} or out of range, not a number"
                )

    def _is_better(self, value: float) -> bool:
        if self._best is None:
            return value == value
        # As torch: a share of the best itself, also where the best is negative.
        margin = self._threshold * (self._best if self._is_relative else self._sign)
        goal = self._best + (self._sign * margin if self._is_relative else margin)
        return self._sign * value > self._sign * goal
