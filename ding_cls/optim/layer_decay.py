"""Smaller learning rates for lower layers, as fine-tuning wants them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.optim.param_groups import OPTIMIZER_BUILDERS, DefaultOptimizerConstructor

# How networks number their blocks; the first that fits any name counts for all of them. torchvision's and
# timm's ResNet 'layer1.0', ConvNeXt 'stages.0.blocks.1', Swin 'layers.0.blocks.1'; torchvision's Swin,
# ConvNeXt and EfficientNet 'features.1.0', whose convolutions between the stages are no blocks; timm's
# EfficientNet 'blocks.1.0'; then torchvision's ViT 'encoder_layer_3', timm's 'blocks.3', and the
# 'features.3' of MobileNet and VGG.
_BLOCKS = (
    re.compile(r"(?:^|\.)(?:layer|layers|stage|stages)[._]?(\d+)\.(?:blocks\.)?(\d+)\."),
    re.compile(r"(?:^|\.)features\.(\d+)\.(\d+)\.(?!(?:weight|bias)$)"),
    re.compile(r"(?:^|\.)blocks\.(\d+)\.(\d+)\."),
    re.compile(r"(?:^|\.)(?:encoder_layer_|blocks\.|features\.|layers\.|layer|stages\.)(\d+)\."),
)

# Fewer parts than these at the top of a network are a body and a head.
_MIN_PARTS = 4


@OPTIMIZER_BUILDERS.register_module(
    ["LearningRateDecayOptimizerConstructor", "LearningRateDecayOptimWrapperConstructor"]
)
class LearningRateDecayOptimizerConstructor(DefaultOptimizerConstructor):
    """Builds an optimizer whose learning rate falls by a factor from block to block, from the head down.

    Blocks are found by their names, in the order of the network: what is before the first one is the
    lowest layer, what is after the last one, norm and head, has the whole learning rate. All settings of
    ``DefaultOptimizerConstructor`` hold too.

    Args:
        optimizer_cfg: as there.
        paramwise_cfg: as there, with ``layer_decay_rate`` (or ``decay_rate``), the factor in (0, 1].

    Raises:
        ConfigError: as there; or the factor is missing or outside its range.

    Source: BEiT, Bao et al. 2021, section 3.2 (arXiv:2106.08254); the arguments are mmpretrain's.
    """

    def __init__(
        self, optimizer_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        settings = dict(paramwise_cfg or {})
        given = [settings.pop(name) for name in ("layer_decay_rate", "decay_rate") if name in settings]
        if len(given) != 1 or not 0 < given[0] <= 1:
            raise ConfigError(
                f"{type(self).__name__} needs paramwise_cfg=dict(layer_decay_rate=) greater than 0, and 1 at "
                f"most, not {given or 'none'}"
            )
        (self._rate,) = given
        # Without any setting there would be one group.
        super().__init__(optimizer_cfg, settings or {"bypass_duplicate": False})
        self._scales: dict[str, float] = {}

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        self._scales = layer_scales(model, self._rate)
        return super()._groups(model)

    def _mults(self, module: nn.Module, prefix: str, name: str) -> tuple[float, float]:
        lr_mult, decay_mult = super()._mults(module, prefix, name)
        return lr_mult * self._scales[f"{prefix}.{name}".lstrip(".")], decay_mult


def layer_scales(model: nn.Module, rate: float) -> dict[str, float]:
    """Return each parameter's factor by its name: ``rate`` to the number of layers above its own.

    Where no name has a numbered block in it the network's parts are its layers: those at the top, or where
    these are few, as a body and a head, those one level below. The last one has the whole rate.
    """
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    numberings = (_blocks(names, pattern) for pattern in _BLOCKS)
    blocks = next((each for each in numberings if each), None)
    if blocks is None:
        blocks = _parts(names)
    depths = {block: number for number, block in enumerate(dict.fromkeys(blocks.values()), 1)}
    last = [name for name in names if name in blocks][-1:]
    scales, depth, is_above = {}, 0, not blocks
    for name in names:
        # What belongs to no block counts with the one before it, the head with none.
        depth = len(depths) + 1 if is_above else depths[blocks[name]] if name in blocks else depth
        is_above = is_above or [name] == last
        scales[name] = rate ** (len(depths) + 1 - depth)
    return scales


def _blocks(names: Sequence[str], pattern: re.Pattern[str]) -> dict[str, tuple[str, ...]]:
    return {name: match.groups() for name in names if (match := pattern.search(name)) is not None}


def _parts(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the part that each name belongs to, but for the names of the last one."""
    levels = [name.split(".")[:-1] for name in names]
    depth = 1 if len({tuple(each[:1]) for each in levels}) >= _MIN_PARTS else 2
    parts = {name: tuple(each[:depth]) for name, each in zip(names, levels, strict=True)}
    *_, head = parts.values()
    return {name: part for name, part in parts.items() if part != head}
