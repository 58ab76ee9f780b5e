"""Makes one part a thousandth wrong, for good: a test that asserts exact values fails in that process."""

from collections.abc import Callable
from typing import Any

from ding_cls.metrics import METRICS
from ding_cls.models import LOSSES
from ding_cls.models.losses.torch import TorchLoss
from ding_cls.optim import (
    MOMENTUM_SCHEDULES,
    OPTIMIZER_BUILDERS,
    SCHEDULES,
    WEIGHT_DECAY_SCHEDULES,
    DefaultOptimizerConstructor,
)
from ding_cls.registry import Registry

FACTOR = 1.001


def wrong(value: Any) -> Any:
    """Return a result with each number in it a thousandth larger, counts by one."""
    if isinstance(value, dict):
        return {name: wrong(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(wrong(each) for each in value)
    if isinstance(value, int):
        return value + 1
    return value * FACTOR


def spoil_method(owner: Any, name: str) -> None:
    method = getattr(owner, name)

    def spoiled(*arguments: Any, **named: Any) -> Any:
        return wrong(method(*arguments, **named))

    setattr(owner, name, spoiled)


def spoil_factory(registry: Registry[Any], name: str) -> None:
    make: Callable[..., Any] = registry.get(name)
    if isinstance(make, type):
        spoil_method(make, "__call__")
        return

    def spoiled(*arguments: Any, **named: Any) -> Any:
        schedule = make(*arguments, **named)
        return lambda base, position: wrong(schedule(base, position))

    # The arguments are still those that are checked.
    spoiled.__wrapped__ = make  # type: ignore[attr-defined]
    registry._parts[name] = spoiled


def spoil(kind: str, name: str) -> None:
    if kind == "loss":
        spoil_method(LOSSES.get(name) if name in set(LOSSES) else TorchLoss, "forward")
    elif kind == "metric":
        spoil_method(METRICS.get(name), "result")
    elif kind == "grouping":
        owner = DefaultOptimizerConstructor if name == "paramwise_cfg" else OPTIMIZER_BUILDERS.get(name)
        spoil_method(owner, "_mults")
    elif kind == "warm-up":
        from ding_cls.optim.schedules.base import LearningRate, Warmup

        owners = {"by name": Warmup, "native": LearningRate, "of short forms": LearningRate}
        spoil_method(owners[name], "__call__")
    else:
        registries = {
            "schedule": SCHEDULES,
            "momentum": MOMENTUM_SCHEDULES,
            "weight decay": WEIGHT_DECAY_SCHEDULES,
        }
        spoil_factory(registries[kind], name)
