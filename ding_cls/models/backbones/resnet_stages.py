"""Our ResNets without their classifier: images to a tuple of maps, shallow to deep."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ding_cls.errors import ConfigError
from ding_cls.models.backbones.resnet import DEPTHS, conv3x3, initialise
from ding_cls.models.backbones.resnet_layer import ResLayer
from ding_cls.models.backbones.timm import TIMMBackbone
from ding_cls.models.backbones.torchvision import TorchvisionBackbone
from ding_cls.models.layers.activation_checkpointing import recomputing
from ding_cls.models.layers.ops import Norm, check_conv_cfg, check_dropout, norm_of
from ding_cls.models.openmmlab import BaseBackbone
from ding_cls.models.registry import BACKBONES

_ALL = (1, 1, 1, 1)


@BACKBONES.register_module()
class ResNet(BaseBackbone):
    """ResNet without its classifier; its weights have torchvision's names, a deep stem mmclassification's.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: channels of the images.
        stem_channels: channels of the stem.
        base_channels: width of the first stage; it doubles with each.
        expansion: channels of a block's output for each of its width; None: 1, of a bottleneck 4.
        num_stages: how many of the four stages there are.
        strides: of the first block of each stage.
        dilations: of the 3x3 convolutions of each stage.
        out_indices: which stages' maps are returned, from 0.
        style: where a bottleneck has its stride: 'pytorch' in the 3x3 convolution (v1.5, as ``resnet50``),
            'caffe' in the first 1x1 (the paper's).
        deep_stem: three 3x3 convolutions instead of one 7x7 (ResNet-C).
        avg_down: shortcuts with a stride take a mean first (ResNet-D).
        frozen_stages: what stays as it is: -1 nothing, 0 the stem, k the stem and the first k stages.
        conv_cfg: None, or ``dict(type='Conv2d')``, which is the same.
        norm_cfg: the normalization, ``dict(type='BN' | 'SyncBN' | 'GN', requires_grad=True, ...)``.
        norm_eval: BatchNorm uses its running statistics in training too, and leaves them alone.
        with_cp: compute each block twice, forward and backward, to save the memory between; what is learned
            is the same to the last bit, BatchNorm's statistics included.
        zero_init_residual: start each block as its shortcut; see ``models.resnet.ResNet``.
        drop_path_rate: probability of the last block's branch to be left out of a sample in training; those
            of the others grow to it evenly, from 0 at the first (stochastic depth).

    Raises:
        ConfigError: a value that does not exist.

    Source: Deep Networks with Stochastic Depth, Huang et al. 2016, section 3 (arXiv:1603.09382).
    """

    accepts_pretrained = True
    # Of the bottlenecks' 3x3 convolutions; ResNeXt has others.
    groups, width_per_group = 1, 64
    # The kind of block and the number of blocks by depth; a subclass may have others.
    arch_settings: Mapping[int, tuple[Any, Sequence[int]]] = DEPTHS
    norm1_name = "bn1"

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        stem_channels: int = 64,
        base_channels: int = 64,
        expansion: int | None = None,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = _ALL,
        out_indices: Sequence[int] = (3,),
        style: str = "pytorch",
        deep_stem: bool = False,
        avg_down: bool = False,
        frozen_stages: int = -1,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = None,
        norm_eval: bool = False,
        with_cp: bool = False,
        zero_init_residual: bool = True,
        drop_path_rate: float = 0.0,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        self._check("depth", depth, tuple(self.arch_settings))
        self._check("num_stages", num_stages, (1, 2, 3, 4))
        self._check("style", style, ("pytorch", "caffe"))
        self._check("frozen_stages", frozen_stages, tuple(range(-1, num_stages + 1)))
        for index in out_indices:
            self._check("out_indices", index, tuple(range(num_stages)))
        self._check_shapes(num_stages, strides, dilations, expansion)
        check_conv_cfg(conv_cfg)
        check_dropout(drop_path_rate, "drop_path_rate")
        self.depth, self.in_channels, self.num_stages = depth, in_channels, num_stages
        self.stem_channels, self.base_channels = stem_channels, base_channels
        self.strides, self.dilations, self.out_indices = strides, dilations, tuple(out_indices)
        self.style, self.deep_stem, self.avg_down = style, deep_stem, avg_down
        self.frozen_stages, self.norm_eval, self.with_cp = frozen_stages, norm_eval, with_cp
        self.conv_cfg, self.norm_cfg = conv_cfg, {"type": "BN", **(norm_cfg or {})}
        self.zero_init_residual, self.drop_path_rate = zero_init_residual, drop_path_rate
        self.block, depths = self.arch_settings[depth]
        self.stage_blocks = tuple(depths)[:num_stages]
        self.expansion = self.block.expansion if expansion is None else expansion
        self._make_stem_layer(in_channels, stem_channels)
        self.res_layers = [f"layer{number + 1}" for number in range(num_stages)]
        self.num_features = self.feat_dim = self._make_stages()
        initialise(self, zero_init_residual=zero_init_residual)
        self.train()

    @property
    def torchvision_name(self) -> str | None:
        """Which of torchvision's networks has weights that fit; None: none has."""
        return f"resnet{self.depth}" if self._is_torchvisions else None

    @property
    def norm1(self) -> nn.Module:
        """The stem's normalization."""
        return self.get_submodule(self.norm1_name)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stages in ``out_indices``, float ``(N, C, H, W)``, shallow to deep.

        Args:
            images: float ``(N, in_channels, H, W)``, normalised.
        """
        features = self._stem(images)
        maps = []
        for number, blocks in enumerate(self._stages()[: max(self.out_indices) + 1]):
            features = self._through(blocks, features)
            if number in self.out_indices:
                maps.append(features)
        return tuple(maps)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    @property
    def _is_torchvisions(self) -> bool:
        is_plain = not self.deep_stem and not self.avg_down and self.style == "pytorch"
        has_widths = (self.stem_channels, self.base_channels) == (64, 64)
        has_blocks = self.arch_settings is DEPTHS and self.expansion == self.block.expansion
        has_stem = type(self)._make_stem_layer is ResNet._make_stem_layer
        has_batch_norm = self.norm_cfg["type"] in ("BN", "SyncBN")
        return is_plain and has_widths and has_blocks and has_stem and has_batch_norm

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        """Make the modules before the first stage; a subclass may make others of these names."""
        norm = norm_of(self.norm_cfg)
        if self.deep_stem:
            self.stem = deep_stem_of(in_channels, stem_channels, norm, stride=2)
        else:
            self.conv1 = nn.Conv2d(in_channels, stem_channels, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = norm(stem_channels)
            self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def make_res_layer(self, **kwargs: Any) -> nn.Sequential:
        """Return one stage; the arguments are those of ``ResLayer``."""
        about: dict[str, Any] = {"width_per_group": self.width_per_group, "base_channels": self.base_channels}
        return ResLayer(groups=self.groups, **about, **kwargs)

    def _make_stages(self) -> int:
        """Make the stages; return the channels of the last."""
        total, done, channels = sum(self.arch_settings[self.depth][1]), 0, self.stem_channels
        for number in range(4):
            name = f"layer{number + 1}"
            if number >= self.num_stages:
                # Known by name, so that a file with all four stages fits.
                self.register_module(name, None)
                continue
            count, width = self.stage_blocks[number], self.base_channels * 2**number * self.expansion
            rates = [self.drop_path_rate * place / max(total - 1, 1) for place in range(done, done + count)]
            blocks = self.make_res_layer(
                block=self.block,
                num_blocks=count,
                in_channels=channels,
                out_channels=width,
                expansion=self.expansion,
                stride=self.strides[number],
                dilation=self.dilations[number],
                style=self.style,
                avg_down=self.avg_down,
                with_cp=self.with_cp,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                drop_path_rate=rates,
            )
            self.add_module(name, blocks)
            channels, done = width, done + count
        return channels

    def _stem(self, images: Tensor) -> Tensor:
        for module in self._stem_modules():
            images = module(images)
        return images

    def _stem_modules(self) -> list[nn.Module]:
        names = ("stem", "conv1", self.norm1_name, "relu", "maxpool")
        return [module for name in names if (module := self._modules.get(name)) is not None]

    def _through(self, blocks: nn.Module, features: Tensor) -> Tensor:
        if not (self.with_cp and torch.is_grad_enabled() and self.training):
            passed: Tensor = blocks(features)
            return passed
        for block in blocks.children():
            features = checkpoint(block, features, use_reentrant=False, context_fn=recomputing(block))
        return features

    def _stages(self) -> list[nn.Module]:
        stages = [self._modules[f"layer{number}"] for number in range(1, 5)]
        return [each for each in stages if each is not None]

    def _freeze_stages(self) -> None:
        # Their maps are not used: DDP would wait for gradients that never come.
        for module in self._stages()[max(self.out_indices) + 1 :]:
            module.requires_grad_(False)
        if self.frozen_stages < 0:
            return
        for module in (*self._stem_modules(), *self._stages()[: self.frozen_stages]):
            module.eval()
            module.requires_grad_(False)

    def _check_shapes(
        self, num_stages: int, strides: Sequence[int], dilations: Sequence[int], expansion: int | None
    ) -> None:
        for name, values in (("strides", strides), ("dilations", dilations)):
            if len(values) < num_stages:
                raise ConfigError(f"{type(self).__name__} has {name}={values!r} for {num_stages} stages")
        if expansion is not None and (type(expansion) is not int or expansion < 1):
            name = type(self).__name__
            raise ConfigError(
                f"{name} has expansion={expansion!r}; it must be a whole number from 1 on, or None"
            )

    def _check(self, name: str, value: object, allowed: tuple[object, ...]) -> None:
        if isinstance(value, bool) or value not in allowed:
            known = ", ".join(map(str, allowed))
            raise ConfigError(f"{type(self).__name__} has {name}={value!r}; it must be one of {known}")


@BACKBONES.register_module()
class ResNetV1c(ResNet):
    """ResNet-C: a deep stem. Its arguments are those of ``ResNet``.

    Source: Bag of Tricks, He et al. 2018, section 4.1 (arXiv:1812.01187).
    """

    def __init__(self, depth: int, deep_stem: bool = True, **arguments: Any) -> None:
        super().__init__(depth, deep_stem=deep_stem, **arguments)


@BACKBONES.register_module()
class ResNetV1d(ResNet):
    """ResNet-D: a deep stem, and shortcuts that take a mean. Its arguments are those of ``ResNet``.

    Source: Bag of Tricks, He et al. 2018, section 4.1 (arXiv:1812.01187).
    """

    def __init__(self, depth: int, deep_stem: bool = True, avg_down: bool = True, **arguments: Any) -> None:
        super().__init__(depth, deep_stem=deep_stem, avg_down=avg_down, **arguments)


@BACKBONES.register_module()
class ResNet_CIFAR(ResNet):  # noqa: N801 (the name is mmclassification's)
    """ResNet for small images: a 3x3 stem without stride or pooling. Its arguments are those of ``ResNet``.

    Source: Deep Residual Learning, He et al. 2015, section 4.2, with ImageNet's four stages
    (arXiv:1512.03385).
    """

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        if self.deep_stem:
            raise ConfigError("ResNet_CIFAR has no deep stem; leave out deep_stem")
        self.conv1 = conv3x3(in_channels, stem_channels)
        self.bn1 = norm_of(self.norm_cfg)(stem_channels)
        self.relu = nn.ReLU(inplace=True)


@BACKBONES.register_module()
class ResNeXt(ResNet):
    """ResNet whose bottlenecks have grouped convolutions.

    Args:
        depth: 50, 101 or 152.
        groups: of the 3x3 convolutions.
        width_per_group: channels of each group in the first stage.
        **arguments: those of ``ResNet``.

    Source: Aggregated Residual Transformations, Xie et al. 2016, table 1 (arXiv:1611.05431).
    """

    def __init__(self, depth: int, groups: int = 32, width_per_group: int = 4, **arguments: Any) -> None:
        if depth not in (50, 101, 152):
            raise ConfigError(f"ResNeXt has depth={depth!r}; it must be one of 50, 101, 152")
        self.groups, self.width_per_group = groups, width_per_group
        super().__init__(depth, **arguments)

    @property
    def torchvision_name(self) -> str | None:
        """Which of torchvision's networks has weights that fit; None: none has."""
        name = f"resnext{self.depth}_{self.groups}x{self.width_per_group}d"
        known = ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d")
        return name if self._is_torchvisions and name in known else None


def deep_stem_of(in_channels: int, channels: int, norm: Norm, *, stride: int) -> nn.Sequential:
    """Return three 3x3 convolutions, the first with the stride, the first two half as wide."""
    half = channels // 2
    sizes = ((in_channels, half, stride), (half, half, 1), (half, channels, 1))
    triples = ((conv3x3(given, wide, step), norm(wide), nn.ReLU(inplace=True)) for given, wide, step in sizes)
    return nn.Sequential(*(module for triple in triples for module in triple))


for _part in (TorchvisionBackbone, TIMMBackbone):
    BACKBONES.register_module()(_part)
