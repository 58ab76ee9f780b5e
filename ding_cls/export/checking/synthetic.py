"""Images for a check where there are no real ones.

It must not know networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.inference.base import BasePredictor
from ding_cls.inference.sources import Source

NUM_IMAGES = 64

_SIZES = ((256, 320), (300, 240), (224, 224), (480, 360))


def synthetic_images(
    predictor: BasePredictor, *, size: tuple[int, int] | None = None, count: int = NUM_IMAGES
) -> Sequence[Source]:
    """Return images of patches of colour under noise, uint8 ``(H, W, 3)``: the same ones each time.

    Of noise alone a network says the same of each image.

    Args:
        predictor: it shall take them.
        size: height and width in pixels of what its network takes; the images are so large where its
            preprocessing does not bring them to that. None: not known.
        count: how many.
    """
    generator = np.random.default_rng(0)
    sizes: Sequence[tuple[int, int]] = _SIZES
    if size is not None and not _reaches(predictor, _image(generator, _SIZES[0]), size):
        sizes = [size]
    return [_image(generator, sizes[number % len(sizes)]) for number in range(count)]


def _image(generator: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    height, width = size
    side = int(generator.integers(2, 8))
    patches = Image.fromarray(generator.integers(0, 256, (side, side, 3), np.uint8))
    resample = Image.Resampling.NEAREST if generator.random() < 0.5 else Image.Resampling.BICUBIC
    pixels = np.asarray(patches.resize((width, height), resample), np.float64)
    noise = generator.normal(0, generator.choice([0, 10, 40]), pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def _reaches(predictor: BasePredictor, image: npt.NDArray[np.uint8], size: tuple[int, int]) -> bool:
    shape = tuple(predictor.prepare(image)[0].shape)
    return size in (shape[:2], shape[1:])
