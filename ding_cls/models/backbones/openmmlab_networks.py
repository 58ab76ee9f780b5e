"""Backbones of timm in mmclassification's forms: RepVGG for deployment, DeiT with two tokens, ResNeSt.

They are built by the names in ``openmmlab_families``. Some names stood for another network before: those are
here, for files of weights that have them.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ding_cls.errors import ConfigError
from ding_cls.models.backbones.timm import TIMMBackbone
from ding_cls.models.weights.timm import timm_library

# RepVGG-B1g2. Source: RepVGG, Ding et al. 2021, table 3: every second convolution in two groups
# (arXiv:2101.03697).
_B1_DEPTHS, _B1_WIDTHS, _GROUPS = (4, 6, 16, 1), (128, 256, 512, 2048), 2


class RepVGGBackbone(TIMMBackbone):
    """RepVGG of timm.

    Args:
        model_name: as in ``TIMMBackbone``.
        arch: mmclassification's name of the member.
        deploy: each block is the one convolution that its branches make after training.
        **arguments: those of ``TIMMBackbone``.
    """

    def __init__(self, model_name: str, *, arch: str, deploy: bool = False, **arguments: Any) -> None:
        if arch == "B1g2":
            if arguments.get("pretrained") is True:
                raise ConfigError("backbone 'RepVGG' with arch='B1g2' has no weights in timm; give a file")
            arguments["blocks"] = _blocks_in_groups()
        super().__init__(model_name, **arguments)
        if deploy:
            timm_library(model_name).utils.reparameterize_model(self.network, inplace=True)
            # The convolution that sees the images is the first one registered.
            stem = self.network.get_submodule("stem")
            for name in [each for each, _ in stem.named_children() if each != "reparam_conv"]:
                stem.add_module(name, stem._modules.pop(name))


def _blocks_in_groups() -> tuple[Any, ...]:
    block: Any = timm_library("repvgg_b1").models.byobnet.ByoBlockCfg

    def group_size(channels: int, place: int) -> int:
        return channels // _GROUPS if (place + 1) % 2 == 0 else 0

    return tuple(
        block(type="rep", d=depth, c=width, gs=group_size)
        for depth, width in zip(_B1_DEPTHS, _B1_WIDTHS, strict=True)
    )


class DistilledBackbone(TIMMBackbone):
    """DeiT with a token for the class and one for the teacher: their vectors, and then the mean of both."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return three times ``(N, D)``: of the class token, of the distillation token, their mean.

        Args:
            images: float ``(N, in_channels, H, W)``, normalised.
        """
        tokens: Tensor = self.network.forward_features(images)  # type: ignore[operator]
        return tokens[:, 0], tokens[:, 1], (tokens[:, 0] + tokens[:, 1]) / 2


def resnest(model_name: str, *, stem_channels: int, **arguments: Any) -> TIMMBackbone:
    """Return a ResNeSt of timm; ``stem_channels`` are what comes out of its stem."""
    return TIMMBackbone(model_name, stem_width=stem_channels // 2, **arguments)


# By the network of now: that which its name in mmclassification had before.
FORMER: dict[str, str] = {
    **{f"timm/seresnet{depth}": f"timm/legacy_seresnet{depth}" for depth in (18, 34, 50, 101, 152)},
    **{f"timm/seresnext{depth}_32x4d": f"timm/legacy_seresnext{depth}_32x4d" for depth in (50, 101)},
    "timm/tnt_s_legacy_patch16_224": "timm/tnt_s_patch16_224",
    "timm/tnt_b_patch16_224": "timm/tnt_b_patch16_224",
    "timm/regnetx_004": "regnet_x_400mf",
    **{each: each for each in ("timm/resnest101e", "timm/resnest200e", "timm/resnest269e")},
}
SPECIAL: dict[str, Callable[..., TIMMBackbone]] = {
    "DistilledVisionTransformer": DistilledBackbone,
    "RepVGG": RepVGGBackbone,
    "ResNeSt": resnest,
}
