"""Any classifier of torchvision without its last layer: vectors, or maps of several resolutions."""

import copy
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import get_model_builder, list_models
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.ops import StochasticDepth

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.layers.ops import check_dropout, classifier_layer, replace_module, set_in_channels
from ding_cls.models.openmmlab import BaseBackbone
from ding_cls.models.weights.parts import load_part
from ding_cls.registry import Library

# What the maps are looked for with; a network that needs another size declares it.
_SIZE_PX = 224
_POOLINGS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)

# Auxiliary outputs are left out: forward returns the logits and nothing else. init_weights silences a warning
# about its own default. transform_input is on with and without pretrained weights, because it is no part of
# the weights: a network that is rebuilt without them to load a checkpoint must see the same numbers.
_INCEPTION_DEFAULTS = {"aux_logits": False, "init_weights": True, "transform_input": True}
TORCHVISION_DEFAULTS: dict[str, dict[str, Any]] = {
    "inception_v3": _INCEPTION_DEFAULTS,
    "googlenet": _INCEPTION_DEFAULTS,
}
# Torchvision's networks that take any argument, and pass over those that they do not have: what they have.
_ARGUMENTS = {
    "convnext": ("stochastic_depth_prob", "layer_scale", "block", "norm_layer"),
    "mobilenet_v3": ("width_mult", "reduced_tail", "dilated", "block", "norm_layer", "dropout"),
}
_OF_ALL = ("num_classes", "weights", "progress")


class TorchvisionBackbone(BaseBackbone):
    """A classifier of torchvision without its last layer.

    Args:
        model_name: one of torchvision's names, such as 'mobilenet_v2'.
        out_indices: None: the vectors ``(N, D)`` that the last layer would see, which need no neck. Else maps
            ``(N, C, H, W)``: the deepest of each resolution, counted from 0, the finest; -1 is the deepest.
        num_classes: -1; or a number: the last layer stays, and the network gives its logits, for ``ClsHead``.
        in_channels: channels of the images.
        norm_eval: BatchNorm uses its running statistics in training too, and leaves them alone.
        pretrained: True: torchvision's weights; or a file, or an https URL. In a config they are loaded when
            a run begins, not when it is resumed.
        drop_path_rate: of a network with stochastic depth: probability of the last block's branch to be left
            out of a sample in training; those of the others grow to it evenly, from 0 at the first. None: its
            own.
        **arguments: of the network's constructor, such as ``dropout``.

    Attributes:
        num_features: D, or the channels of the last map.
        torchvision_name: ``model_name``.
        dropped: names of the whole network's weights that are not here.

    Raises:
        ModelError: there is no such network, argument or map.
    """

    accepts_pretrained = True

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] | int | None = None,
        num_classes: int = -1,
        in_channels: int = 3,
        norm_eval: bool = False,
        pretrained: bool | str = False,
        drop_path_rate: float | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        if num_classes > 0 and out_indices is not None:
            raise ConfigError(
                f"backbone {model_name} gives logits (num_classes) or maps (out_indices), not both"
            )
        network = _whole(model_name, num_classes, arguments)
        if drop_path_rate is not None:
            _set_stochastic_depth(network, model_name, drop_path_rate)
        set_in_channels(network, in_channels)
        names = set(network.state_dict())
        self.torchvision_name = model_name
        self.norm_eval = norm_eval
        self.network: nn.Module
        if out_indices is not None:
            indices = (out_indices,) if isinstance(out_indices, int) else tuple(out_indices)
            self.network, self._permutes, self.num_features = _maps(network, model_name, indices)
        else:
            self._permutes = ()
            self.num_features = num_classes if num_classes > 0 else _without_classifier(network)
            self.network = network
        self.dropped = frozenset(names - set(self.network.state_dict()))
        self.train()
        if pretrained:
            load_part(self, pretrained)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the vectors as a tuple of one, or the maps, shallow to deep.

        Args:
            images: float ``(N, in_channels, H, W)``, normalised.
        """
        found = self.network(images)
        if isinstance(found, Tensor):
            return (found,)
        pairs = zip(found.values(), self._permutes, strict=True)
        return tuple(each.permute(0, 3, 1, 2) if permutes else each for each, permutes in pairs)

    def train(self, mode: bool = True) -> "TorchvisionBackbone":
        """Switch between training and evaluation; with ``norm_eval`` BatchNorm stays in evaluation."""
        super().train(mode)
        if mode and self.norm_eval:
            keep_norms(self)
        return self


def keep_norms(network: nn.Module) -> None:
    """Put every BatchNorm in evaluation."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _whole(name: str, num_classes: int, arguments: dict[str, Any]) -> nn.Module:
    if name not in torchvision_names():
        raise ModelError(
            f"torchvision has no classifier {name!r}; ding-cls models lists those that there are"
        )
    given = {**TORCHVISION_DEFAULTS.get(name, {}), **arguments}
    if num_classes > 0:
        given["num_classes"] = num_classes
    try:
        refuse_unknown(name, given)
        network: nn.Module = get_model_builder(name)(**given)
    except (TypeError, ValueError) as error:
        raise ModelError(f"backbone {name!r} cannot be built with {arguments}: {error}") from error
    return network


def refuse_unknown(name: str, arguments: Iterable[str]) -> None:
    """Refuse what a network would pass over in silence.

    Raises:
        TypeError: an argument that it does not have, in Python's words.
    """
    known = next((each for family, each in _ARGUMENTS.items() if name.startswith(family)), None)
    unknown = [each for each in arguments if known is not None and each not in (*known, *_OF_ALL)]
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{unknown[0]}'")


def _set_stochastic_depth(network: nn.Module, name: str, rate: float) -> None:
    check_dropout(rate, "drop_path_rate")
    depths = [each for each in network.modules() if isinstance(each, StochasticDepth)]
    if not depths:
        raise ModelError(f"{name} has no stochastic depth; leave out drop_path_rate={rate}")
    for place, each in enumerate(depths):
        each.p = rate * place / (len(depths) - 1)


@functools.cache
def torchvision_names() -> frozenset[str]:
    """Return the names of torchvision's classifiers."""
    return frozenset(list_models(module=torchvision.models))


def _without_classifier(network: nn.Module) -> int:
    """Take the last layer away; return the length of the vectors that it saw."""
    name, layer = classifier_layer(network)
    replace_module(network, name, nn.Identity())
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def _maps(network: nn.Module, name: str, indices: tuple[int, ...]) -> tuple[nn.Module, tuple[bool, ...], int]:
    """Return the network up to the maps asked for, which have channels last, and the last's channels."""
    levels = _levels(network)
    if len(levels) < 2:
        raise ModelError(
            f"{name} has no maps of several resolutions; leave out out_indices: it gives vectors"
        )
    for index in indices:
        if isinstance(index, bool) or not -len(levels) <= index < len(levels):
            sides = ", ".join(f"{side} px" for _, _, side, _ in levels)
            raise ModelError(
                f"backbone {name} has out_indices={indices}; its maps have {len(levels)} resolutions, "
                f"counted from 0: {sides} of images of {_SIZE_PX} px"
            )
    chosen = [levels[index] for index in sorted({index % len(levels) for index in indices})]
    nodes = {node: str(number) for number, (node, *_) in enumerate(chosen)}
    extractor: nn.Module = create_feature_extractor(network, nodes)
    return extractor, tuple(permutes for *_, permutes in chosen), chosen[-1][1]


def _levels(network: nn.Module) -> list[tuple[str, int, int, bool]]:
    """Return the deepest map of each resolution: its module, channels, side, whether channels come last.

    What computes the logits has none: that of a SqueezeNet is a convolution.
    """
    twin = copy.deepcopy(network).to("meta").eval()
    found: dict[int, tuple[str, int, int, bool]] = {}

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or output.dim() != 4:
            return
        is_last = isinstance(network, SwinTransformer) and name.startswith("features")
        channels, side = (output.shape[3], output.shape[1]) if is_last else (output.shape[1], output.shape[2])
        if side > 1:
            level = round(math.log2(_SIZE_PX / side))
            found[level] = (name, int(channels), int(side), is_last)

    last = classifier_layer(twin)[0].partition(".")[0]
    for name, module in _in_a_row(twin):
        if name.partition(".")[0] != last:
            module.register_forward_hook(functools.partial(note, name))
    first = next(each for each in network.modules() if isinstance(each, nn.Conv2d))
    side = getattr(network, "image_size", _SIZE_PX)
    with torch.no_grad():
        twin(torch.zeros(1, first.in_channels, side, side, device="meta"))
    return [found[level] for level in sorted(found)]


def _in_a_row(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the modules that an image passes one after the other, less the last pooling."""
    found = []
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            found += [(f"{name}.{inner}", each) for inner, each in child.named_children()]
        if not isinstance(child, _POOLINGS):
            found.append((name, child))
    return found


def _find(name: str) -> Callable[..., nn.Module] | None:
    model_name = name.removeprefix("torchvision/")
    if model_name not in torchvision_names():
        return None
    return _named(model_name)


def _named(model_name: str) -> Callable[..., nn.Module]:
    def build(**arguments: Any) -> TorchvisionBackbone:
        return TorchvisionBackbone(model_name, **arguments)

    build.__name__ = build.__qualname__ = model_name
    build.accepts_pretrained = True  # type: ignore[attr-defined]
    return build


TORCHVISION_BACKBONES: Library[Callable[..., Any]] = Library(
    "torchvision.models", _find, lambda: sorted(torchvision_names())
)
