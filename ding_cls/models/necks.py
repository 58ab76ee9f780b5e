"""Necks: what stands between backbone and head, a tuple of maps to a tuple of vectors."""

from typing import overload

from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.registries import NECKS

_POOLINGS: dict[int, type[nn.AdaptiveAvgPool1d] | type[nn.AdaptiveAvgPool2d] | type[nn.AdaptiveAvgPool3d]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}


@NECKS.register_module()
class GlobalAveragePooling(nn.Module):
    """The mean of each channel over the whole plane.

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
        pooled: Tensor = self.gap(feature)
        return pooled.flatten(1)
