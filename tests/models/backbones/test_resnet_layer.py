"""A stage of a ResNet, and what a subclass of the backbone may replace."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ding_cls.models import (
    BasicBlock,
    Bottleneck,
    ResLayer,
    ResNetBackbone,
    build_conv_layer,
    build_norm_layer,
)

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class SmallStem(ResNetBackbone):
    """A backbone for small images, written as mmclassification's document writes its own."""

    def __init__(self, depth: int, deep_stem: bool = False, **kwargs: Any) -> None:
        super().__init__(depth, deep_stem=deep_stem, **kwargs)
        assert not self.deep_stem

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        self.conv1 = build_conv_layer(
            self.conv_cfg, in_channels, stem_channels, kernel_size=3, stride=1, padding=1, bias=False
        )
        self.norm1_name, norm1 = build_norm_layer(self.norm_cfg, stem_channels, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.relu(self.norm1(self.conv1(x)))
        outs = []
        for number, layer_name in enumerate(self.res_layers):
            x = getattr(self, layer_name)(x)
            if number in self.out_indices:
                outs.append(x)
        return tuple(outs)


class Plain(nn.Module):
    """A block of one's own."""

    expansion = 2

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, downsample: Any = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + (x if self.downsample is None else self.downsample(x))


@pytest.mark.parametrize(("norm_cfg", "name"), [(None, "bn1"), ({"type": "GN", "num_groups": 8}, "gn1")])
def test_a_subclass_replaces_the_stem_and_the_walk_through_the_stages(norm_cfg: Any, name: str) -> None:
    torch.manual_seed(0)
    network = SmallStem(18, out_indices=(0, 3), norm_cfg=norm_cfg, frozen_stages=1)
    shallow, deep = network(IMAGES)
    assert (shallow.shape, deep.shape) == ((2, 64, 32, 32), (2, 512, 4, 4))
    assert network.norm1 is getattr(network, name)
    assert network.torchvision_name is None
    trained = {each for each, parameter in network.named_parameters() if parameter.requires_grad}
    assert not {each for each in trained if each.startswith(("conv1", name, "layer1"))}
    assert any(each.startswith("layer2") for each in trained)


def test_a_subclass_sets_its_own_blocks_and_depths() -> None:
    class Mine(ResNetBackbone):
        arch_settings = {6: (Plain, (1, 1, 2, 1))}

    network = Mine(6)
    assert [len(each) for each in (network.layer1, network.layer2, network.layer3)] == [1, 1, 2]
    assert network(IMAGES)[0].shape == (2, 1024, 1, 1)
    assert (network.feat_dim, network.torchvision_name) == (1024, None)


def test_a_subclass_makes_a_stage_with_arguments_of_its_own() -> None:
    class Grouped(ResNetBackbone):
        def make_res_layer(self, **kwargs: Any) -> nn.Sequential:
            return ResLayer(groups=32, width_per_group=4, base_channels=self.base_channels, **kwargs)

    network = Grouped(50, num_stages=2, out_indices=(1,))
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d) and each.groups > 1]
    assert len(convolutions) == 7
    assert convolutions[0].weight.shape == (128, 4, 3, 3)


@pytest.mark.parametrize(("block", "channels"), [(BasicBlock, 64), (Bottleneck, 256)])
def test_a_stage_by_itself(block: type[nn.Module], channels: int) -> None:
    stage = ResLayer(block, 2, 64, channels, stride=2)
    assert stage(torch.randn(2, 64, 8, 8)).shape == (2, channels, 4, 4)
    assert (stage[0].downsample is None, stage[1].downsample is None) == (False, True)


def test_the_names_of_what_it_was_built_with_are_kept() -> None:
    network = ResNetBackbone(18, base_channels=32, strides=(1, 2, 2, 1), zero_init_residual=False)
    kept = {"depth": 18, "base_channels": 32, "stem_channels": 64, "num_stages": 4, "style": "pytorch"}
    assert {name: getattr(network, name) for name in kept} == kept
    assert (network.block, network.stage_blocks, network.expansion) == (BasicBlock, (2, 2, 2, 2), 1)
    assert network.norm_cfg == {"type": "BN"}
