"""ResNet without its classifier: the maps of the whole network, what is frozen, where its strides lie."""

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import ResNetBackbone, build_model
from ding_cls.models.backbones.resnet_stages import ResNet_CIFAR, ResNetV1c, ResNetV1d, ResNeXt

IMAGES = torch.randn(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))


def copied(depth: int, **arguments: object) -> tuple[ResNetBackbone, nn.Module]:
    """Return a backbone with the weights of a whole network, and that network."""
    torch.manual_seed(0)
    whole = build_model(f"resnet{depth}", num_classes=3)
    backbone = ResNetBackbone(depth, **arguments)  # type: ignore[arg-type]
    state = {name: each for name, each in whole.state_dict().items() if name in backbone.state_dict()}
    assert set(state) == set(backbone.state_dict())
    backbone.load_state_dict(state)
    return backbone, whole


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 50])
def test_the_maps_are_those_of_the_whole_network(depth: int) -> None:
    backbone, whole = copied(depth, out_indices=(0, 1, 2, 3))
    features = whole.maxpool(whole.relu(whole.bn1(whole.conv1(IMAGES))))
    expected = []
    for stage in (whole.layer1, whole.layer2, whole.layer3, whole.layer4):
        features = stage(features)
        expected.append(features)
    found = backbone(IMAGES)
    assert isinstance(found, tuple)
    assert len(found) == 4
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert [each.shape[1] for each in found] == [
        width * (4 if depth == 50 else 1) for width in (64, 128, 256, 512)
    ]


def test_only_the_stages_asked_for_are_returned() -> None:
    backbone, _ = copied(18, out_indices=(1, 3))
    assert [each.shape[1] for each in backbone(IMAGES)] == [128, 512]
    short = ResNetBackbone(18, num_stages=2, out_indices=(1,))
    assert [each.shape[1] for each in short(IMAGES)] == [128]
    assert not any(name.startswith(("layer3", "layer4")) for name in short.state_dict())
    assert ResNetBackbone(18, in_channels=1)(IMAGES[:, :1])[0].shape == (2, 512, 2, 2)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_every_depth_has_torchvisions_names(depth: int) -> None:
    with torch.device("meta"):
        whole, backbone = build_model(f"resnet{depth}", num_classes=1000), ResNetBackbone(depth)
    expected = {name: each.shape for name, each in whole.state_dict().items() if not name.startswith("fc.")}
    assert {name: each.shape for name, each in backbone.state_dict().items()} == expected
    assert backbone.torchvision_name == f"resnet{depth}"


def test_caffe_style_has_the_stride_in_the_first_convolution() -> None:
    for style, strides in (("pytorch", [(1, 1), (2, 2)]), ("caffe", [(2, 2), (1, 1)])):
        backbone = ResNetBackbone(50, style=style)
        assert [each.stride for each in (backbone.layer2[0].conv1, backbone.layer2[0].conv2)] == strides
        assert backbone.layer2[1].conv1.stride == backbone.layer2[1].conv2.stride == (1, 1)
        assert backbone(IMAGES)[0].shape == (2, 2048, 2, 2)
    # The smaller networks have no first 1x1 convolution.
    assert ResNetBackbone(18, style="caffe").layer2[0].conv1.stride == (2, 2)


def test_blocks_begin_as_their_shortcut_unless_told_otherwise() -> None:
    assert ResNetBackbone(18).layer1[0].bn2.weight.abs().sum() == 0
    assert ResNetBackbone(18, zero_init_residual=False).layer1[0].bn2.weight.sum() == 64


@pytest.mark.parametrize("frozen_stages", [-1, 0, 1, 3, 4])
def test_frozen_stages_neither_learn_nor_count(frozen_stages: int) -> None:
    backbone = ResNetBackbone(18, frozen_stages=frozen_stages, zero_init_residual=False)
    names = ["conv1.", "bn1.", *(f"layer{number}." for number in range(1, 5))]
    frozen = tuple(names[: 2 + frozen_stages]) if frozen_stages >= 0 else ()
    before = {name: each.clone() for name, each in backbone.state_dict().items()}
    backbone.eval()
    backbone.train()
    optimizer = torch.optim.SGD(
        [each for each in backbone.parameters() if each.requires_grad] or [torch.zeros(1)], 0.1
    )
    total = backbone(IMAGES)[0].square().mean()
    if total.requires_grad:
        total.backward()
        optimizer.step()
    assert {name for name, each in backbone.named_parameters() if not each.requires_grad} == {
        name for name, _ in backbone.named_parameters() if name.startswith(frozen or "-")
    }
    same = {name for name, each in backbone.state_dict().items() if torch.equal(each, before[name])}
    assert same == {name for name in before if name.startswith(frozen or "-")}


def test_norm_eval_leaves_the_running_statistics_alone() -> None:
    backbone = ResNetBackbone(18, norm_eval=True)
    norms = [each for each in backbone.modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(norms) == 20
    for _ in range(2):
        assert backbone.training
        assert not any(each.training for each in norms)
        backbone(IMAGES)
        assert all(each.num_batches_tracked == 0 for each in norms)
        assert all(each.weight.requires_grad for each in norms)
        backbone.eval()
        backbone.train()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 20}, "ResNet has depth=20; it must be one of 18, 34, 50, 101, 152"),
        ({"depth": 18, "num_stages": 5}, "num_stages=5; it must be one of 1, 2, 3, 4"),
        ({"depth": 18, "num_stages": 2}, "out_indices=3; it must be one of 0, 1"),
        ({"depth": 18, "style": "tf"}, "style='tf'; it must be one of pytorch, caffe"),
        ({"depth": 18, "frozen_stages": 5}, "frozen_stages=5; it must be one of -1, 0, 1, 2, 3, 4"),
    ],
)
def test_a_value_that_does_not_exist_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ResNetBackbone(**arguments)  # type: ignore[arg-type]


def test_a_deep_stem_and_averaged_shortcuts_have_mmclassifications_names() -> None:
    names = set(ResNetV1d(18).state_dict())
    assert {f"stem.{number}.weight" for number in (0, 1, 3, 4, 6, 7)} <= names
    assert not any(name.startswith(("conv1.", "bn1.")) for name in names)
    # The first stage has no stride: nothing to average.
    deeper = ResNetV1d(50)
    assert {"layer1.0.downsample.0.weight", "layer2.0.downsample.1.weight"} <= set(deeper.state_dict())
    assert deeper(IMAGES)[0].shape == (2, 2048, 2, 2)
    assert isinstance(deeper.layer2[0].downsample[0], nn.AvgPool2d)
    assert {name for name in ResNetV1c(18).state_dict() if "downsample.1" in name} >= {
        "layer2.0.downsample.1.weight"
    }
    assert deeper.torchvision_name is None


def test_the_small_stem_keeps_the_size() -> None:
    backbone = ResNet_CIFAR(18, out_indices=(0, 3))
    first, last = backbone(IMAGES)
    assert first.shape == (2, 64, 48, 40)
    assert last.shape == (2, 512, 6, 5)
    assert backbone.conv1.weight.shape == (64, 3, 3, 3)
    assert backbone.torchvision_name is None
    with pytest.raises(ConfigError, match="ResNet_CIFAR has no deep stem"):
        ResNet_CIFAR(18, deep_stem=True)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{}, {"depth": 101, "width_per_group": 8}])
def test_grouped_convolutions_are_torchvisions(arguments: dict[str, int]) -> None:
    with torch.device("meta"):
        backbone = ResNeXt(**{"depth": 50, **arguments})
        whole = build_model(backbone.torchvision_name, num_classes=2)
    expected = {name: each.shape for name, each in whole.state_dict().items() if not name.startswith("fc.")}
    assert {name: each.shape for name, each in backbone.state_dict().items()} == expected
    assert backbone.layer2[0].conv2.groups == 32
    assert ResNeXt(50, width_per_group=5).torchvision_name is None
    with pytest.raises(ConfigError, match="ResNeXt has depth=18"):
        ResNeXt(18)


def test_widths_strides_and_dilations_are_as_asked() -> None:
    backbone = ResNetBackbone(
        18,
        stem_channels=16,
        base_channels=8,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        out_indices=(0, 1, 2, 3),
    )
    assert [each.shape[1:] for each in backbone(IMAGES)] == [(8, 12, 10), (16, 6, 5), (32, 6, 5), (64, 6, 5)]
    assert backbone.conv1.out_channels == 16
    assert backbone.layer4[0].conv1.dilation == (4, 4)
    assert backbone.num_features == 64
    with pytest.raises(ConfigError, match=r"strides=.* for 4 stages"):
        ResNetBackbone(18, strides=(1, 2))


def test_norms_and_convolutions_are_as_asked() -> None:
    backbone = ResNetBackbone(18, norm_cfg={"type": "GN", "num_groups": 4}, conv_cfg={"type": "Conv2d"})
    assert not any(isinstance(each, nn.BatchNorm2d) for each in backbone.modules())
    frozen = ResNetBackbone(18, norm_cfg={"type": "BN", "requires_grad": False})
    assert not frozen.layer1[0].bn1.weight.requires_grad
    with pytest.raises(ConfigError, match=r"conv_cfg is .*; there are only ordinary convolutions"):
        ResNetBackbone(18, conv_cfg={"type": "DCNv2"})


@pytest.mark.parametrize("frozen_stages", [-1, 0, 1, 3, 4])
@pytest.mark.parametrize("kind", [ResNetBackbone, ResNetV1d, ResNet_CIFAR])
def test_the_stem_and_so_many_stages_stay_to_the_last_bit(kind: type, frozen_stages: int) -> None:
    torch.manual_seed(0)
    backbone = kind(18, base_channels=4, stem_channels=4, frozen_stages=frozen_stages)
    before = {name: each.clone() for name, each in backbone.state_dict().items()}
    parameters = list(backbone.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        backbone.train()
        if frozen_stages < 4:
            optimizer.zero_grad()
            backbone(IMAGES)[0].square().mean().backward()
            optimizer.step()
        backbone.eval()
    after = backbone.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    stem = {"stem"} if kind is ResNetV1d else {"conv1", "bn1"}
    expected = {f"layer{number}" for number in range(max(frozen_stages, 0) + 1, 5)}
    assert changed == expected | (stem if frozen_stages < 0 else set())


@pytest.mark.parametrize(("depth", "expansion", "plain"), [(18, 2, 1), (50, 2, 4), (50, 1, 4)])
def test_the_expansion_widens_what_a_block_gives_alone(depth: int, expansion: int, plain: int) -> None:
    small = {"base_channels": 4, "stem_channels": 4}
    backbone = ResNetBackbone(depth, expansion=expansion, **small)  # type: ignore[arg-type]
    usual = ResNetBackbone(depth, **small)  # type: ignore[arg-type]
    assert backbone.num_features == 32 * expansion
    assert backbone(IMAGES)[0].shape[1] == 32 * expansion
    last = "conv2" if depth == 18 else "conv3"
    for number in range(1, 5):
        own, other = (each.get_submodule(f"layer{number}.1") for each in (backbone, usual))
        assert own.get_submodule(last).out_channels == 4 * 2 ** (number - 1) * expansion
        assert other.get_submodule(last).out_channels == 4 * 2 ** (number - 1) * plain
        assert own.get_submodule("conv1").out_channels == other.get_submodule("conv1").out_channels


def test_an_expansion_of_its_own_fits_no_weights_of_torchvision() -> None:
    assert ResNetBackbone(50, expansion=4).torchvision_name == "resnet50"
    assert ResNetBackbone(50, expansion=2).torchvision_name is None
    for wrong in (0, 2.0, True):
        with pytest.raises(ConfigError, match="it must be a whole number from 1 on, or None"):
            ResNetBackbone(50, expansion=wrong)  # type: ignore[arg-type]


def test_branches_are_left_out_more_often_the_deeper_they_lie() -> None:
    small = {"base_channels": 4, "stem_channels": 4, "zero_init_residual": False}
    backbone = ResNetBackbone(50, drop_path_rate=0.3, **small)  # type: ignore[arg-type]
    blocks = [
        block for number in range(1, 5) for block in backbone.get_submodule(f"layer{number}").children()
    ]
    assert [block.drop_path for block in blocks] == pytest.approx([0.3 * place / 15 for place in range(16)])
    block = blocks[-1]
    block.drop_path = 0.5  # type: ignore[assignment]
    features = torch.randn(8, 128, 2, 2).relu()
    with torch.no_grad():
        left_out = [torch.equal(*pair) for pair in zip(block(features), features, strict=True)]
        assert {True, False} == set(left_out)
        block.eval()
        assert not any(torch.equal(*pair) for pair in zip(block(features), features, strict=True))
    with pytest.raises(
        ConfigError, match=r"drop_path_rate is 1\.5; it must be a number from 0 on and below 1"
    ):
        ResNetBackbone(18, drop_path_rate=1.5)
