"""What a policy shows of itself: one record of callables for learning, one for evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


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
