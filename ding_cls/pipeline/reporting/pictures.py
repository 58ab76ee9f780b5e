"""Small pictures of samples, as the network saw them, and what it looked at.

The pixels are those that the evaluation read: of files, arrays and generated images alike.
"""

import logging
from collections.abc import Sequence
from typing import Any

import torch

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data import PipelinePreprocessing
from ding_cls.data.datasets.wrappers import loaded
from ding_cls.errors import DataError
from ding_cls.inference.cam import shown_pixels
from ding_cls.report.page import encoded

_LOGGER = logging.getLogger(__name__)

SIDE_PX = 96
LARGE_SIDE_PX = 160
NUM_LARGE = 500
"""So few images are shown larger."""


def seen_image(dataset: Any, index: int) -> torch.Tensor:
    """Return a sample as the evaluation read it: uint8 ``(H, W, C)``, or float ``(C, H, W)``, normalised.

    Raises:
        DataError: the image cannot be read any more.
    """
    # As the loader of an evaluation draws, should a step be random.
    with sample_randomness(derive_seed(Stream.AUGMENT, 0, 0, index)):
        image, _ = loaded(dataset, index)
    return image


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
            found[position] = encoded(shown_pixels(seen_image(dataset, index), preprocessing), side_px)
        except DataError as error:
            _LOGGER.warning("no thumbnail: %s", error)
    return found
