"""Numbers in the data of a run that can hardly mean what they are taken for, each told in one line.

It looks at weights, which are at hand, and opens a few images; it must not know networks or loaders.
"""

import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ding_cls.data.datasets.wrappers import image_file
from ding_cls.data.image_depth import FEWEST_BITS, brightest_of_16_bits

_LOGGER = logging.getLogger(__name__)
_NUM_TRIED = 32
_ALL_BITS = 16
# A loss in which one sample counts a thousand times another learns little of that.
_WIDEST_RATIO = 1000
_USUAL = (0.1, 10.0)


def warn_of_values(train_set: Any) -> None:
    """Log what is told of the weights and the depth of a training set."""
    for line in (*_about_weights(train_set), *_about_depth(train_set)):
        _LOGGER.warning("%s", line)


def _about_weights(dataset: Any) -> Iterator[str]:
    given = getattr(dataset, "sample_weights", None)
    if given is None or len(given) == 0:
        return
    weights = np.asarray(given, np.float64)
    # What no weight can be is refused when the loader is made; an image of weight 0 is left out on purpose.
    weights = weights[weights != 0]
    low, high = (float(weights.min()), float(weights.max())) if len(weights) else (0.0, 0.0)
    # Where all are alike, none counts.
    if not (0 < low < high < math.inf):
        return
    middle = float(np.median(weights))
    if high / low > _WIDEST_RATIO or not _USUAL[0] <= middle <= _USUAL[1]:
        yield (
            f"the weights of the training images go from {low:g} to {high:g}, the middle one is {middle:g}: "
            "a weight says how much an image counts in the loss, 1 by custom; rename or leave out the column "
            "where it is another measure"
        )


def _about_depth(dataset: Any) -> Iterator[str]:
    """Yield a line where images of 16 bits use few of them: they are read as 0 to 65,535."""
    count = len(dataset)
    tried = np.unique(np.linspace(0, count - 1, min(count, _NUM_TRIED)).astype(int)).tolist() if count else []
    files = [path for index in tried if (path := image_file(dataset, index)) is not None]
    deep = [each for each in map(brightest_of_16_bits, files) if each is not None]
    if not deep:
        return
    bits = max(max(deep).bit_length(), 1)
    if bits < FEWEST_BITS:
        yield (
            f"training images of {_ALL_BITS} bits use {bits} of them: the brightest pixel of {len(deep)} "
            f"images is {max(deep):,} of 65,535, and the network sees them nearly black; multiply the values "
            f"in the files by up to {1 << (_ALL_BITS - bits)}"
        )
