"""The loss scale of fp16, whose gradients may overflow."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ding_cls.errors import ConfigError
from ding_cls.policy.settings import build_optional

_KEY = "policy.learn.loss_scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dynamic:
    """A loss scale that follows the gradients, with the arguments of torch's ``GradScaler``.

    ``mode`` is mmcv's: 'static' keeps ``init_scale``.
    """

    init_scale: float = 2.0**16
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000
    mode: str = "dynamic"

    def __post_init__(self) -> None:
        is_fine = self.init_scale > 0 and self.growth_factor > 1 and 0 < self.backoff_factor < 1
        if not (is_fine and self.growth_interval >= 1 and self.mode in ("dynamic", "static")):
            raise ConfigError(
                f"{_KEY} is {asdict(self)}; it takes init_scale above 0, growth_factor above 1, "
                "backoff_factor between 0 and 1, growth_interval from 1 on, and mode 'dynamic' or 'static'"
            )


class LossScaler(torch.amp.GradScaler):
    """torch's ``GradScaler`` as ``learn.loss_scale`` describes it; a number is a scale that stays as it is.

    Of a state it takes what changes in training: its settings are the config's.

    Raises:
        ConfigError: the scale cannot be used, or the precision is another than fp16.
    """

    def __init__(self, device: str, learn: Mapping[str, Any]) -> None:
        scale, is_fp16 = learn["loss_scale"], learn["precision"] == "fp16"
        if scale != "dynamic" and not is_fp16:
            raise ConfigError(
                f"{_KEY} is {scale!r}, and policy.learn.precision is '{learn['precision']}'; only "
                "fp16 scales its loss"
            )
        if isinstance(scale, int | float):
            settings = _Dynamic(init_scale=float(scale), mode="static")
        else:
            given = build_optional(_Dynamic, learn, "loss_scale") if isinstance(scale, Mapping) else None
            settings = given or _Dynamic()
        self._own = asdict(settings)
        self._constant = settings.init_scale if self._own.pop("mode") == "static" else None
        super().__init__(device, enabled=is_fp16, **self._own)
        del self._own["init_scale"]
        if self._constant is not None:
            self._own["scale"] = self._constant

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Set the scale of the next update."""
        super().update(self._constant if new_scale is None else new_scale)

    def is_at_floor(self) -> Tensor | bool:
        """Return whether a smaller scale is no way out of an overflow: it is 1 or less, or stays as it is."""
        return True if self._constant is not None or self._scale is None else self._scale <= 1

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with a state."""
        super().load_state_dict({**state_dict, **self._own})


def check_precision(precision: str, device: torch.device, *, is_forced: bool) -> None:
    """Refuse fp16 where nothing computes in it: a CPU emulates it, ten times slower than fp32.

    Raises:
        ConfigError: it is a CPU, and nobody has asked for that.
    """
    if precision == "fp16" and device.type == "cpu" and not is_forced:
        raise ConfigError(
            "policy.learn.precision is 'fp16', and there is no GPU here: on a CPU it is ten times slower "
            "than fp32; use policy.learn.precision=bf16 or fp32, or force it with policy.cuda=False"
        )


def autocast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """Return what makes the context in which a forward pass computes in ``precision``."""
    if precision == "fp32":
        return nullcontext
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return partial(torch.autocast, device.type, dtype=dtype)
