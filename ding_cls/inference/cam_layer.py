"""Which layer of a network a heat map is made of, and how what it gives lies over the image.

It knows modules and tensors alone; which layer it is shows in one pass of an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ding_cls.errors import ModelError

_MAX_PREFIX = 16
_NUM_PROBED = 2
_MIN_PLACES = 4


class Layout(NamedTuple):
    """How the positions of the image lie in what a layer gives.

    Attributes:
        order: of the axes; ``L`` are tokens, row by row, after those that stand for no position.
        height: of the map.
        width: likewise.
    """

    order: Literal["NCHW", "NHWC", "NLC", "LNC"]
    height: int
    width: int

    def __call__(self, output: Tensor) -> Tensor:
        """Return float32 ``(N, C, H, W)``, a copy: the next layer may work in place."""
        if self.order == "NCHW":
            maps = output
        elif self.order == "NHWC":
            maps = output.permute(0, 3, 1, 2)
        else:
            tokens = output if self.order == "NLC" else output.transpose(0, 1)
            tokens = tokens[:, tokens.shape[1] - self.height * self.width :]
            maps = tokens.transpose(1, 2).reshape(len(tokens), -1, self.height, self.width)
        return maps.float().clone()


@dataclass(slots=True, eq=False)
class _Output:
    """What a module gave in one call, in the order in which the calls ended."""

    module: nn.Module
    shape: tuple[int, ...]
    layout: Layout | None = None
    is_heard: bool | None = None
    """Whether the places of the image have a gradient that is not 0; None: nothing came back."""

    def listen(self, gradient: Tensor) -> None:
        if self.layout is not None:
            self.is_heard = bool(self.layout(gradient).any())


def find_map_layer(
    network: nn.Module, images: Tensor, score: Callable[[Tensor], Tensor]
) -> tuple[nn.Module, Layout]:
    """Return the last layer whose output still has a place for each part of the image, and how it lies there.

    That is the last convolution's block of a convolutional network. Of one with tokens it is the last layer
    at which tokens other than the class token still reach the logits: the normalisation before the last
    attention, or the last layer of all where their mean is taken. Where an image is so small that the last
    convolutions see a single place, it is the last layer before them with at least 4 x 4.

    Args:
        network: gives logits; its parameters need no gradients.
        images: float ``(N, 3, H, W)``, normalised; the first one is passed through.
        score: what the map is for, of logits ``(2, ...)``: a number.

    Raises:
        ModelError: there is none.
    """
    with torch.enable_grad():
        probe = images[[0] * _NUM_PROBED].clone().requires_grad_()
        with _listening(network) as outputs:
            logits = network(probe)
        shapes = [each.shape for each in outputs]
        size = images.shape[-2], images.shape[-1]
        for each in outputs:
            is_logits = each.module is network or each.shape == tuple(logits.shape)
            each.layout = None if is_logits else _layout(each.shape, shapes, size)
        if logits.requires_grad:
            torch.autograd.grad(score(logits), probe)
    found = _chosen(outputs)
    if found is None or found.layout is None:
        raise ModelError(
            "no layer of this network gives maps (N, C, H, W) or tokens of the image with a gradient of the "
            "logits: there is nothing that a heat map could be made of"
        )
    return found.module, found.layout


def _chosen(outputs: list[_Output]) -> _Output | None:
    last_calls = {id(each.module): each for each in outputs}
    candidates = [each for each in outputs if each.layout and last_calls[id(each.module)] is each]
    reached = [each for each in _alike(candidates) if each.is_heard is not None]
    heard = [each for each in reached if each.is_heard]
    if not heard:
        # The image leads to an output that does not depend on it; its map is 0 at any layer.
        return reached[-1] if reached else None
    later = outputs[outputs.index(heard[-1]) :]
    if any(isinstance(each.module, nn.Conv2d) and each.shape[2:] == (1, 1) for each in later):
        # The image was too small for the last convolutions; what is left before them may be 2 x 2.
        fine = [each for each in heard if each.layout and min(each.layout[1:]) >= _MIN_PLACES]
        return (fine or heard)[-1]
    return heard[-1]


@contextmanager
def _listening(network: nn.Module) -> Iterator[list[_Output]]:
    """Yield what all modules give, as they are called; each hears the gradient that reaches it later."""
    outputs: list[_Output] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        is_linked = isinstance(output, Tensor) and output.requires_grad
        outputs.append(_Output(module, tuple(output.shape) if is_linked else ()))
        if is_linked:
            output.register_hook(outputs[-1].listen)

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _alike(candidates: list[_Output]) -> list[_Output]:
    """Return what a map may be made of; of a network that ends in tokens those as wide as its last, which
    leaves out the queries, keys and hidden units inside a block."""
    lengths = {each.shape[1] for each in candidates if each.layout and each.layout.order == "NLC"}
    left = [
        each
        for each in candidates
        # Of tokens, (N, heads, L, ...) are an attention's, and a linear layer is a part of one.
        if (each.shape[2] not in lengths if len(each.shape) == 4 else not isinstance(each.module, nn.Linear))
    ]
    if not left or len(left[-1].shape) == 4:
        return left
    return [each for each in left if each.shape == left[-1].shape]


def _layout(shape: Sequence[int], shapes: Sequence[Sequence[int]], size: tuple[int, int]) -> Layout | None:
    """Return how the image lies in an output; None where it has no two places.

    Args:
        shape: of the output.
        shapes: of all outputs.
        size: height and width of the image.
    """
    if len(shape) == 4:
        return _map_layout(shape, size)
    if len(shape) != 3:
        return None
    if shape[0] != _NUM_PROBED and shape[1] != _NUM_PROBED:
        return None
    order: Literal["NLC", "LNC"] = "NLC" if shape[0] == _NUM_PROBED else "LNC"
    grid = _grid(shape[1] if order == "NLC" else shape[0], shapes, size)
    return None if grid is None else Layout(order, *grid)


def _map_layout(shape: Sequence[int], size: tuple[int, int]) -> Layout | None:
    if shape[0] != _NUM_PROBED:  # windows of an attention
        return None
    first = Layout("NCHW", shape[2], shape[3])
    last = Layout("NHWC", shape[1], shape[2])
    layout = min(first, last, key=lambda each: _misfit((each.height, each.width), size))
    return layout if layout.height * layout.width > 1 else None


def _grid(length: int, shapes: Sequence[Sequence[int]], size: tuple[int, int]) -> tuple[int, int] | None:
    """Return height and width of so many tokens, some of which may stand for no part of the image."""
    maps = [layout for each in shapes if len(each) == 4 and (layout := _map_layout(each, size)) is not None]
    known = [
        (each.height, each.width)
        for each in maps
        if 1 < each.height * each.width <= length <= each.height * each.width + _MAX_PREFIX
    ]
    if known:
        return max(known, key=math.prod)
    for count in range(length, max(1, length - _MAX_PREFIX - 1), -1):
        near = round(math.sqrt(count * size[0] / size[1]))
        for height in (near, near - 1, near + 1):
            if height > 0 and count % height == 0 and _misfit((height, count // height), size) < 1.1:
                return height, count // height
    return None


def _misfit(grid: tuple[int, int], size: tuple[int, int]) -> float:
    """Return by which factor the two sides of a map are scaled differently; 1: alike."""
    ratio = (grid[0] * size[1]) / (grid[1] * size[0])
    return max(ratio, 1 / ratio)
