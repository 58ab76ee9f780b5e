"""The network that leaves the house: that of a predictor with what a graph does besides, as torch's program.

It must not know files.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import numpy as np
import torch
from torch import nn

from ding_cls.data.transforms.formatting import Normalization
from ding_cls.errors import ConfigError, DataError, ExportError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.images import pixels_of
from ding_cls.inference.onnx.description import Layout
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source

_LONGEST_REASON = 300
_FIXED_BATCH = "batch as dynamic but your code specialized it to be a constant"


class ExportedNetwork(nn.Module):
    """Maps images to logits as an exported file does.

    Args:
        model: maps normalised images ``(N, 3, H, W)`` to logits.
        normalization: what images of uint8 ``(N, H, W, 3)`` go through first; None: they come normalised.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, normalization: Normalization | None) -> None:
        super().__init__()
        self.model = model
        self._is_swapped = normalization is not None and normalization.is_swapped
        self._takes_bytes = normalization is not None
        if normalization is not None:
            for name in ("mean", "std"):
                numbers = torch.tensor(getattr(normalization, name)).view(3, 1, 1)
                self.register_buffer(name, numbers, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits, float32."""
        if self._takes_bytes:
            # `array_ops.normalize` with the same bits; its constants are cached, and it writes in place.
            ordered = images.flip(-1) if self._is_swapped else images
            planar = ordered.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
            images = planar.mul(1 / 255).sub(self.mean).div(self.std)
        logits = self.model(images)
        if not isinstance(logits, torch.Tensor):
            raise TypeError(f"it returns {type(logits).__name__}, and logits are a tensor")
        return logits.float()


def check_exportable(predictor: BasePredictor) -> None:
    """Refuse what has no network of its own.

    Raises:
        ExportError: it is a mean of several networks, or an exported file itself.
    """
    if len(predictor.members) > 1:
        raise ExportError(
            f"a mean of {len(predictor.members)} networks is no single network; export each by itself"
        )
    if not isinstance(predictor, Predictor):
        raise ExportError("this is an exported file already; name the checkpoint that it was made from")


def example_image(predictor: Predictor, sources: Sequence[Source] | None) -> torch.Tensor:
    """Return an image as the network's pipeline makes it: uint8 ``(H, W, 3)`` or float32 ``(3, H, W)``.

    Args:
        predictor: it has the pipeline.
        sources: images; None: synthetic ones.

    Raises:
        ExportError: the pipeline gives synthetic images of two sizes, or none of the images can be read.
    """
    if sources is None:
        wide = np.zeros((384, 512, 3), np.uint8)
        first, second = (pixels_of(each, predictor.preprocessing) for each in (wide, wide.swapaxes(0, 1)))
        if first.shape != second.shape:
            raise ExportError(
                "the run's pipeline leaves images of different sizes different, and an exported file takes "
                "one size: name images of that size with --data PATH (in Python images=), or train with a "
                "pipeline that ends in one size, such as by CenterCrop"
            )
        return first
    problem = "there are none"
    for source in sources:
        try:
            return pixels_of(source, predictor.preprocessing)
        except DataError as error:
            problem = str(error)
    raise ExportError(f"none of {len(sources):,} images can be read: {problem}")


def exported_network(predictor: Predictor, example: torch.Tensor, layout: Layout) -> ExportedNetwork:
    """Return a copy of a predictor's network on the CPU, in evaluation mode, for images as a file takes them.

    Args:
        predictor: it stays as it is.
        example: as `example_image` returns it.
        layout: as `ModelDescription` has it.

    Raises:
        ConfigError: uint8 is wanted of a pipeline that makes floats.
        ExportError: the network cannot be copied.
    """
    if layout == "uint8" and example.is_floating_point():
        raise ConfigError(
            "the run's pipeline makes floats itself, so that no file can take its pixels: add --input float "
            "(in Python layout='float')"
        )
    with failures_named(predictor.model):
        model = copy.deepcopy(predictor.model).cpu().requires_grad_(False)
    normalization = predictor.preprocessing.normalization if layout == "uint8" else None
    return ExportedNetwork(model, normalization).eval()


def exported_program(
    predictor: Predictor, example: torch.Tensor, layout: Layout
) -> torch.export.ExportedProgram:
    """Return a predictor's network as torch's program, for batches of any size: ``images`` to logits.

    Args:
        predictor: as in `exported_network`, like all that is not named here.

    Raises:
        ConfigError: as there.
        ExportError: torch cannot export the network.
    """
    network = exported_network(predictor, example, layout)
    # Of one image torch would make a program for one image; what a file keeps is nobody's image.
    images = torch.zeros((2, *example.shape), dtype=example.dtype)
    if layout == "float":
        images = predictor.preprocessing.normalize(images)
    with failures_named(predictor.model), quiet(), torch.no_grad():
        program = _traced(network, images)
    for node in program.graph.nodes:
        # It names files of this machine.
        node.meta.pop("stack_trace", None)
    return program


def _traced(network: ExportedNetwork, images: torch.Tensor) -> torch.export.ExportedProgram:
    shapes = {"images": {0: torch.export.Dim("batch")}}
    try:
        return torch.export.export(network, (images,), dynamic_shapes=shapes)
    except Exception as error:  # as `failures_named` says
        try:
            # It reads the code, in which len(images) is a number of any size.
            return torch.export.export(network, (images,), dynamic_shapes=shapes, strict=True)
        except Exception:
            raise error from None


@contextmanager
def failures_named(model: nn.Module) -> Iterator[None]:
    """Turn what an exporter raises into one line.

    Raises:
        ExportError: it names the network and the cause.
    """
    try:
        yield
    except Exception as error:  # exporters raise what the network's own code does, and more
        raise ExportError(f"{type(model).__name__} cannot be exported: {_reason(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what exporters print of their own work."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        # Of a network that it cannot follow torch prints the program so far, some hundred lines.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _reason(error: BaseException) -> str:
    """Return the innermost cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if _FIXED_BATCH in str(error):
        return "its code takes one batch size alone; it shall reckon with images.shape[0]"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
