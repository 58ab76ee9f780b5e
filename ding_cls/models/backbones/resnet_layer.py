"""One stage of a ResNet: the library's blocks, or a user's own that are built as mmclassification's are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ding_cls.models.backbones.resnet import PLAIN, BasicBlock, Bottleneck, shortcut, stage
from ding_cls.models.layers.ops import norm_of
from ding_cls.models.registry import takes


class ResLayer(nn.Sequential):
    """Blocks in a row, the first with the stride. Arguments have mmclassification's names and meanings.

    Args:
        block: ``BasicBlock``, ``Bottleneck``, or a class of one's own, which is built with ``in_channels``,
            ``out_channels``, ``expansion``, ``stride``, ``downsample``, ``conv_cfg``, ``norm_cfg``,
            ``dilation``, ``style`` and ``drop_path_rate``, as far as it takes them.
        num_blocks: how many.
        in_channels: channels of the input.
        out_channels: channels of the output.
        expansion: channels of the output for each inside a block; None: the block's own.
        stride: of the first block.
        avg_down: a shortcut with a stride takes a mean first.
        conv_cfg: None, or an ordinary convolution.
        norm_cfg: as in ``ResNet``; None: BatchNorm.
        dilation: of the 3x3 convolutions.
        style: as in ``ResNet``.
        with_cp: not used: the network itself computes its blocks twice.
        drop_path_rate: of each block, or of all.
        groups: of a bottleneck's 3x3 convolution.
        width_per_group: with ``groups``: channels of each in the first stage, where ``base_channels`` are.
        base_channels: channels inside a block of the first stage.
        **more: further arguments of a block of one's own.
    """

    def __init__(
        self,
        block: type[nn.Module],
        num_blocks: int,
        in_channels: int,
        out_channels: int,
        expansion: int | None = None,
        stride: int = 1,
        avg_down: bool = False,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = None,
        *,
        dilation: int = 1,
        style: str = "pytorch",
        with_cp: bool = False,
        drop_path_rate: float | Sequence[float] = 0.0,
        groups: int = 1,
        width_per_group: int = 64,
        base_channels: int = 64,
        **more: Any,
    ) -> None:
        own_expansion = int(getattr(block, "expansion", 1)) if expansion is None else expansion
        rates = [drop_path_rate] * num_blocks if isinstance(drop_path_rate, int | float) else drop_path_rate
        details = replace(
            PLAIN,
            norm=norm_of(norm_cfg),
            dilation=dilation,
            groups=groups,
            expansion=own_expansion,
            widening=groups * width_per_group / base_channels if groups > 1 else 1.0,
            strides_first=style == "caffe",
            averages_shortcut=avg_down,
        )
        if block in (BasicBlock, Bottleneck):
            width = out_channels // own_expansion
            about: dict[str, Any] = {"stride": stride, "details": details, "drop_paths": rates}
            super().__init__(*stage(block, num_blocks, in_channels, width, **about))
            return
        first = None
        if stride != 1 or in_channels != out_channels:
            first = shortcut(in_channels, out_channels, stride, details)
        own = {
            "out_channels": out_channels,
            "expansion": own_expansion,
            "conv_cfg": conv_cfg,
            "norm_cfg": {"type": "BN", **(norm_cfg or {})},
            "dilation": dilation,
            "style": style,
            **more,
        }
        if groups > 1:
            own |= {"groups": groups, "width_per_group": width_per_group, "base_channels": base_channels}
        places = [{"in_channels": in_channels, "stride": stride, "downsample": first}]
        places += [{"in_channels": out_channels, "stride": 1, "downsample": None}] * (num_blocks - 1)
        super().__init__(*_own_blocks(block, places, rates, own))


def _own_blocks(
    block: type[nn.Module],
    places: Sequence[Mapping[str, Any]],
    rates: Sequence[float],
    own: Mapping[str, Any],
) -> list[nn.Module]:
    """Return blocks of the user's, with those of the arguments that their constructor takes."""
    pairs = zip(places, rates, strict=True)
    given = [{**own, **place, "drop_path_rate": rate} for place, rate in pairs]
    return [block(**{name: each[name] for name in each if takes(block, name)}) for each in given]
