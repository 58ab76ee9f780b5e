"""Small pictures of samples, as the network saw them, and what it looked at.

The pixels are those that the evaluation read: of files, arrays and generated images alike.
"""

import io
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data import PipelinePreprocessing
from ding_cls.data.datasets.wrappers import loaded
from ding_cls.errors import DataError

_LOGGER = logging.getLogger(__name__)

SIDE_PX = 96
LARGE_SIDE_PX = 160
NUM_LARGE = 500
"""So few images are shown larger."""

_QUALITY = 80
# JPEG blurs an image of few pixels, and PNG costs little there.
_PNG_UP_TO_PX = 48


def seen_pixels(dataset: Any, index: int, preprocessing: PipelinePreprocessing) -> npt.NDArray[np.uint8]:
    """Return what the network saw of a sample, uint8 ``(H, W, 3)`` RGB.

    Args:
        dataset: what was evaluated.
        index: position in it.
        preprocessing: the checkpoint's; it says by which numbers floats were normalised.

    Raises:
        DataError: the image cannot be read any more.
    """
    # As the loader of an evaluation draws, should a step be random.
    with sample_randomness(derive_seed(Stream.AUGMENT, 0, 0, index)):
        image, _ = loaded(dataset, index)
    if not image.is_floating_point():
        return _rgb(image.numpy())
    values = image.float().permute(1, 2, 0)
    stated = preprocessing.stated
    if stated is not None and len(stated.mean) == values.shape[-1]:
        values = values * torch.tensor(stated.std) + torch.tensor(stated.mean)
        values = values.flip(-1) if stated.is_swapped else values
    else:
        values = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
    return _rgb((values * 255.0).round().clamp(0, 255).to(torch.uint8).numpy())


def thumbnails(
    dataset: Any, indices: Sequence[tuple[int, int]], preprocessing: PipelinePreprocessing
) -> dict[int, bytes]:
    """Return small image files by position; an image that cannot be read is left out.

    Args:
        dataset: what was evaluated.
        indices: pairs of a position in the records and in the dataset.
        preprocessing: the checkpoint's.
    """
    found = {}
    side_px = SIDE_PX if len(indices) > NUM_LARGE else LARGE_SIDE_PX
    for position, index in indices:
        try:
            found[position] = encoded(seen_pixels(dataset, index, preprocessing), side_px)
        except DataError as error:
            _LOGGER.warning("no thumbnail: %s", error)
    return found


def encoded(pixels: npt.NDArray[np.uint8], side_px: int) -> bytes:
    """Return pixels ``(H, W, 3)`` as an image file whose longer side has at most ``side_px`` pixels."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if max(image.size) <= _PNG_UP_TO_PX:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
