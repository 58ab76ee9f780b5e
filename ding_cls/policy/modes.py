"""What a policy shows of itself: one record of callables for learning, one for evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


class Verdict:
    """What became of an update.

    Args:
        is_skipped: it was not applied, since its loss or a gradient was not finite.
        counts: it counts towards ``policy.learn.max_bad_steps``.

    Attributes:
        flag: 1 where it was skipped, else 0, 0-dim on the device; None where the host knows at once.
    """

    def __init__(self, is_skipped: bool, counts: bool) -> None:
        self.flag: torch.Tensor | None = None
        self._values = (is_skipped, counts)
        self._late: torch.Tensor | None = None
        self._event: Any = None

    @classmethod
    def later(cls, flags: torch.Tensor) -> "Verdict":
        """Return one whose values, float ``(2,)``, the device is still to compute; nothing waits for them
        until they are read."""
        verdict = cls(is_skipped=False, counts=False)
        verdict.flag, verdict._late = flags[0], flags
        if flags.is_cuda:
            verdict._late = torch.empty(flags.shape, dtype=flags.dtype, pin_memory=True)
            verdict._late.copy_(flags, non_blocking=True)
            verdict._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            verdict._event.record()
        return verdict

    def read(self) -> tuple[bool, bool]:
        """Return the two; of an update that the device is still at they are waited for."""
        if self._late is not None:
            if self._event is not None:
                self._event.synchronize()
            is_skipped, counts = map(bool, self._late.tolist())
            self._values, self._late, self._event = (is_skipped, counts), None, None
        return self._values


# Of an update that was applied, where the host knows at once.
APPLIED = Verdict(is_skipped=False, counts=False)


@dataclass(frozen=True, slots=True)
class LearnMode:
    """What the learner may ask of a policy.

    Attributes:
        forward: one update from one batch; returns what to log, by name.
        reset: forget what belongs to an episode of learning.
        info: a one-line summary of network, device and arithmetic.
        monitor_vars: the names that ``forward`` returns and a log line averages.
        get_attribute, set_attribute: read and write a named attribute, such as 'lr_scheduler'.
        state_dict, load_state_dict: everything that changes during training.
    """

    forward: Callable[..., dict[str, Any]]
    reset: Callable[..., None]
    info: Callable[[], str]
    monitor_vars: Callable[[], list[str]]
    get_attribute: Callable[[str], Any]
    set_attribute: Callable[[str, Any], None]
    state_dict: Callable[[], dict[str, Any]]
    load_state_dict: Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class EvalMode:
    """What the evaluator may ask of a policy.

    Attributes:
        forward: logits, float ``(N, C)``, of a batch.
        reset: called on every rank before each evaluation.
        get_attribute, set_attribute: as in ``LearnMode``.
        state_dict, load_state_dict: the weights alone.
    """

    forward: Callable[[Any], Any]
    reset: Callable[..., None]
    get_attribute: Callable[[str], Any]
    set_attribute: Callable[[str, Any], None]
    state_dict: Callable[[], dict[str, Any]]
    load_state_dict: Callable[[Mapping[str, Any]], None]
