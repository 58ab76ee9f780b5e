"""A policy's optimizer and learning rate, from the section ``policy.learn`` of the config."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from ding_cls.errors import ConfigError
from ding_cls.optim import (
    OPTIMIZERS,
    LearningRate,
    LrScheduler,
    build_optimizer,
    build_schedule,
)
from ding_cls.optim.optimizers import takes_argument


def optimizer_of(model: torch.nn.Module, learn: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of ``learn.optimizer``; some of its arguments are keys of their own.

    These are ``learning_rate``; ``weight_decay`` unless it is None; for SGD ``momentum`` and ``nesterov``.

    Raises:
        ConfigError: an argument is given in both places, or there is no such optimizer or argument.
    """
    given = dict(learn["optimizer"])
    kind = given.setdefault("type", "SGD")
    part = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    keys = {"lr": "learning_rate", "weight_decay": "weight_decay"}
    if kind == "SGD" or part is torch.optim.SGD:
        # A class of the user's under another name takes these among its own arguments.
        keys |= {name: name for name in ("momentum", "nesterov") if takes_argument(part, name)}
    for name, key in keys.items():
        if name in given:
            raise ConfigError(
                f"policy.learn.optimizer has {name}={given[name]!r}, and policy.learn.{key} is the same: set "
                f"policy.learn.{key} and leave the other out"
            )
    values = {name: learn[key] for name, key in keys.items() if learn[key] is not None}
    if callable(part) and not takes_argument(part, "weight_decay") and "weight_decay" in values:
        if values["weight_decay"] != 0:
            raise ConfigError(
                f"optimizer '{kind}' has no weight_decay, and policy.learn.weight_decay is "
                f"{values['weight_decay']}; set policy.learn.weight_decay=None"
            )
        del values["weight_decay"]
    return build_optimizer(model, values | given)


def lr_scheduler_of(optimizer: Optimizer, learn: Mapping[str, Any]) -> LrScheduler:
    """Return what sets the learning rate by ``learn.lr_schedule``: one of the native three, or any by name.

    Raises:
        ConfigError: there is no such schedule or argument, or its value cannot be used.
    """
    schedule = learn["lr_schedule"]
    return LrScheduler(
        build_schedule(schedule) if isinstance(schedule, Mapping) else _native(schedule, learn),
        optimizer,
        base_lr=learn["learning_rate"],
        max_epochs=learn["train_epoch"],
    )


def _native(schedule: Any, learn: Mapping[str, Any]) -> LearningRate:
    return LearningRate(
        schedule,
        decay_epoch=learn["decay_epoch"],
        decay_rate=learn["decay_rate"],
        min_lr=learn["min_lr"],
        warmup_lr=learn["warmup_lr"],
        warmup_epochs=learn["warmup_epoch"],
    )
