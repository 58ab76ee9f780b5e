"""ResNet in its v1.5 form, written to be read; its weights interchange with torchvision's of the same name.

It knows nothing but torch and torchvision. Submodules are created and initialised in torchvision's order, so
that the same seed gives the same initial values too.

Source: Deep Residual Learning for Image Recognition, He et al. 2015, table 1 (arXiv:1512.03385). Deviation
(v1.5): the stride of a bottleneck is in its 3x3 convolution instead of its first 1x1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torchvision.ops import stochastic_depth


@dataclass(frozen=True, slots=True)
class Details:
    """How blocks differ from the ordinary ones.

    Attributes:
        norm: makes the normalization of a number of channels.
        dilation: of the 3x3 convolutions.
        groups: of a bottleneck's 3x3 convolution.
        widening: factor of the channels inside a bottleneck.
        expansion: channels of the output for each of ``width``; None: 1, of a bottleneck 4.
        strides_first: a bottleneck has its stride in its first 1x1 convolution.
        averages_shortcut: a shortcut with a stride takes the mean over it, then a 1x1 convolution.
        drop_path: probability of a block's branch to be left out of a sample in training.
    """

    norm: Callable[[int], nn.Module] = nn.BatchNorm2d
    dilation: int = 1
    groups: int = 1
    widening: float = 1.0
    expansion: int | None = None
    strides_first: bool = False
    averages_shortcut: bool = False
    drop_path: float = 0.0

    def out_channels(self, width: int, block: "type[BasicBlock] | type[Bottleneck]") -> int:
        """Return the channels of a block's output."""
        return width * (self.expansion or block.expansion)


PLAIN = Details()


def conv3x3(
    in_channels: int, out_channels: int, stride: int = 1, *, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a 3x3 convolution without bias that keeps the size, divided by ``stride``."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        dilation=dilation,
        groups=groups,
        bias=False,
    )


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: the block of ResNet-18 and -34.

    Args:
        in_channels: channels of the input.
        width: channels inside; the output has as many, or ``expansion`` times as many.
        stride: of the first convolution.
        downsample: brings the shortcut to the output's shape, where that differs from the input's.
        details: what else differs from the ordinary block.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        downsample: nn.Module | None,
        details: Details = PLAIN,
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width, stride, dilation=details.dilation)
        self.bn1 = details.norm(width)
        self.relu = nn.ReLU(inplace=True)
        out_channels = details.out_channels(width, type(self))
        self.conv2 = conv3x3(width, out_channels)
        self.bn2 = details.norm(out_channels)
        self.downsample = downsample
        self.drop_path = details.drop_path

    def forward(self, features: Tensor) -> Tensor:
        """Return relu(branch + shortcut), ``(N, expansion * width, H / stride, W / stride)``."""
        shortcut = features if self.downsample is None else self.downsample(features)
        branch = self.relu(self.bn1(self.conv1(features)))
        branch = stochastic_depth(self.bn2(self.conv2(branch)), self.drop_path, "row", self.training)
        branch += shortcut
        activated: Tensor = self.relu(branch)
        return activated


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, around a shortcut: the block of ResNet-50, -101 and -152.

    Args:
        in_channels: channels of the input.
        width: channels inside; the output has four, or ``expansion``, times as many.
        stride: of the 3x3 convolution.
        downsample: brings the shortcut to the output's shape, where that differs from the input's.
        details: what else differs from the ordinary block.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        downsample: nn.Module | None,
        details: Details = PLAIN,
    ) -> None:
        super().__init__()
        inner = int(width * details.widening)
        first, second = (stride, 1) if details.strides_first else (1, stride)
        self.conv1 = conv1x1(in_channels, inner, first)
        self.bn1 = details.norm(inner)
        self.conv2 = conv3x3(inner, inner, second, dilation=details.dilation, groups=details.groups)
        self.bn2 = details.norm(inner)
        out_channels = details.out_channels(width, type(self))
        self.conv3 = conv1x1(inner, out_channels)
        self.bn3 = details.norm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.drop_path = details.drop_path

    def forward(self, features: Tensor) -> Tensor:
        """Return relu(branch + shortcut), ``(N, expansion * width, H / stride, W / stride)``."""
        shortcut = features if self.downsample is None else self.downsample(features)
        branch = self.relu(self.bn1(self.conv1(features)))
        branch = self.relu(self.bn2(self.conv2(branch)))
        branch = stochastic_depth(self.bn3(self.conv3(branch)), self.drop_path, "row", self.training)
        branch += shortcut
        activated: Tensor = self.relu(branch)
        return activated


# The kind of block, and the number of blocks in each of the four stages. Source: table 1 of the paper.
DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """The whole network: stem, four stages of blocks, mean over the plane, one linear layer.

    Args:
        block: the kind of block.
        depths: number of blocks in each of the four stages.
        num_classes: number of logits.
        zero_init_residual: start each block as its shortcut: the last scale of its branch is zero. Source:
            Accurate, Large Minibatch SGD, Goyal et al. 2017, section 5.1 (arXiv:1706.02677).
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        *,
        num_classes: int = 1000,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = stage(block, depths[0], 64, 64, stride=1)
        self.layer2 = stage(block, depths[1], 64 * block.expansion, 128, stride=2)
        self.layer3 = stage(block, depths[2], 128 * block.expansion, 256, stride=2)
        self.layer4 = stage(block, depths[3], 256 * block.expansion, 512, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialise(self, zero_init_residual=zero_init_residual)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits.

        Args:
            images: float ``(N, 3, H, W)``, normalised; H and W from 1 on, 224 in the paper.

        Returns:
            float ``(N, num_classes)``.
        """
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(features), 1))
        return logits


def resnet18(num_classes: int = 1000, *, zero_init_residual: bool = False) -> ResNet:
    """Return ResNet-18 (11.7 million parameters with 1,000 classes)."""
    return ResNet(*DEPTHS[18], num_classes=num_classes, zero_init_residual=zero_init_residual)


def resnet34(num_classes: int = 1000, *, zero_init_residual: bool = False) -> ResNet:
    """Return ResNet-34 (21.8 million parameters with 1,000 classes)."""
    return ResNet(*DEPTHS[34], num_classes=num_classes, zero_init_residual=zero_init_residual)


def resnet50(num_classes: int = 1000, *, zero_init_residual: bool = False) -> ResNet:
    """Return ResNet-50 v1.5 (25.6 million parameters with 1,000 classes)."""
    return ResNet(*DEPTHS[50], num_classes=num_classes, zero_init_residual=zero_init_residual)


def resnet101(num_classes: int = 1000, *, zero_init_residual: bool = False) -> ResNet:
    """Return ResNet-101 v1.5 (44.5 million parameters with 1,000 classes)."""
    return ResNet(*DEPTHS[101], num_classes=num_classes, zero_init_residual=zero_init_residual)


def resnet152(num_classes: int = 1000, *, zero_init_residual: bool = False) -> ResNet:
    """Return ResNet-152 v1.5 (60.2 million parameters with 1,000 classes)."""
    return ResNet(*DEPTHS[152], num_classes=num_classes, zero_init_residual=zero_init_residual)


def stage(
    block: type[BasicBlock] | type[Bottleneck],
    depth: int,
    in_channels: int,
    width: int,
    *,
    stride: int,
    details: Details = PLAIN,
    drop_paths: Sequence[float] = (),
) -> nn.Sequential:
    """Return ``depth`` blocks in a row; the first of them has the stride, each its ``drop_path``."""
    out_channels = details.out_channels(width, block)
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = shortcut(in_channels, out_channels, stride, details)
    own = [replace(details, drop_path=each) for each in drop_paths] or [details] * depth
    blocks = [block(in_channels, width, stride=stride, downsample=downsample, details=own[0])]
    blocks += [block(out_channels, width, stride=1, downsample=None, details=each) for each in own[1:]]
    return nn.Sequential(*blocks)


def shortcut(in_channels: int, out_channels: int, stride: int, details: Details) -> nn.Sequential:
    """Return what brings a block's input to the shape of its output."""
    if not details.averages_shortcut or stride == 1:
        return nn.Sequential(conv1x1(in_channels, out_channels, stride), details.norm(out_channels))
    # Source: Bag of Tricks, He et al. 2018, section 4.1, ResNet-D (arXiv:1812.01187).
    pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
    return nn.Sequential(pool, conv1x1(in_channels, out_channels), details.norm(out_channels))


def initialise(network: nn.Module, *, zero_init_residual: bool) -> None:
    """Draw new weights for all convolutions, in the order of their registration.

    Source: Delving Deep into Rectifiers, He et al. 2015, section 2.2, fan-out form (arXiv:1502.01852).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if not zero_init_residual:
        return
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)  # type: ignore[arg-type]
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)  # type: ignore[arg-type]
