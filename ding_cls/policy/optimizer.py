"""A policy's optimizer and learning rate, from the section ``policy.learn`` of the config."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim import Optimizer

from ding_cls.distributed.comm import get_world_size
from ding_cls.errors import ConfigError
from ding_cls.optim import (
    MOMENTUM_SCHEDULES,
    OPTIMIZERS,
    WEIGHT_DECAY_SCHEDULES,
    LearningRate,
    LrScheduler,
    MomentumWarmup,
    SettingScheduler,
    SwaAnnealing,
    build_schedule,
    short_schedule,
)
from ding_cls.optim import (
    build_optimizer as build_from_dict,
)
from ding_cls.optim.optimizers import refuse_unusable, takes_argument
from ding_cls.policy.settings import build_optional
from ding_cls.policy.weight_averaging import Swa
from ding_cls.types import Schedule

_LOGGER = logging.getLogger(__name__)
_NATIVE = ("step", "cosine", "constant")


def clear_gradients(optimizer: Optimizer) -> None:
    """Set all gradients to None before an update.

    That is the loop of torch's ``zero_grad`` without the profiler's marks around it, which cost ten times as
    much; of an optimizer with a ``zero_grad`` of its own it is that.
    """
    if type(optimizer).zero_grad is not Optimizer.zero_grad:
        optimizer.zero_grad(set_to_none=True)
        return
    for group in optimizer.param_groups:
        for each in group["params"]:
            each.grad = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LrScaling:
    """The learning rate by the global batch: ``policy.learn.auto_scale_lr``.

    Attributes:
        base_batch_size: the global batch that ``policy.learn.learning_rate`` was found with.
        enable: do scale it.

    Raises:
        ConfigError: ``base_batch_size`` is no number from 1 on.

    Source: the linear scaling rule, Goyal et al. 2017, section 2.1 (arXiv:1706.02677).
    """

    base_batch_size: int
    enable: bool = False

    def __post_init__(self) -> None:
        if not self.base_batch_size >= 1:
            raise ConfigError(
                f"policy.learn.auto_scale_lr.base_batch_size is {self.base_batch_size!r}; it is the number "
                "of samples in the global batch, 1 or more"
            )


def learning_rate_of(learn: Mapping[str, Any]) -> float:
    """Return ``learn.learning_rate``, by ``learn.auto_scale_lr`` in proportion to the global batch."""
    rate: float = learn["learning_rate"]
    scaling = build_optional(LrScaling, learn, "auto_scale_lr")
    if scaling is None or not scaling.enable:
        return rate
    global_batch_size: int = learn["batch_size"] * get_world_size()
    return rate * (global_batch_size / scaling.base_batch_size)


def build_optimizer(model: torch.nn.Module, learn: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of ``learn.optimizer``; some of its arguments are keys of their own.

    These are ``learning_rate``; ``weight_decay`` unless it is None; for SGD ``momentum`` and ``nesterov``.

    Raises:
        ConfigError: an argument is given in both places, or there is no such optimizer or argument.
    """
    given = dict(learn["optimizer"])
    kind = given.setdefault("type", "SGD")
    part = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    if callable(part):
        refuse_unusable(part)
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
    values["lr"] = learning_rate_of(learn)
    if values["lr"] != learn["learning_rate"]:
        _LOGGER.info(
            "learning rate %g: %g by auto_scale_lr, for a global batch of %d",
            values["lr"],
            learn["learning_rate"],
            learn["batch_size"] * get_world_size(),
        )
    elif learn["auto_scale_lr"] is not None and not learn["auto_scale_lr"].get("enable"):
        _LOGGER.info("auto_scale_lr is off; enable=True scales the learning rate by the global batch")
    if callable(part) and not takes_argument(part, "weight_decay") and "weight_decay" in values:
        if values["weight_decay"] != 0:
            raise ConfigError(
                f"optimizer '{kind}' has no weight_decay, and policy.learn.weight_decay is "
                f"{values['weight_decay']}; set policy.learn.weight_decay=None"
            )
        del values["weight_decay"]
    if callable(part) and not takes_argument(part, "lr"):
        values = _without_lr(values, part, kind)
    return build_from_dict(model, values | given)


def _without_lr(values: dict[str, Any], part: Callable[..., object], kind: object) -> dict[str, Any]:
    """Return the settings for a class that takes no ``lr``, and log what becomes of the learning rate."""
    lr = values.pop("lr")
    if takes_argument(part, "learning_rate"):
        return {**values, "learning_rate": lr}
    _LOGGER.warning(
        "optimizer '%s' takes no lr: policy.learn.learning_rate and its schedule reach it only where its "
        "step reads the lr of a parameter group",
        kind if isinstance(kind, str) else getattr(kind, "__name__", kind),
    )
    return values


def build_lr_scheduler(optimizer: Optimizer, learn: Mapping[str, Any]) -> LrScheduler:
    """Return what sets the learning rate by ``learn.lr_schedule``: one of the native three, a short form, or
    any by name; and momentum and weight decay by schedules of their own.

    Raises:
        ConfigError: there is no such schedule or argument, or its value cannot be used.
    """
    described = learn["lr_schedule"]
    schedule = build_schedule(described) if isinstance(described, Mapping) else _native(described, learn)
    swa = build_optional(Swa, learn, "swa")
    if swa is not None and swa.lr is not None:
        schedule = SwaAnnealing(
            schedule=schedule,
            start_epoch=swa.start_epoch,
            lr=swa.lr,
            anneal_epochs=swa.anneal_epochs,
            anneal_strategy=swa.anneal_strategy,
        )
    return LrScheduler(
        schedule,
        optimizer,
        base_lr=learning_rate_of(learn),
        max_epochs=learn["train_epoch"],
        max_iters=learn["max_iters"],
        others=_settings(optimizer, learn),
    )


def _settings(optimizer: Optimizer, learn: Mapping[str, Any]) -> list[SettingScheduler]:
    kinds: dict[Literal["momentum", "weight_decay"], Any] = {
        "momentum": (MOMENTUM_SCHEDULES, MomentumWarmup),
        "weight_decay": (WEIGHT_DECAY_SCHEDULES, None),
    }
    return [
        SettingScheduler(build_schedule(described, registry, warmup=warmup), optimizer, setting)
        for setting, (registry, warmup) in kinds.items()
        if (described := learn[f"{setting}_schedule"]) is not None
    ]


def _native(schedule: Any, learn: Mapping[str, Any]) -> Schedule:
    warmup = {"warmup_lr": learn["warmup_lr"], "warmup_epochs": learn["warmup_epoch"]}
    if schedule not in _NATIVE:
        return LearningRate(short_schedule(str(schedule)), **warmup)
    decay = {name: learn[name] for name in ("decay_epoch", "decay_rate", "min_lr")}
    return LearningRate(schedule, **decay, **warmup)
