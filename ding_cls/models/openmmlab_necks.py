"""Necks that mmclassification has for one backbone each: HRNet's."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.registry import NECKS

# Of each stage, in units of the first.
_STAGES = (1, 2, 4, 8)


@NECKS.register_module()
class HRFuseScales(nn.Module):
    """The fusion of HRNet's four maps into one. The backbone ``HRNet`` here ends with it: this adds nothing.

    Args:
        in_channels: of the four maps.
        out_channels: of the one that comes out.
        norm_cfg: BatchNorm, which is what the backbone has.

    Raises:
        ConfigError: channels that HRNet's maps do not have.

    Source: Deep High-Resolution Representation Learning, Wang et al. 2019, figure 11 (arXiv:1908.07919).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 2048,
        norm_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if list(in_channels) != [in_channels[0] * factor for factor in _STAGES]:
            raise ConfigError(
                f"HRFuseScales has in_channels={in_channels!r}; HRNet's maps have C, 2C, 4C and 8C channels"
            )
        if (norm_cfg or {}).get("type", "BN") not in ("BN", "SyncBN"):
            raise ConfigError(f"HRFuseScales has norm_cfg={norm_cfg!r}; the backbone HRNet has BatchNorm")
        self.out_channels = out_channels

    @overload
    def forward(self, features: Tensor) -> Tensor: ...

    @overload
    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]: ...

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """Return the features as they are: one map ``(N, out_channels, H, W)``.

        Raises:
            ModelError: they are others.
        """
        deepest = features if isinstance(features, Tensor) else features[-1]
        if deepest.dim() != 4 or deepest.shape[1] != self.out_channels:
            raise ModelError(
                f"HRFuseScales gets {tuple(deepest.shape)}, not a map of {self.out_channels} channels; it is "
                "for the backbone HRNet alone, which gives that already fused"
            )
        return features
