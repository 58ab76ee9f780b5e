"""Necks: what is between backbone and head, a tuple of maps to a tuple of vectors."""

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models.openmmlab import BaseModule
from ding_cls.models.registry import NECKS

_POOLINGS: dict[int, type[nn.AdaptiveAvgPool1d] | type[nn.AdaptiveAvgPool2d] | type[nn.AdaptiveAvgPool3d]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}


class _Pooling(BaseModule):
    """A neck that makes one vector of each map."""

    @overload
    def forward(self, features: Tensor) -> Tensor: ...

    @overload
    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]: ...

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """Return ``(N, C)`` for each map; a tuple for a tuple, one tensor for one."""
        if isinstance(features, Tensor):
            return self._pooled(features)
        return tuple(self._pooled(each) for each in features)

    def _pooled(self, feature: Tensor) -> Tensor:
        raise NotImplementedError


@NECKS.register_module()
class GlobalAveragePooling(_Pooling):
    """The mean of each channel over the whole plane. Vectors ``(N, C)``, as a transformer gives, stay.

    Args:
        dim: axes to average over: 2 for maps ``(N, C, H, W)``, 1 for sequences ``(N, C, L)``, 3 for volumes.

    Raises:
        ConfigError: another number of axes.
    """

    def __init__(self, dim: int = 2) -> None:
        super().__init__()
        if dim not in _POOLINGS:
            raise ConfigError(f"GlobalAveragePooling has dim={dim!r}; it must be 1, 2 or 3")
        self.gap = _POOLINGS[dim](1)

    def _pooled(self, feature: Tensor) -> Tensor:
        if feature.dim() == 2:
            return feature
        pooled: Tensor = self.gap(feature)
        return pooled.flatten(1)


@NECKS.register_module()
class GridAveragePooling(_Pooling):
    """The mean of each channel over each cell of a grid: a head then knows where something is.

    Vectors are ``C * rows * columns`` long: of each channel all cells, row after row.

    Args:
        grid: rows and columns.

    Raises:
        ConfigError: not two whole numbers from 1 on.
    """

    def __init__(self, grid: Sequence[int]) -> None:
        super().__init__()
        is_pair = isinstance(grid, Sequence) and len(grid) == 2
        if not is_pair or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in grid):
            raise ConfigError(f"GridAveragePooling has grid={grid!r}; it must be [rows, columns], from 1 on")
        self.grid = (grid[0], grid[1])

    def _pooled(self, feature: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(feature, self.grid).flatten(1)


@NECKS.register_module()
class GeneralizedMeanPooling(_Pooling):
    """The generalized mean of each channel over the plane: ``mean(x ** p) ** (1 / p)``.

    ``p = 1`` is the mean, a large ``p`` nearly the maximum.

    Args:
        p: the power; where it is trained, its value at the beginning.
        eps: what values are raised to at least, before the power.
        clamp: do so; without it the maps must be positive.
        p_trainable: train the power.

    Raises:
        ConfigError: the power is below 1.

    Source: Fine-tuning CNN Image Retrieval with No Human Annotation, Radenovic et al. 2018, eq. 3
    (arXiv:1711.02512).
    """

    def __init__(
        self, p: float = 3.0, eps: float = 1e-6, clamp: bool = True, p_trainable: bool = True
    ) -> None:
        super().__init__()
        if isinstance(p, bool) or not isinstance(p, int | float) or p < 1:
            raise ConfigError(f"GeneralizedMeanPooling has p={p!r}; it must be a number from 1 on")
        self.p = nn.Parameter(torch.ones(1) * p, requires_grad=p_trainable)
        self.eps = eps
        self.clamp = clamp

    def _pooled(self, feature: Tensor) -> Tensor:
        # Powers of half precision overflow soon.
        with torch.autocast(feature.device.type, enabled=False):
            values = feature.float()
            values = values.clamp(min=self.eps) if self.clamp else values
            mean = functional.adaptive_avg_pool2d(values.pow(self.p), 1)
            return mean.pow(1.0 / self.p).flatten(1)
