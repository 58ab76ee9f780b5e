"""mmclassification's networks here have as many parameters as it has published."""

from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.models import BACKBONES, build_backbone
from ding_cls.models.backbones.openmmlab_families import FAMILIES
from ding_cls.models.backbones.openmmlab_names import member_of

# Millions of parameters with 1,000 classes. Source: model zoo of mmclassification 0.25, docs/en/model_zoo.md.
PUBLISHED: list[tuple[dict[str, Any], int, float]] = [
    ({"type": "ConvMixer", "arch": "768/32", "act_cfg": {"type": "ReLU"}}, 768, 21.11),
    ({"type": "ConvNeXt", "arch": "tiny", "gap_before_final_norm": True}, 768, 28.59),
    ({"type": "CSPDarkNet", "depth": 53}, 1024, 27.64),
    ({"type": "CSPResNet", "depth": 50}, 1024, 21.62),
    ({"type": "CSPResNeXt", "depth": 50}, 2048, 20.57),
    ({"type": "DenseNet", "arch": "121"}, 1024, 7.98),
    ({"type": "EfficientNet", "arch": "b0"}, 1280, 5.29),
    ({"type": "EfficientNet", "arch": "es", "act_cfg": {"type": "ReLU"}}, 1280, 5.44),
    ({"type": "HRNet", "arch": "w18"}, 2048, 21.30),
    ({"type": "MlpMixer", "arch": "b"}, 768, 59.88),
    ({"type": "MobileNetV2"}, 1280, 3.5),
    ({"type": "MViT", "arch": "tiny"}, 768, 24.17),
    ({"type": "PCPVT", "arch": "small", "qkv_bias": True}, 512, 24.11),
    ({"type": "PoolFormer", "arch": "s12"}, 512, 11.92),
    ({"type": "RegNet", "arch": "regnetx_400mf"}, 384, 5.16),
    ({"type": "RegNet", "arch": "regnetx_800mf"}, 672, 7.26),
    ({"type": "RegNet", "arch": "regnetx_1.6gf"}, 912, 9.19),
    ({"type": "RegNet", "arch": "regnetx_3.2gf"}, 1008, 15.3),
    ({"type": "RepVGG", "arch": "A0"}, 1280, 9.11),
    ({"type": "RepVGG", "arch": "A0", "deploy": True}, 1280, 8.31),
    ({"type": "RepVGG", "arch": "B1g2"}, 2048, 45.78),
    ({"type": "RepVGG", "arch": "B1g2", "deploy": True}, 2048, 41.36),
    (
        {
            "type": "Res2Net",
            "depth": 50,
            "scales": 8,
            "base_width": 14,
            "deep_stem": False,
            "avg_down": False,
        },
        2048,
        25.06,
    ),
    ({"type": "ResNeSt", "depth": 50}, 2048, 27.48),
    ({"type": "ResNeSt", "depth": 101, "stem_channels": 128}, 2048, 48.28),
    ({"type": "SEResNet", "depth": 50}, 2048, 28.09),
    ({"type": "SEResNeXt", "depth": 50}, 2048, 27.56),
    ({"type": "ShuffleNetV2"}, 1024, 2.28),
    ({"type": "SVT", "arch": "small", "norm_after_stage": [False, False, False, True]}, 512, 24.06),
    ({"type": "SwinTransformer", "arch": "tiny"}, 768, 28.29),
    (
        {"type": "SwinTransformer", "arch": "base", "stage_cfgs": {"block_cfgs": {"window_size": 12}}},
        1024,
        87.90,
    ),
    ({"type": "SwinTransformerV2", "arch": "tiny"}, 768, 28.35),
    ({"type": "SwinTransformerV2", "arch": "tiny", "window_size": [16, 16, 16, 8]}, 768, 28.35),
    ({"type": "TNT", "arch": "s"}, 384, 23.76),
    ({"type": "VisionTransformer", "arch": "deit-tiny"}, 192, 5.72),
]


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "channels", "millions"), PUBLISHED)
def test_a_network_has_the_published_number_of_parameters(
    backbone: dict[str, Any], channels: int, millions: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    for name in ("normal_", "trunc_normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_"):
        # Numbers are counted, not looked at.
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    found = build_backbone(backbone)
    assert found.num_features == channels
    count = sum(each.numel() for each in found.parameters()) + 1000 * (channels + 1)
    assert count / 1e6 == pytest.approx(millions, abs=0.006)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (
            {"type": "SEResNet", "depth": 50, "style": "caffe"},
            "has style='caffe'; timm/seresnet50, which it is",
        ),
        ({"type": "SEResNeXt", "depth": 50, "groups": 64}, "has groups=64; timm/seresnext50_32x4d"),
        ({"type": "SEResNet", "depth": 50, "se_ratio": 8}, "has se_ratio=8"),
        ({"type": "TNT", "arch": "s", "qkv_bias": True}, "has qkv_bias=True"),
        ({"type": "SVT", "arch": "small", "norm_after_stage": [True] * 4}, "has norm_after_stage="),
        ({"type": "ConvNeXt", "gap_before_final_norm": False}, "has gap_before_final_norm=False"),
        (
            {"type": "ConvMixer", "act_cfg": {"type": "GELU"}},
            "convmixer_768_32, which it is here, has ReLU",
        ),
        (
            {"type": "EfficientNet", "act_cfg": {"type": "ReLU"}},
            "efficientnet_b0, which it is here, has Swish",
        ),
        (
            {"type": "SwinTransformer", "stage_cfgs": {"block_cfgs": {"window_size": 12}}},
            "window_size=12; there",
        ),
        ({"type": "SwinTransformerV2", "arch": "large"}, "no member with arch='large', window_size=8"),
        (
            {"type": "SwinTransformerV2", "window_size": [16, 16, 8, 8]},
            "no member with arch='tiny', window_size=",
        ),
        ({"type": "MViT", "arch": "large"}, "no member with arch='large', dim_mul_in_attention=True"),
        ({"type": "PoolFormer", "arch": {"layers": [1, 1, 1, 1]}}, "no member with arch={'layers'"),
        (
            {"type": "MobileNetV2", "reduction": 4},
            "cannot be built with reduction=4: mobilenet_v2, which it is",
        ),
        ({"type": "SEResNet", "depth": 50, "ratio": 4}, "cannot be built with ratio=4: timm/seresnet50"),
        (
            {"type": "MobileNetV3", "widen_factor": 0.5},
            "cannot be built with widen_factor=0.5: mobilenet_v3_",
        ),
        ({"type": "ConvNeXt", "use_grn": True}, "cannot be built with use_grn=True: convnext_tiny"),
    ],
)
def test_an_argument_that_the_network_has_otherwise_is_refused(
    backbone: dict[str, Any], message: str
) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match=message):
        build_backbone(backbone)


@pytest.mark.parametrize(
    ("name", "arguments", "member"),
    [
        ("SEResNet", {"depth": 101}, "timm/seresnet101"),
        ("SwinTransformer", {"arch": "Base", "window_size": 12}, "timm/swin_base_patch4_window12_384"),
        ("SwinTransformerV2", {"arch": "b", "window_size": [8, 8, 8, 8]}, "swin_v2_b"),
        ("VisionTransformer", {"arch": "DEIT-TINY"}, "timm/deit_tiny_patch16_224"),
        ("MViT", {"arch": "large", "dim_mul_in_attention": False}, "timm/mvitv2_large"),
        ("VisionTransformer", {"arch": "b", "drop_path_rate": 0.0}, "vit_b_16"),
        ("VisionTransformer", {"arch": "b", "drop_path_rate": 0.1}, "timm/vit_base_patch16_224"),
    ],
)
def test_arguments_choose_the_member(name: str, arguments: dict[str, Any], member: str) -> None:
    assert member_of(name, arguments)[0] == member


def test_what_is_fixed_is_no_choice() -> None:
    assert all(set(family.fixed).isdisjoint(family.choice) for family in FAMILIES.values())
    assert all(name in BACKBONES for name in FAMILIES)
