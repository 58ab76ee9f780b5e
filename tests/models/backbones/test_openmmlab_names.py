"""mmclassification's names of backbones: each resolves, or the error says what there is."""

from typing import Any

import pytest
import torch
from torchvision.ops import StochasticDepth

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import BACKBONES, build_backbone
from ding_cls.models.backbones.openmmlab_families import ABSENT, FAMILIES
from ding_cls.models.backbones.openmmlab_names import member_of
from ding_cls.models.backbones.timm import TIMMBackbone
from ding_cls.models.backbones.torchvision import TorchvisionBackbone, torchvision_names

pytestmark = pytest.mark.slow

# mmclassification's modules of backbones, and the class that each brings.
MODULES = {
    "alexnet": "AlexNet",
    "conformer": "Conformer",
    "convmixer": "ConvMixer",
    "convnext": "ConvNeXt",
    "cspnet": "CSPDarkNet",
    "deit": "DistilledVisionTransformer",
    "densenet": "DenseNet",
    "efficientformer": "EfficientFormer",
    "efficientnet": "EfficientNet",
    "hornet": "HorNet",
    "hrnet": "HRNet",
    "lenet": "LeNet5",
    "mlp_mixer": "MlpMixer",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3",
    "mvit": "MViT",
    "poolformer": "PoolFormer",
    "regnet": "RegNet",
    "repmlp": "RepMLPNet",
    "repvgg": "RepVGG",
    "res2net": "Res2Net",
    "resnest": "ResNeSt",
    "resnet": "ResNet",
    "resnet_cifar": "ResNet_CIFAR",
    "resnext": "ResNeXt",
    "seresnet": "SEResNet",
    "seresnext": "SEResNeXt",
    "shufflenet_v1": "ShuffleNetV1",
    "shufflenet_v2": "ShuffleNetV2",
    "swin_transformer": "SwinTransformer",
    "swin_transformer_v2": "SwinTransformerV2",
    "t2t_vit": "T2T_ViT",
    "timm": "TIMMBackbone",
    "tnt": "TNT",
    "twins": "PCPVT",
    "van": "VAN",
    "vgg": "VGG",
    "vision_transformer": "VisionTransformer",
}
IMAGES = torch.zeros(1, 3, 224, 224)


def first_member(name: str) -> dict[str, Any]:
    family = FAMILIES[name]
    chosen = next(iter(family.members))
    values = chosen if isinstance(chosen, tuple) else (chosen,)
    arguments = dict(zip(family.choice, values, strict=True))
    return {key: value for key, value in arguments.items() if value is not False}


def test_every_name_is_known() -> None:
    assert len(MODULES) == 38
    assert [name for name in MODULES.values() if name not in BACKBONES] == []
    assert len(FAMILIES) == 31
    assert not set(ABSENT) & set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_member_is_a_network_of_its_library(name: str) -> None:
    timm = pytest.importorskip("timm")
    known = set(timm.list_models())
    for member in FAMILIES[name].members.values():
        library = known if member.startswith("timm/") else torchvision_names()
        assert member.removeprefix("timm/") in library


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_maps_or_vectors(name: str) -> None:
    pytest.importorskip("timm")
    backbone = build_backbone({"type": name, **first_member(name)}).eval()
    with torch.no_grad():
        *_, found = backbone(IMAGES)
    assert found.dim() == {"maps": 4, "vectors": 2}[FAMILIES[name].gives]
    assert found.shape[1] == backbone.num_features


@pytest.mark.parametrize("name", ABSENT)
def test_a_name_that_neither_library_has_says_so(name: str) -> None:
    with pytest.raises(ModelError, match=f"backbone '{name}' is in neither torchvision nor timm; register"):
        build_backbone({"type": name, "arch": "tiny"})


@pytest.mark.parametrize(
    ("name", "arguments", "member"),
    [
        ("VGG", {"depth": 16}, "vgg16"),
        ("VGG", {"depth": 16, "norm_cfg": {"type": "BN"}}, "vgg16_bn"),
        ("MobileNetV3", {"arch": "large"}, "mobilenet_v3_large"),
        ("VisionTransformer", {"arch": "l", "patch_size": 32}, "vit_l_32"),
        ("VisionTransformer", {"arch": "h", "patch_size": 14}, "vit_h_14"),
        ("VisionTransformer", {"arch": "deit-small"}, "timm/deit_small_patch16_224"),
        ("RegNet", {"arch": "regnetx_3.2gf"}, "regnet_x_3_2gf"),
        ("RegNet", {"arch": "regnetx_12gf"}, "timm/regnetx_120"),
        ("ShuffleNetV2", {"widen_factor": 1.5}, "shufflenet_v2_x1_5"),
        ("Res2Net", {"depth": 101}, "timm/res2net101d"),
        ("Res2Net", {"depth": 101, "deep_stem": False, "avg_down": False}, "timm/res2net101_26w_4s"),
        ("EfficientNet", {"arch": "b7"}, "efficientnet_b7"),
        ("SwinTransformer", {"arch": "large"}, "timm/swin_large_patch4_window7_224"),
        ("AlexNet", {}, "alexnet"),
    ],
)
def test_arguments_choose_the_member(name: str, arguments: dict[str, Any], member: str) -> None:
    assert member_of(name, arguments)[0] == member


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            {"type": "VGG", "depth": 12},
            "backbone 'VGG' has no member with depth=12, norm_cfg=False; there are",
        ),
        ({"type": "RegNet"}, "backbone 'RegNet' has no member with arch=None"),
        ({"type": "MobileNetV3", "arch": ["small"]}, "backbone 'MobileNetV3' has no member"),
        (
            {"type": "MobileNetV2", "out_indices": (2, 4)},
            r"out_indices=\(2, 4\), .* dict\(type='TorchvisionBackbone', model_name='mobilenet_v2'",
        ),
        ({"type": "MobileNetV2", "frozen_stages": 2}, "freeze by names instead: policy.learn.freeze"),
        ({"type": "MobileNetV2", "norm_cfg": {"type": "GN"}}, "it has BatchNorm: leave it out"),
        ({"type": "MobileNetV2", "conv_cfg": {"type": "DCN"}}, "there are only ordinary convolutions"),
        ({"type": "MobileNetV2", "act_cfg": {"type": "ReLU"}}, "cannot be built with"),
        ({"type": "MobileNetv2x"}, "there is no backbone named 'MobileNetv2x'; did you mean MobileNetV2"),
    ],
)
def test_what_does_not_exist_is_named(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ModelError), match=message):
        build_backbone(cfg)


def test_arguments_reach_the_network_by_its_own_names() -> None:
    backbone = build_backbone(
        {"type": "MobileNetV2", "widen_factor": 0.5, "out_indices": (7,), "with_cp": True}
    )
    assert isinstance(backbone, TorchvisionBackbone)
    assert backbone(IMAGES)[0].shape == (1, 1280, 7, 7)
    assert backbone.state_dict()["network.features.1.conv.0.0.weight"].shape[0] == 16
    whole = build_backbone({"type": "AlexNet", "num_classes": 5})
    assert whole(IMAGES)[0].shape == (1, 5)
    gray = build_backbone({"type": "ShuffleNetV2", "in_channels": 1, "norm_cfg": {"type": "SyncBN"}})
    assert gray(IMAGES[:, :1])[0].shape == (1, 1024, 7, 7)


def test_timm_stands_in_where_torchvision_has_none() -> None:
    pytest.importorskip("timm")
    backbone = build_backbone({"type": "MobileNetV3", "arch": "small_050", "norm_eval": True})
    assert isinstance(backbone, TIMMBackbone)
    assert backbone.timm_name == "mobilenetv3_small_050"


def norms_of(backbone: torch.nn.Module) -> set[tuple[str, float, float, bool]]:
    norms = [each for each in backbone.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
    return {
        (type(each).__name__, each.eps, each.momentum or 0.0, each.weight.requires_grad) for each in norms
    }


@pytest.mark.slow
def test_what_norm_cfg_says_reaches_the_layers() -> None:
    cfg = {"type": "BN", "eps": 0.5, "momentum": 0.7, "requires_grad": False}
    for backbone in ({"type": "MobileNetV2"}, {"type": "VGG", "depth": 11}):
        assert norms_of(build_backbone({**backbone, "norm_cfg": cfg})) == {("BatchNorm2d", 0.5, 0.7, False)}
    synchronised = build_backbone({"type": "ShuffleNetV2", "norm_cfg": {"type": "SyncBN"}})
    assert {name for name, *_ in norms_of(synchronised)} == {"SyncBatchNorm"}
    swin = build_backbone({"type": "SwinTransformer", "norm_cfg": {"type": "LN", "eps": 0.5}})
    assert {each.eps for each in swin.modules() if isinstance(each, torch.nn.LayerNorm)} == {0.5}


def test_synchronised_layers_of_timm_keep_their_activation() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    plain = build_backbone({"type": "MobileNetV3", "arch": "small_050"}).eval()
    torch.manual_seed(0)
    found = build_backbone(
        {"type": "MobileNetV3", "arch": "small_050", "norm_cfg": {"type": "SyncBN"}}
    ).eval()
    assert any(isinstance(each, torch.nn.SyncBatchNorm) for each in found.modules())
    assert torch.equal(found(IMAGES[..., :32, :32])[0], plain(IMAGES[..., :32, :32])[0])


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            {"type": "VGG", "depth": 11, "norm_cfg": {"type": "GN", "num_groups": 2}},
            "it has BatchNorm: leave",
        ),
        ({"type": "SwinTransformer", "norm_cfg": {"type": "BN"}}, "it has LayerNorm: leave it out"),
        (
            {"type": "MobileNetV2", "norm_cfg": {"type": "BN", "epsilon": 1}},
            "epsilon in its norm_cfg; of BN it takes",
        ),
        ({"type": "Res2Net", "deep_stem": True, "avg_down": False}, "no member with depth=50, scales=4"),
    ],
)
def test_what_the_network_has_otherwise_is_refused(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(cfg)


@pytest.mark.parametrize(
    ("backbone", "is_random"),
    [
        ({"type": "SwinTransformer"}, True),
        ({"type": "SwinTransformer", "drop_path_rate": 0.0}, False),
        pytest.param(
            {"type": "SwinTransformerV2", "arch": "tiny", "drop_path_rate": 0.5}, True, marks=pytest.mark.slow
        ),
        ({"type": "ConvNeXt"}, False),
        ({"type": "ConvNeXt", "drop_path_rate": 0.5}, True),
    ],
)
def test_stochastic_depth_is_mmclassifications(backbone: dict[str, Any], is_random: bool) -> None:
    found = build_backbone(backbone).train()
    with torch.no_grad():
        images = torch.rand(1, 3, 64, 64)
        first, second = found(images)[0], found(images)[0]
    assert torch.equal(first, second) is not is_random


def test_stochastic_depth_grows_evenly() -> None:
    for rate in (0.0, 0.3):
        backbone = TorchvisionBackbone("efficientnet_b0", drop_path_rate=rate)
        depths = [each.p for each in backbone.modules() if isinstance(each, StochasticDepth)]
        assert depths == pytest.approx([rate * place / 15 for place in range(16)])
    with pytest.raises(ModelError, match=r"alexnet has no stochastic depth; leave out drop_path_rate=0\.1"):
        TorchvisionBackbone("alexnet", drop_path_rate=0.1)


def test_memory_that_cannot_be_saved_is_told(caplog: pytest.LogCaptureFixture) -> None:
    build_backbone({"type": "ShuffleNetV2", "with_cp": True})
    assert "backbone 'ShuffleNetV2': with_cp=True saves no memory here" in caplog.text
