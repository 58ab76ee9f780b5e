"""mmclassification's names of backbones, each with the network of torchvision or timm used for it.

Those that we write ourselves (``ResNet`` and its kin, ``LeNet5``, ``TIMMBackbone``) are registered by their
classes. This is plain data; what is done with it is in ``openmmlab_names``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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
        renamed: further arguments, and torchvision's names of them; None: without effect, because the network
            takes any.
        renamed_in_timm: further arguments, and timm's names of them.
        usual: arguments whose values, where they are not given, are mmclassification's and not the library's.
        fixed: arguments that the networks here have one value of.
        with_drop_path: torchvision's members without stochastic depth, and timm's of the same networks.
        activation: mmclassification's, where ``act_cfg`` is not given; None: there is no such argument.
        activations: of members that have no other.
    """

    choice: tuple[str, ...]
    members: Mapping[Any, str]
    gives: Gives = "maps"
    default: Any = None
    last: tuple[int, ...] = (-1, 3)
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    renamed_in_timm: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    with_drop_path: Mapping[str, str] = field(default_factory=dict)
    activation: str | None = None
    activations: Mapping[str, str] = field(default_factory=dict)


def _each(pattern: str, values: str) -> dict[Any, str]:
    return {value: pattern.format(value) for value in values.split()}


_STAGES = {"num_stages": 4, "strides": (1, 2, 2, 2), "dilations": (1, 1, 1, 1)}
_RESNETS = {**_STAGES, "stem_channels": 64, "base_channels": 64, "zero_init_residual": True}
_SE_RESNETS = {**_RESNETS, "deep_stem": False, "avg_down": False, "se_ratio": 16}
_TWINS = {
    "qkv_bias": True,
    "norm_after_stage": (False, False, False, True),
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
}
_VITS = {
    "qkv_bias": True,
    "final_norm": True,
    "with_cls_token": True,
    "output_cls_token": True,
    "interpolate_mode": "bicubic",
    "pre_norm": False,
    "patch_cfg": {},
    "layer_cfgs": {},
}
_SWINS = {
    "use_abs_pos_embed": False,
    "interpolate_mode": "bicubic",
    "drop_rate": 0.0,
    "out_after_downsample": False,
    "pad_small_map": False,
    "patch_cfg": {},
    "stage_cfgs": {},
}
_BLOCK_DROPOUT = {"drop_rate": ("pos_drop_rate", "proj_drop_rate")}
_SIZES = {"tiny": "t", "small": "s", "base": "b", "large": "l"}
_W16, _W24, _FROM_W12 = (16, 16, 16, 8), (24, 24, 24, 12), (12, 12, 12, 6)


def _both(size: str) -> tuple[str, str]:
    return size, _SIZES[size]


_SWIN: dict[Any, str] = {
    **{(name, 7): f"swin_{size[0]}" for size in ("tiny", "small", "base") for name in _both(size)},
    **{(name, 7): "timm/swin_large_patch4_window7_224" for name in _both("large")},
    **{
        (name, 12): f"timm/swin_{size}_patch4_window12_384"
        for size in ("base", "large")
        for name in _both(size)
    },
}
_SWIN_V2: dict[Any, str] = {
    **{(name, 8, 0): f"swin_v2_{size[0]}" for size in ("tiny", "small", "base") for name in _both(size)},
    **{
        (name, _W16, 0): f"timm/swinv2_{size}_window16_256"
        for size in ("tiny", "small", "base")
        for name in _both(size)
    },
    **{
        (name, window, _FROM_W12): f"timm/swinv2_{size}_window12to{ending}"
        for size in ("base", "large")
        for name in _both(size)
        for window, ending in ((_W16, "16_192to256"), (_W24, "24_192to384"))
    },
}

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
        activation="GELU",
        activations={"timm/convmixer_768_32": "ReLU"},
    ),
    "ConvNeXt": Family(
        ("arch",),
        {**_each("convnext_{}", "tiny small base large"), "xlarge": "timm/convnext_xlarge"},
        gives="vectors",
        default="tiny",
        renamed={"layer_scale_init_value": "layer_scale"},
        renamed_in_timm={"layer_scale_init_value": ("ls_init_value",)},
        usual={"drop_path_rate": 0.0},
        fixed={"gap_before_final_norm": True, "linear_pw_conv": True, "stem_patch_size": 4},
        activation="GELU",
    ),
    "CSPDarkNet": Family(("depth",), {53: "timm/cspdarknet53"}, last=(-1, 4)),
    "CSPResNet": Family(("depth",), {50: "timm/cspresnet50"}),
    "CSPResNeXt": Family(("depth",), {50: "timm/cspresnext50"}),
    "DenseNet": Family(("arch",), _each("densenet{}", "121 161 169 201"), default="121"),
    "DistilledVisionTransformer": Family(
        ("arch",),
        _DISTILLED,
        gives="vectors",
        default="deit-base",
        last=(-1, 11),
        renamed_in_timm=_BLOCK_DROPOUT,
        fixed={**_VITS, "num_extra_tokens": 2},
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
        activation="Swish",
    ),
    "HRNet": Family(
        ("arch",),
        _each("timm/hrnet_{}", "w18 w30 w32 w40 w44 w48 w64"),
        default="w32",
        fixed={"multiscale_output": True, "zero_init_residual": False},
    ),
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
        renamed_in_timm={"drop_rate": ("proj_drop_rate",)},
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
        ("arch", "dim_mul_in_attention"),
        {
            **{(size, True): f"timm/mvitv2_{size}" for size in ("tiny", "small", "base")},
            ("large", False): "timm/mvitv2_large",
        },
        gives="vectors",
        default=("base", True),
    ),
    "PCPVT": Family(
        ("arch",), _each("timm/twins_pcpvt_{}", "small base large"), gives="vectors", fixed=_TWINS
    ),
    "PoolFormer": Family(
        ("arch",), _each("timm/poolformer_{}", "s12 s24 s36 m36 m48"), default="s12", last=(-1, 6)
    ),
    "RegNet": Family(
        ("arch",),
        {
            "regnetx_400mf": "timm/regnetx_004",
            "regnetx_800mf": "regnet_x_800mf",
            "regnetx_1.6gf": "regnet_x_1_6gf",
            "regnetx_3.2gf": "regnet_x_3_2gf",
            "regnetx_4.0gf": "timm/regnetx_040",
            "regnetx_6.4gf": "timm/regnetx_064",
            "regnetx_8.0gf": "regnet_x_8gf",
            "regnetx_12gf": "timm/regnetx_120",
        },
        fixed={"stem_channels": 32, "base_channels": 32, "strides": (2, 2, 2, 2), "style": "pytorch"},
    ),
    "RepVGG": Family(
        ("arch",),
        {
            **{name: f"timm/repvgg_{name.lower()}" for name in _REP_VGGS},
            # With blocks of its own; see openmmlab_networks.
            "B1g2": "timm/repvgg_b1",
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
        fixed={**_RESNETS, "style": "pytorch"},
    ),
    "ResNeSt": Family(
        ("depth",),
        {50: "timm/resnest50d", 101: "timm/resnest101e", 200: "timm/resnest200e", 269: "timm/resnest269e"},
        usual={"stem_channels": 64},
        fixed={
            **_STAGES,
            "style": "pytorch",
            "base_channels": 64,
            "groups": 1,
            "width_per_group": 4,
            "radix": 2,
            "reduction_factor": 4,
            "avg_down_stride": True,
            "deep_stem": True,
            "avg_down": True,
        },
    ),
    "SEResNet": Family(
        ("depth",),
        {depth: f"timm/seresnet{depth}" for depth in (18, 34, 50, 101, 152)},
        fixed={**_SE_RESNETS, "style": "pytorch"},
    ),
    "SEResNeXt": Family(
        ("depth",),
        {depth: f"timm/seresnext{depth}_32x4d" for depth in (50, 101)},
        fixed={**_SE_RESNETS, "style": "pytorch", "groups": 32, "width_per_group": 4},
    ),
    "ShuffleNetV2": Family(
        ("widen_factor",),
        {factor: f"shufflenet_v2_x{str(factor).replace('.', '_')}" for factor in (0.5, 1.0, 1.5, 2.0)},
        default=1.0,
    ),
    "SVT": Family(("arch",), _each("timm/twins_svt_{}", "small base large"), gives="vectors", fixed=_TWINS),
    "SwinTransformer": Family(
        ("arch", "window_size"),
        _SWIN,
        default=("tiny", 7),
        renamed={"img_size": None},
        usual={"drop_path_rate": 0.1},
        fixed=_SWINS,
    ),
    "SwinTransformerV2": Family(
        ("arch", "window_size", "pretrained_window_sizes"),
        _SWIN_V2,
        default=("tiny", 8, 0),
        renamed={"img_size": None},
        usual={"drop_path_rate": 0.1},
        fixed=_SWINS,
    ),
    "TNT": Family(
        ("arch",),
        {
            **dict.fromkeys(("s", "small"), "timm/tnt_s_legacy_patch16_224"),
            **dict.fromkeys(("b", "base"), "timm/tnt_b_patch16_224"),
        },
        gives="vectors",
        default="b",
        # timm's other form has a wider normalization in each layer.
        usual={"legacy": True},
        fixed={
            "ffn_ratio": 4,
            "qkv_bias": False,
            "drop_rate": 0.0,
            "attn_drop_rate": 0.0,
            "first_stride": 4,
            "num_fcs": 2,
            "act_cfg": {"type": "GELU"},
        },
    ),
    "VGG": Family(
        ("depth", "norm_cfg"),
        {
            **{(depth, False): f"vgg{depth}" for depth in (11, 13, 16, 19)},
            **{(depth, True): f"vgg{depth}_bn" for depth in (11, 13, 16, 19)},
        },
        last=(-1, 4),
        fixed={"num_stages": 5, "dilations": (1, 1, 1, 1, 1), "ceil_mode": False, "with_last_pool": True},
    ),
    "VisionTransformer": Family(
        ("arch", "patch_size"),
        _VIT,
        gives="vectors",
        default=("base", 16),
        last=(-1, 11, 23),
        renamed={"img_size": "image_size", "drop_rate": "dropout"},
        renamed_in_timm=_BLOCK_DROPOUT,
        with_drop_path={
            "vit_b_16": "timm/vit_base_patch16_224",
            "vit_b_32": "timm/vit_base_patch32_224",
            "vit_l_16": "timm/vit_large_patch16_224",
            "vit_l_32": "timm/vit_large_patch32_224",
            "vit_h_14": "timm/vit_huge_patch14_224",
        },
        fixed=_VITS,
    ),
}
# Names that neither library has, and what comes nearest.
ABSENT = {
    "Conformer": "dict(type='VisionTransformer', arch='deit-small')",
    "HorNet": "dict(type='ConvNeXt')",
    "RepMLPNet": "dict(type='MlpMixer')",
    "ShuffleNetV1": "dict(type='ShuffleNetV2')",
    "T2T_ViT": "dict(type='VisionTransformer', arch='deit-small')",
    "VAN": "dict(type='ConvNeXt')",
    "Vig": "dict(type='VisionTransformer', arch='deit-small')",
    "MicroNet": "dict(type='MobileNetV3', arch='small_050')",
}
