"""Clipping the gradient of an update: by its norm, or value by value."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """Shortens the gradient of all parameters together, or cuts each of its values.

    It is for the whole gradient of an update: after the last piece's backward pass, which reduces it over the
    ranks, and after fp16's loss scale was divided out.

    Attributes:
        max_norm: the longest gradient that stays as it is; this or ``clip_value``.
        norm_type: which norm; ``inf`` is the largest absolute value.
        clip_value: the largest absolute value that stays as it is.

    Raises:
        ConfigError: none or both are given, or a number is not greater than 0.
    """

    max_norm: float | None = None
    norm_type: float = 2.0
    clip_value: float | None = None

    def __post_init__(self) -> None:
        if (self.max_norm is None) == (self.clip_value is None):
            raise ConfigError(
                f"policy.learn.grad_clip has max_norm={self.max_norm} and clip_value={self.clip_value}; "
                "exactly one of them must be given"
            )
        for name, value in (
            ("max_norm", self.max_norm),
            ("clip_value", self.clip_value),
            ("norm_type", self.norm_type),
        ):
            if value is not None and not float(value) > 0:
                raise ConfigError(f"policy.learn.grad_clip.{name} is {value!r}; it must be greater than 0")

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Tensor:
        """Clip in place.

        Returns:
            The norm before, a 0-dim tensor on the parameters' device; nothing waits for it. With
            ``clip_value`` it is the 2-norm.
        """
        clipped = [each for each in parameters if each.grad is not None]
        if self.max_norm is not None:
            return nn.utils.clip_grad_norm_(clipped, self.max_norm, norm_type=float(self.norm_type))
        norm = nn.utils.get_total_norm([each.grad for each in clipped if each.grad is not None])
        nn.utils.clip_grad_value_(clipped, self.clip_value if self.clip_value is not None else math.inf)
        return norm if isinstance(norm, Tensor) else torch.tensor(norm)
