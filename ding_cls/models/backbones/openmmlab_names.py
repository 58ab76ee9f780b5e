"""mmclassification's names of backbones, each with the network of torchvision or timm used for it.

Plain data and one rule: the value of the argument that chooses among a family's members becomes a name.
Those that we write ourselves (``ResNet`` and its kin, ``LeNet5``, ``TIMMBackbone``) are registered by their
classes.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.backbones.timm import TIMMBackbone, has_timm
from ding_cls.models.backbones.torchvision import TorchvisionBackbone
from ding_cls.models.layers.norms import set_norms
from ding_cls.models.layers.ops import check_conv_cfg
from ding_cls.models.weights.timm import INSTALL, PREFIX
from ding_cls.registry import Library

_LOGGER = logging.getLogger(__name__)

Gives = Literal["maps", "vectors"]


@dataclass(frozen=True, slots=True)
class Family:
    """One name of mmclassification.

    Attributes:
        choice: the argument, or arguments, that choose the member.
        members: from their values to names: torchvision's, or timm's after ``timm/``.
        gives: what goes to the neck: the deepest map, or the vectors that the last layer would see.
        default: the value of ``choice`` where it is not given; None: it must be.
        last: what ``out_indices`` is there for the deepest map: those values are accepted.
        renamed: further arguments, and torchvision's names of them, timm has the same; None: without effect,
            because the network takes any.
        usual: arguments whose values, where they are not given, are mmclassification's and not the library's.
    """

    choice: tuple[str, ...]
    members: Mapping[Any, str]
    gives: Gives = "maps"
    default: Any = None
    last: tuple[int, ...] = (-1, 3)
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)


def _each(pattern: str, values: str) -> dict[Any, str]:
    return {value: pattern.format(value) for value in values.split()}


_VIT = {
    ("base", 16): "vit_b_16",
    ("base", 32): "vit_b_32",
    ("large", 16): "vit_l_16",
    ("large", 32): "vit_l_32",
    ("b", 16): "vit_b_16",
    ("b", 32): "vit_b_32",
    ("l", 16): "vit_l_16",
    ("l", 32): "vit_l_32",
    ("huge", 14): "vit_h_14",
    ("h", 14): "vit_h_14",
    ("small", 16): "timm/vit_small_patch16_224",
    ("s", 16): "timm/vit_small_patch16_224",
    ("small", 32): "timm/vit_small_patch32_224",
    ("s", 32): "timm/vit_small_patch32_224",
    **{(f"deit-{size[0]}", 16): f"timm/deit_{size}_patch16_224" for size in ("tiny", "small", "base")},
    **{(f"deit-{size}", 16): f"timm/deit_{size}_patch16_224" for size in ("tiny", "small", "base")},
}
_DISTILLED = {f"deit-{s}": f"timm/deit_{s}_distilled_patch16_224" for s in ("tiny", "small", "base")}
_REP_VGGS = ("A0", "A1", "A2", "B0", "B1", "B1g4", "B2", "B2g4", "B3", "B3g4")

FAMILIES: dict[str, Family] = {
    "AlexNet": Family((), {(): "alexnet"}, default=()),
    "ConvMixer": Family(
        ("arch",),
        {
            "768/32": "timm/convmixer_768_32",
            "1024/20": "timm/convmixer_1024_20_ks9_p14",
            "1536/20": "timm/convmixer_1536_20",
        },
        default="768/32",
    ),
    "ConvNeXt": Family(
        ("arch",),
        {**_each("convnext_{}", "tiny small base large"), "xlarge": "timm/convnext_xlarge"},
        gives="vectors",
        default="tiny",
        renamed={"layer_scale_init_value": "layer_scale"},
        usual={"drop_path_rate": 0.0},
    ),
    "CSPDarkNet": Family(("depth",), {53: "timm/cspdarknet53"}, last=(-1, 4)),
    "CSPResNet": Family(("depth",), {50: "timm/cspresnet50"}),
    "CSPResNeXt": Family(("depth",), {50: "timm/cspresnext50"}),
    "DenseNet": Family(("arch",), _each("densenet{}", "121 161 169 201"), default="121"),
    "DistilledVisionTransformer": Family(
        ("arch",), _DISTILLED, gives="vectors", default="deit-base", last=(-1, 11)
    ),
    "EfficientFormer": Family(
        ("arch",), _each("timm/efficientformer_{}", "l1 l3 l7"), gives="vectors", default="l1"
    ),
    "EfficientNet": Family(
        ("arch",),
        {
            **_each("efficientnet_{}", "b0 b1 b2 b3 b4 b5 b6 b7"),
            **_each("timm/efficientnet_{}", "b8 es em el"),
        },
        default="b0",
        last=(-1, 6),
        usual={"drop_path_rate": 0.0},
    ),
    "HRNet": Family(("arch",), _each("timm/hrnet_{}", "w18 w30 w32 w40 w44 w48 w64"), default="w32"),
    "LeViT": Family(
        ("arch",), _each("timm/levit_{}", "128s 128 192 256 384"), gives="vectors", default="256"
    ),
    "MlpMixer": Family(
        ("arch", "patch_size"),
        {
            **{
                (arch, 16): f"timm/mixer_{arch[0]}16_224"
                for arch in ("small", "base", "large", "s", "b", "l")
            },
            **{
                (arch, 32): f"timm/mixer_{arch[0]}32_224"
                for arch in ("small", "base", "large", "s", "b", "l")
            },
        },
        gives="vectors",
        default=("base", 16),
        last=(-1, 11),
    ),
    "MobileNetV2": Family(
        (), {(): "mobilenet_v2"}, default=(), last=(-1, 7), renamed={"widen_factor": "width_mult"}
    ),
    "MobileNetV3": Family(
        ("arch",),
        {
            **_each("mobilenet_v3_{}", "small large"),
            "small_050": "timm/mobilenetv3_small_050",
            "small_075": "timm/mobilenetv3_small_075",
        },
        default="small",
        last=(-1, 12, 16),
    ),
    "MViT": Family(
        ("arch",), _each("timm/mvitv2_{}", "tiny small base large"), gives="vectors", default="base"
    ),
    "PCPVT": Family(("arch",), _each("timm/twins_pcpvt_{}", "small base large"), gives="vectors"),
    "PoolFormer": Family(
        ("arch",), _each("timm/poolformer_{}", "s12 s24 s36 m36 m48"), default="s12", last=(-1, 6)
    ),
    "RegNet": Family(
        ("arch",),
        {
            "regnetx_400mf": "regnet_x_400mf",
            "regnetx_800mf": "regnet_x_800mf",
            "regnetx_1.6gf": "regnet_x_1_6gf",
            "regnetx_3.2gf": "regnet_x_3_2gf",
            "regnetx_4.0gf": "timm/regnetx_040",
            "regnetx_6.4gf": "timm/regnetx_064",
            "regnetx_8.0gf": "regnet_x_8gf",
            "regnetx_12gf": "timm/regnetx_120",
        },
    ),
    "RepVGG": Family(
        ("arch",),
        {
            **{name: f"timm/repvgg_{name.lower()}" for name in _REP_VGGS},
            "D2se": "timm/repvgg_d2se",
        },
    ),
    "Res2Net": Family(
        ("depth", "scales", "base_width", "deep_stem", "avg_down"),
        {
            (50, 4, 26, True, True): "timm/res2net50d",
            (101, 4, 26, True, True): "timm/res2net101d",
            (50, 4, 26, False, False): "timm/res2net50_26w_4s",
            (50, 8, 14, False, False): "timm/res2net50_14w_8s",
            (50, 2, 48, False, False): "timm/res2net50_48w_2s",
            (50, 6, 26, False, False): "timm/res2net50_26w_6s",
            (50, 8, 26, False, False): "timm/res2net50_26w_8s",
            (101, 4, 26, False, False): "timm/res2net101_26w_4s",
        },
        default=(50, 4, 26, True, True),
    ),
    "ResNeSt": Family(
        ("depth",),
        {50: "timm/resnest50d", 101: "timm/resnest101e", 200: "timm/resnest200e", 269: "timm/resnest269e"},
    ),
    "SEResNet": Family(
        ("depth",), {depth: f"timm/legacy_seresnet{depth}" for depth in (18, 34, 50, 101, 152)}
    ),
    "SEResNeXt": Family(("depth",), {depth: f"timm/legacy_seresnext{depth}_32x4d" for depth in (50, 101)}),
    "ShuffleNetV2": Family(
        ("widen_factor",),
        {factor: f"shufflenet_v2_x{str(factor).replace('.', '_')}" for factor in (0.5, 1.0, 1.5, 2.0)},
        default=1.0,
    ),
    "SVT": Family(("arch",), _each("timm/twins_svt_{}", "small base large"), gives="vectors"),
    "SwinTransformer": Family(
        ("arch",),
        {
            **{name: f"swin_{name[0]}" for name in ("tiny", "small", "base", "t", "s", "b")},
            **dict.fromkeys(("large", "l"), "timm/swin_large_patch4_window7_224"),
        },
        default="tiny",
        renamed={"img_size": None},
        usual={"drop_path_rate": 0.1},
    ),
    "SwinTransformerV2": Family(
        ("arch",),
        {name: f"swin_v2_{name[0]}" for name in ("tiny", "small", "base", "t", "s", "b")},
        default="tiny",
        renamed={"img_size": None},
        usual={"drop_path_rate": 0.1},
    ),
    "TNT": Family(
        ("arch",),
        {"s": "timm/tnt_s_patch16_224", "small": "timm/tnt_s_patch16_224", "b": "timm/tnt_b_patch16_224"},
        gives="vectors",
        default="b",
    ),
    "VGG": Family(
        ("depth", "norm_cfg"),
        {
            **{(depth, False): f"vgg{depth}" for depth in (11, 13, 16, 19)},
            **{(depth, True): f"vgg{depth}_bn" for depth in (11, 13, 16, 19)},
        },
        last=(-1, 4),
    ),
    "VisionTransformer": Family(
        ("arch", "patch_size"),
        _VIT,
        gives="vectors",
        default=("base", 16),
        last=(-1, 11, 23),
        renamed={"img_size": "image_size", "drop_rate": "dropout"},
    ),
}
# Names that neither library has.
ABSENT = ("Conformer", "HorNet", "RepMLPNet", "ShuffleNetV1", "T2T_ViT", "VAN", "Vig", "MicroNet")
# Arguments of the whole that both libraries' backbones here take.
_OURS = ("num_classes", "in_channels", "norm_eval", "pretrained")


def member_of(name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the network that is used for a name with its arguments, and the arguments that are left.

    Raises:
        ConfigError: the arguments choose no member of the family.
    """
    family, rest = FAMILIES[name], dict(arguments)
    defaults = family.default if isinstance(family.default, tuple) else (family.default,) * len(family.choice)
    values = [
        rest.pop(key, default) for key, default in zip(family.choice, _padded(defaults, family), strict=True)
    ]
    if "norm_cfg" in family.choice:
        values[family.choice.index("norm_cfg")] = values[family.choice.index("norm_cfg")] is not None
    if "patch_size" in family.choice and values[1] is None:
        values[1] = 16
    chosen = values[0] if len(values) == 1 else tuple(values)
    try:
        return family.members[chosen], rest
    except (KeyError, TypeError):
        given = ", ".join(f"{key}={value!r}" for key, value in zip(family.choice, values, strict=True))
        known = ", ".join(map(str, family.members))
        raise ConfigError(f"backbone '{name}' has no member with {given}; there are: {known}") from None


def _padded(defaults: tuple[Any, ...], family: Family) -> tuple[Any, ...]:
    return (*defaults, *(None,) * (len(family.choice) - len(defaults)))


def _build(name: str, arguments: dict[str, Any]) -> nn.Module:
    family = FAMILIES[name]
    member, rest = member_of(name, arguments)
    rest = {**family.usual, **rest}
    norm = arguments.get("norm_cfg")
    rest.pop("norm_cfg", None)
    if member.startswith(PREFIX) and not has_timm():
        raise ModelError(f"backbone '{name}' is {member}, and timm is not installed: {INSTALL}")
    own = {key: rest.pop(key) for key in _OURS if key in rest}
    indices = rest.pop("out_indices", -1)
    is_deepest = indices in family.last or (
        isinstance(indices, list | tuple) and set(indices) <= {*family.last}
    )
    if not is_deepest:
        kind = "TIMMBackbone" if member.startswith(PREFIX) else "TorchvisionBackbone"
        raise ConfigError(
            f"backbone '{name}' has out_indices={indices}, which only {family.last} is here; name the "
            f"network itself: dict(type='{kind}', model_name='{member.removeprefix(PREFIX)}', ...)"
        )
    _refuse_settings(name, rest)
    for old, new in family.renamed.items():
        if old in rest and (new is None or not member.startswith(PREFIX)):
            value = rest.pop(old)
            rest |= {} if new is None else {new: value}
    if member.startswith(PREFIX):
        own.pop("num_classes", None)
        timms = TIMMBackbone(
            member.removeprefix(PREFIX), gives_vectors=family.gives == "vectors", **own, **rest
        )
        return timms if norm is None else set_norms(timms, norm, f"backbone '{name}'")
    wants_maps = family.gives == "maps" and own.get("num_classes", -1) <= 0
    backbone = TorchvisionBackbone(member, out_indices=-1 if wants_maps else None, **own, **rest)
    return backbone if norm is None else set_norms(backbone, norm, f"backbone '{name}'")


def _refuse_settings(name: str, rest: dict[str, Any]) -> None:
    """Take out settings that ask for what is so anyway.

    Raises:
        ConfigError: they ask for something else.
    """
    if rest.pop("with_cp", False):
        _LOGGER.warning("backbone '%s': with_cp=True saves no memory here; only our ResNets can", name)
    check_conv_cfg(rest.pop("conv_cfg", None))
    if rest.pop("frozen_stages", -1) != -1:
        raise ConfigError(
            f"backbone '{name}' has frozen_stages, which only our ResNets count; freeze by names instead: "
            "policy.learn.freeze=dict(patterns=['backbone.network.features.0.*', ...])"
        )


def _find(name: str) -> Callable[..., nn.Module] | None:
    if name in ABSENT:
        return _absent(name)
    if name not in FAMILIES:
        return None

    def build(**arguments: Any) -> nn.Module:
        return _build(name, arguments)

    build.__name__ = build.__qualname__ = name
    build.accepts_pretrained = True  # type: ignore[attr-defined]
    return build


def _absent(name: str) -> Callable[..., nn.Module]:
    def build(**_arguments: Any) -> nn.Module:
        raise ModelError(
            f"backbone '{name}' is in neither torchvision nor timm; register your own under that name, "
            "or take another: ding-cls models lists those that there are"
        )

    build.__name__ = build.__qualname__ = name
    return build


FAMILY_BACKBONES: Library[Callable[..., Any]] = Library(
    "mmclassification, as networks of torchvision and timm", _find, lambda: sorted(FAMILIES)
)
