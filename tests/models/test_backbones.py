"""ResNet without its classifier: the maps of the whole network, what is frozen, where its strides lie."""

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import ResNetBackbone, build_model

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
