"""Colours that a config names, in the order that a sample's pixels have.

mmclassification reads files as B, G, R and hands a config's numbers on as they are, so its configs write the
mean backwards (``[104, 116, 124]``). A list of three is therefore blue, green, red where the image was read
from a file, and as the array has it elsewhere. It must not know steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ding_cls.data.transforms.array_ops import FROM_FILE, described_sample
from ding_cls.errors import ConfigError, DataError

Color = float | Sequence[float]

NORM_CFG = "img_norm_cfg"
"""Key of ``results``: what the image was normalised by."""

# As a normalised value, further from the mean than any pixel is.
_HIGHEST_NORMALIZED = 10


class Fill:
    """A colour from 0 to 255: a number, or three as mmclassification's configs write them.

    Args:
        value: what the config says.
        step: the step's name, for errors.
        name: the argument's, likewise.
        high: the largest number.

    Raises:
        ConfigError: neither a number nor three, or one outside [0, ``high``].
    """

    def __init__(self, value: Color, step: str, name: str, *, high: float = 255.0) -> None:
        values: list[Any] = list(value) if isinstance(value, list | tuple) else [value] * 3
        are_numbers = all(isinstance(each, int | float) and 0 <= each <= high for each in values)
        if len(values) not in (1, 3) or not are_numbers:
            raise ConfigError(
                f"{step}: {name}={value!r} must be a number from 0 to {high:g}, or three for the channels"
            )
        self._given = f"{step}: {name}={value!r}"
        self._values = [float(each) for each in values] * (3 // len(values))

    def of(self, results: Mapping[str, Any]) -> list[float]:
        """Return the three numbers in the order of a sample's channels.

        Raises:
            DataError: they count from 0 to 255, and the image is normalised.
        """
        if is_normalized(results) and max(self._values) > _HIGHEST_NORMALIZED:
            raise DataError(
                f"{self._given} counts from 0 to 255, and {described_sample(results)} is normalised already; "
                "let the step stand before Normalize"
            )
        return self._values[::-1] if results.get(FROM_FILE) else list(self._values)

    def rounded(self, results: Mapping[str, Any]) -> tuple[int, int, int]:
        """Return them as whole numbers, which Pillow wants."""
        first, second, third = (round(each) for each in self.of(results))
        return first, second, third


def not_normalized() -> dict[str, Any]:
    """Return the ``img_norm_cfg`` of an image that counts from 0 to 255."""
    return {"mean": np.zeros(3, np.float32), "std": np.ones(3, np.float32), "to_rgb": False}


def is_normalized(results: Mapping[str, Any]) -> bool:
    """Return whether a step has normalised the image of a sample."""
    about = results.get(NORM_CFG)
    if not isinstance(about, Mapping):
        return about is not None
    mean, std = about.get("mean"), about.get("std")
    return mean is None or std is None or bool(np.any(mean) or np.any(np.asarray(std) != 1))
