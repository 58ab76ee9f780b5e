"""How much of their 16 bits deep images use: a look at a file, beside reading it for training.

It must not know datasets.
"""

import os
import warnings

import numpy as np
from PIL import Image

# Images that use a bit less than there are lose half of their brightness; noise fills the last one.
FEWEST_BITS = 15
# No other format that is read here has more than 8 bits.
_DEEP_FORMATS = ("PNG", "TIFF")
_DEEP_TILE = ";16"


def brightest_of_16_bits(path: str | os.PathLike[str]) -> int | None:
    """Return the brightest value of an image of 16 bits; None for any other, and for what cannot be read.

    Of coloured ones Pillow gives the upper 8 bits alone: the lower ones count as set.

    Args:
        path: an image file.
    """
    try:
        with warnings.catch_warnings(), Image.open(path, formats=_DEEP_FORMATS) as image:
            warnings.simplefilter("ignore")
            if not _is_deep_grey(image) and not any(_DEEP_TILE in str(tile) for tile in image.tile):
                return None
            return brightest_in(image)
    # Whoever reads the image for training says what is wrong with it.
    except Exception:
        return None


def brightest_in(image: Image.Image) -> int:
    """Return what `brightest_of_16_bits` does, of an image of 16 bits that is open."""
    pixels = np.asarray(image)
    channels = pixels if pixels.ndim == 2 else pixels[..., : 3 if pixels.shape[-1] > 2 else 1]
    brightest = int(channels.max())
    return brightest if _is_deep_grey(image) else brightest << 8 | 0xFF


def _is_deep_grey(image: Image.Image) -> bool:
    return image.mode == "I" or image.mode.startswith("I;16")
