"""How often and how much an operation of AutoAugment or RandAugment changes an image.

It must not know which operations there are.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, TypedDict, Unpack

import numpy as np
import torch
from PIL import Image

from ding_cls.data.transforms.array_ops import as_array, described_sample, is_bytes, probability, with_image
from ding_cls.errors import ConfigError, DataError, PartError


class Chance(TypedDict, total=False):
    """Arguments that all operations share; `Operation` says what they mean."""

    prob: float
    random_negative_prob: float
    magnitude_level: float
    magnitude_range: Sequence[float] | None
    magnitude_std: float | str
    total_level: float


class Operation(ABC):
    """One change of an image, by chance and, for most, by a magnitude.

    The magnitude is given, or lies in ``magnitude_range`` at ``magnitude_level / total_level`` of the way
    from its first to its second number, which may be the smaller one.

    Args:
        value: the magnitude; None draws it.
        **chance: ``prob``, how often the image is changed (0.5); ``random_negative_prob``, how often the
            magnitude's sign is (0.5 where there is a direction); ``magnitude_level`` (10);
            ``magnitude_range``; ``magnitude_std``, the deviation of a normal distribution around the level,
            or 'inf', all levels from 0 up to it (0: the level itself); ``total_level`` (10).

    Raises:
        ConfigError: values that mean nothing; both or neither of magnitude and range.
    """

    key: ClassVar[str | None] = "magnitude"
    """Name of the argument that holds the magnitude; None where there is none."""
    is_signed: ClassVar[bool] = False

    def __init__(self, value: float | None = None, **chance: Unpack[Chance]) -> None:
        self._check_names(chance)
        self.prob = probability(chance.get("prob", 0.5), self.name, "prob")
        negative = chance.get("random_negative_prob", 0.5 if self.is_signed else 0.0)
        self.random_negative_prob = probability(negative, self.name, "random_negative_prob")
        ends = chance.get("magnitude_range")
        if (value is None) == (ends is None) and self.key is not None:
            raise ConfigError(f"{self.name}: set {self.key} or magnitude_range, one of them")
        if self.key is None and ends is not None:
            raise ConfigError(f"{self.name}: it has no magnitude, so no magnitude_range={ends!r}")
        is_pair = isinstance(ends, list | tuple) and len(ends) == 2 and _are_numbers(ends)
        if ends is not None and not is_pair:
            raise ConfigError(f"{self.name}: magnitude_range={ends!r} must be two numbers")
        if value is not None and not _are_numbers([value]):
            raise ConfigError(f"{self.name}: {self.key}={value!r} must be a number")
        self._value, self._ends = value, ends
        self._level, self._total = chance.get("magnitude_level", 10), chance.get("total_level", 10)
        self._std = chance.get("magnitude_std", 0.0)
        check_levels(self.name, self._level, self._total, self._std)

    @property
    def name(self) -> str:
        """The class's name."""
        return type(self).__name__

    @classmethod
    def arguments(cls) -> set[str]:
        """Return the names of all arguments."""
        return {*inspect.signature(cls).parameters} - {"chance"} | {*Chance.__annotations__}

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample, its image changed or not.

        Raises:
            DataError: the image is not in uint8.
        """
        if float(torch.rand(())) >= self.prob:
            return results
        if not is_bytes(results["img"]):
            raise DataError(
                f"{self.name} takes pictures in uint8, and {described_sample(results)} is float already; let "
                "it stand before Normalize, and LoadImageFromFile without to_float32"
            )
        image = Image.fromarray(as_array(results["img"]))
        return with_image(results, np.array(self.changed(image, self._drawn(), results)))

    @abstractmethod
    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image changed by a magnitude, its sign included; 0 where there is none."""

    def _drawn(self) -> float:
        if self.key is None:
            return 0.0
        value = self._from_range() if self._value is None else float(self._value)
        if self.random_negative_prob and float(torch.rand(())) < self.random_negative_prob:
            return -value
        return value

    def _from_range(self) -> float:
        level = float(self._level)
        if self._std == "inf":
            level *= float(torch.rand((), dtype=torch.float64))
        elif float(self._std) > 0:
            noise = float(torch.randn((), dtype=torch.float64)) * float(self._std)
            level = min(max(level + noise, 0.0), float(self._total))
        assert self._ends is not None
        first, second = self._ends
        return level / self._total * (second - first) + first

    def _check_names(self, chance: Chance) -> None:
        known = self.arguments()
        for each in chance:
            if each not in Chance.__annotations__:
                near = get_close_matches(each, known, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else f"; it has: {', '.join(sorted(known))}"
                raise PartError(f"transform '{self.name}' has no argument '{each}'{hint}", self.name)


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(each, int | float) for each in values)


def check_levels(name: str, level: object, total: object, std: object) -> None:
    """Check the numbers that a magnitude is drawn by.

    Raises:
        ConfigError: they mean nothing.
    """
    if not isinstance(level, int | float) or level < 0 or not isinstance(total, int | float) or total <= 0:
        raise ConfigError(
            f"{name}: magnitude_level={level!r} must be at least 0, total_level={total!r} above 0"
        )
    if std != "inf" and not isinstance(std, int | float):
        raise ConfigError(f"{name}: magnitude_std={std!r} must be a number or 'inf'")
