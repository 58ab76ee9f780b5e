"""Heat maps: where on an image a network sees the class that it names.

It takes a `Predictor` and images; drawing is of `ding_cls.report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ding_cls.answers.prediction import Prediction
from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import ConfigError
from ding_cls.inference.base import by_shape
from ding_cls.inference.cam_layer import Layout, find_map_layer
from ding_cls.inference.images import pixels_of
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source

Map: TypeAlias = npt.NDArray[np.float32]
Label: TypeAlias = int | tuple[int, ...]

# Small gradients survive half precision; it cancels out where the map is normalised.
_SCALE = 1024.0


def heat_maps(
    predictor: Predictor, sources: Sequence[Source], labels: Sequence[Label] | None = None
) -> list[Map]:
    """Return for each image where the network sees a class: Grad-CAM of the library grad-cam.

    Args:
        predictor: whose network it is, which is left as it was. Of several networks it is the mean of their
            maps; mirror images have no part in it.
        sources: files, Pillow images or arrays, one image each.
        labels: class number of each image; a tuple of several, or of one for each task, for the sum of their
            logits. None: the class that is predicted, of several labels the likeliest.

    Returns:
        float32 ``(H, W)`` in [0, 1] for each, of the size of `shown_image`: 1 where most speaks for the
        class, 0 everywhere where nothing does.

    Raises:
        ConfigError: grad-cam is not installed, a label is no class, or several networks see images
            differently.
        DataError: an image cannot be read.
        ModelError: a network has no layer that a map can be made of.

    Source: Grad-CAM, Selvaraju et al. 2017, eq. 1 and 2 (arXiv:1610.02391); scaled so that the lowest value
        is 0 and the highest 1.
    """
    if labels is not None and len(labels) != len(sources):
        raise ConfigError(f"{len(labels)} labels for {len(sources)} images; heat_maps takes one for each")
    mapper = HeatMapper(predictor)
    chosen = _explained_labels(predictor, sources) if labels is None else labels
    found: list[Map] = []
    for begin in range(0, len(sources), predictor.batch_size):
        part = slice(begin, begin + predictor.batch_size)
        found += mapper(
            sources[part], chosen[part], numbers=range(begin, len(sources))[: predictor.batch_size]
        )
    return found


def explained_label(prediction: Prediction) -> Label:
    """Return the label that a prediction's map is for: of several labels the likeliest."""
    return prediction.top(1)[0].label


def _explained_labels(predictor: Predictor, sources: Sequence[Source]) -> list[Label]:
    # What cannot be read is an error where its pixels are asked for; where the output is NaN the map is 0.
    nothing: Label = 0 if predictor.num_tasks is None else (0,) * predictor.num_tasks
    return [nothing if each.error else explained_label(each) for each in predictor.stream(sources)]


class HeatMapper:
    """Makes heat maps of batches of images; its errors are those of `heat_maps`.

    Args:
        predictor: whose network it is.
    """

    def __init__(self, predictor: Predictor) -> None:
        if len(predictor.preprocessings) > 1:
            raise ConfigError(
                f"{len(predictor.members)} networks that see different sizes or crops have no heat map in "
                "common; name one of them, or such as were trained alike"
            )
        self._predictor = predictor
        self._networks = [_NetworkMaps(each) for each in predictor.members]

    def __call__(
        self, sources: Sequence[Source], labels: Sequence[Label], *, numbers: Sequence[int] | None = None
    ) -> list[Map]:
        """Return the maps of images that go through the network together.

        Args:
            sources: the images.
            labels: of each.
            numbers: their positions among all, which decide what a random step draws; None: from 0 on.
        """
        preprocessing = self._predictor.preprocessings[0]
        with torch.inference_mode(False):
            prepared = [
                (
                    place,
                    [pixels_of(source, preprocessing, number=place if numbers is None else numbers[place])],
                )
                for place, source in enumerate(sources)
            ]
            found: dict[int, Map] = {}
            for places, (batch,) in by_shape(prepared, torch.stack):
                found.update(zip(places, self._maps(batch, [labels[each] for each in places]), strict=True))
        return [found[place] for place in range(len(sources))]

    def _maps(self, pixels: Tensor, labels: Sequence[Label]) -> npt.NDArray[np.float32]:
        numbers = [self._numbers(label) for label in labels]
        maps = []
        for network, member in zip(self._networks, self._predictor.members, strict=True):
            names = [[self._predictor.classes[each] for each in one] for one in numbers]
            is_same = member.classes == self._predictor.classes
            own = numbers if is_same else [[member.classes.index(name) for name in one] for one in names]
            maps.append(network(pixels, own))
        return np.mean(maps, axis=0, dtype=np.float32) if len(maps) > 1 else maps[0]

    def _numbers(self, label: Label) -> list[int]:
        """Return a label as class numbers, of several tasks one for each."""
        predictor = self._predictor
        numbers = [int(each) for each in (label if isinstance(label, tuple | list) else [label])]
        wanted = len(numbers) if predictor.num_tasks is None else predictor.num_tasks
        if len(numbers) != wanted or not all(0 <= each < len(predictor.classes) for each in numbers):
            raise ConfigError(
                f"a heat map's label is {label!r}; it is a number from 0 to {len(predictor.classes) - 1}"
                + (f", one for each of {wanted} tasks" if predictor.num_tasks is not None else "")
            )
        return numbers


class _NetworkMaps:
    """Makes the maps of one network."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._network = _InPrecision(predictor)
        self._layers: dict[tuple[int, ...], tuple[nn.Module, Layout]] = {}
        self._library = _library()

    def __call__(self, pixels: Tensor, labels: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Return ``(N, H, W)`` of a batch of images and the class numbers of each."""
        targets = [_score_of(label) for label in labels]
        images = self._predictor.preprocessing.normalize(pixels.to(self._predictor.device))
        with torch.enable_grad(), _kept(self._network):
            shape = tuple(images.shape[1:])
            if shape not in self._layers:
                self._layers[shape] = find_map_layer(
                    self._network, images, lambda logits: torch.stack(list(map(targets[0], logits))).sum()
                )
            maps = self._grad_cam(*self._layers[shape], images, targets)
        return np.nan_to_num(maps, nan=0.0)

    def _grad_cam(
        self, layer: nn.Module, layout: Layout, images: Tensor, targets: list[Callable[[Tensor], Tensor]]
    ) -> npt.NDArray[np.float32]:
        cam = self._library(self._network, [layer], layout)
        recorder = cam.activations_and_grads

        def cut(module: nn.Module, _: Any, output: Tensor) -> Tensor:
            # Of a layer that is called twice the last call counts, and nothing before it needs a gradient.
            recorder.clear()
            return output.detach().requires_grad_().clone()

        handle = layer.register_forward_hook(cut, prepend=True)
        try:
            return np.asarray(cam(images, targets), np.float32)
        finally:
            recorder.release()
            handle.remove()


def _score_of(numbers: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Return what gives the score of class numbers, of the logits ``(C,)`` or ``(K, C)`` of one image."""

    def score(logits: Tensor) -> Tensor:
        rows = logits if logits.dim() == 2 else logits.expand(len(numbers), -1)
        return rows[range(len(numbers)), list(numbers)].float().sum() * _SCALE

    return score


class _InPrecision(nn.Module):
    """A predictor's network as it predicts: in the run's precision and memory format."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        tensors = [*predictor.model.parameters(), *predictor.model.buffers()]
        # Autograd takes no tensor that was made in inference mode.
        is_plain = not any(each.is_inference() for each in tensors)
        with torch.inference_mode(False):
            self.network = predictor.model if is_plain else deepcopy(predictor.model)
        self._predictor = predictor

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        if self._predictor._channels_last:
            images = images.to(memory_format=torch.channels_last)
        with self._predictor._autocast():
            logits: Tensor = self.network(images)
        return logits


@contextmanager
def _kept(network: nn.Module) -> Iterator[None]:
    """Ask no gradients of parameters; afterwards they, their gradients and all modes are what they were."""
    parameters = [(each, each.requires_grad, each.grad) for each in network.parameters()]
    modes = [(module, module.training) for module in network.modules()]
    try:
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
        network.eval()
        yield
    finally:
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        for module, mode in modes:
            module.training = mode


def _library() -> Any:
    try:
        from pytorch_grad_cam import GradCAM
    except ImportError as error:
        raise ConfigError(
            f"a heat map needs grad-cam, and it cannot be imported ({error}): pip install 'ding_cls[cam]'"
        ) from error
    return GradCAM


def shown_image(predictor: Predictor, source: Source, *, number: int = 0) -> npt.NDArray[np.uint8]:
    """Return an image as the network sees it: resized and cropped, before it is normalised.

    Where the pipeline normalises each image itself, that is undone; by numbers that nobody knows, the lowest
    value becomes black and the highest white.

    Args:
        predictor: whose preprocessing it is.
        source: a file, a Pillow image or an array.
        number: its position among all, which decides what a random step draws.

    Returns:
        uint8 ``(H, W, 3)`` RGB; of a channel alone three equal ones.

    Raises:
        DataError: it cannot be read.
    """
    preprocessing = predictor.preprocessings[0]
    return shown_pixels(pixels_of(source, preprocessing, number=number), preprocessing)


def shown_pixels(pixels: Tensor, preprocessing: PipelinePreprocessing) -> npt.NDArray[np.uint8]:
    """Return what a loader gives of an image as `shown_image` does.

    Args:
        pixels: uint8 ``(H, W, C)``, or float ``(C, H, W)``.
        preprocessing: what made them.
    """
    if not pixels.is_floating_point():
        return _rgb(pixels.numpy())
    found = pixels.permute(1, 2, 0).double().numpy()
    stated = preprocessing.stated
    if stated is None:
        low, high = found.min(), found.max()
        found = (found - low) / max(high - low, 1e-12)
    else:
        found = found * stated.std + stated.mean
        if stated.is_swapped:
            found = found[..., ::-1]
    shown = np.clip(np.rint(found * 255), 0, 255).astype(np.uint8)
    return _rgb(shown)


def _rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
