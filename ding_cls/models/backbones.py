"""Backbones: a network without its classifier, images to a tuple of maps, shallow to deep."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ding_cls.errors import ConfigError
from ding_cls.models.registries import BACKBONES
from ding_cls.models.resnet import DEPTHS, Bottleneck, initialise, stage

_WIDTHS, _STRIDES = (64, 128, 256, 512), (1, 2, 2, 2)


@BACKBONES.register_module()
class ResNet(nn.Module):
    """ResNet without its classifier; its weights have torchvision's names.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: channels of the images.
        num_stages: how many of the four stages there are.
        out_indices: which stages' maps are returned, from 0.
        style: where a bottleneck has its stride: 'pytorch' in the 3x3 convolution (v1.5, as ``resnet50``),
            'caffe' in the first 1x1 (the paper's).
        frozen_stages: what stays as it is: -1 nothing, 0 the stem, k the stem and the first k stages.
        norm_eval: BatchNorm uses its running statistics in training too, and leaves them alone.
        zero_init_residual: start each block as its shortcut; see ``models.resnet.ResNet``.

    Raises:
        ConfigError: a value that does not exist.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        num_stages: int = 4,
        out_indices: Sequence[int] = (3,),
        style: str = "pytorch",
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = True,
    ) -> None:
        super().__init__()
        _check("depth", depth, tuple(DEPTHS))
        _check("num_stages", num_stages, (1, 2, 3, 4))
        _check("style", style, ("pytorch", "caffe"))
        _check("frozen_stages", frozen_stages, tuple(range(-1, num_stages + 1)))
        for index in out_indices:
            _check("out_indices", index, tuple(range(num_stages)))
        self.depth = depth
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        block, depths = DEPTHS[depth]
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = 64
        for number in range(4):
            name = f"layer{number + 1}"
            if number >= num_stages:
                # Known by name, so that a file with all four stages fits.
                self.register_module(name, None)
                continue
            blocks = stage(block, depths[number], channels, _WIDTHS[number], stride=_STRIDES[number])
            self.add_module(name, blocks)
            channels = _WIDTHS[number] * block.expansion
        initialise(self, zero_init_residual=zero_init_residual)
        if style == "caffe":
            for module in self.modules():
                if isinstance(module, Bottleneck):
                    module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
        self.train()

    @property
    def torchvision_name(self) -> str:
        """Which of torchvision's networks has weights that fit."""
        return f"resnet{self.depth}"

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stages in ``out_indices``, float ``(N, C, H, W)``, shallow to deep.

        Args:
            images: float ``(N, in_channels, H, W)``, normalised.
        """
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for number, blocks in enumerate(self._stages()[: max(self.out_indices) + 1]):
            features = blocks(features)
            if number in self.out_indices:
                maps.append(features)
        return tuple(maps)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _stages(self) -> list[nn.Module]:
        stages = [self._modules[f"layer{number}"] for number in range(1, 5)]
        return [each for each in stages if each is not None]

    def _freeze(self) -> None:
        # Nobody sees their maps: DDP would wait for gradients that never come.
        for module in self._stages()[max(self.out_indices) + 1 :]:
            module.requires_grad_(False)
        if self.frozen_stages < 0:
            return
        for module in (self.conv1, self.bn1, *self._stages()[: self.frozen_stages]):
            module.eval()
            module.requires_grad_(False)


def _check(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if isinstance(value, bool) or value not in allowed:
        raise ConfigError(f"ResNet has {name}={value!r}; it must be one of {', '.join(map(str, allowed))}")
