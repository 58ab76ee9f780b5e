"""What a label's word means: a class's name, letter for letter, or a position in the list of classes.

It knows words and names; it must not know samples or files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ding_cls.errors import DataError
from ding_cls.images.class_names import (
    DIGITS,
    count_in,
    holds_same_word,
    numbers_in,
    padded_name,
    unknown_word,
)

_LOGGER = logging.getLogger(__name__)

MOST_CLASSES = 10_000_000
"""More classes than any dataset has: a number from here on is a mistake, and takes memory to name."""

# What pandas makes of whole numbers where a cell of the column is empty; and negative ones.
_WHOLE = re.compile(r"-\d+|-?\d+\.0+")
# Numbers that leave more classes empty than this, and than they fill, count nothing.
_MOST_EMPTY = 100
_NUM_SHOWN = 3


def are_codes(numbers: Collection[int]) -> bool:
    """Return whether numbers count nothing: as positions they would leave most of the classes empty."""
    num_empty = max(numbers, default=-1) + 1 - len(numbers)
    return num_empty > max(_MOST_EMPTY, len(numbers))


def names_in(places: Mapping[str, str], *, counts: bool = False) -> tuple[str, ...] | None:
    """Return the names of the classes that nobody named, as the labels have them.

    Args:
        places: for each word where it first is.
        counts: the format says that numbers count the classes from 0 on, so that some may have no image.

    Returns:
        The words in bytewise order, numbers by their size; None where the numbers count all classes from 0.
    """
    numbers = {word: number for word in places if (number := count_in(word)) is not None}
    if len(numbers) < len(places):
        return tuple(sorted(places, key=str.encode))
    return names_of_numbers({number: places[word] for word, number in numbers.items()}, counts=counts)


def names_of_numbers(places: Mapping[int, str], *, counts: bool) -> tuple[str, ...] | None:
    """Return the names of classes that labels call by numbers; the arguments are those of ``names_in``."""
    highest = max(places, default=-1)
    num_empty = highest + 1 - len(places)
    if num_empty and (not counts or are_codes(places)):
        return tuple(str(number) for number in sorted(places))
    if num_empty:
        first = next(number for number in range(highest) if number not in places)
        _LOGGER.warning(
            "%s: the label %d makes %d classes, numbered from 0; %d of them have no image, the first is %d",
            *(places[highest], highest, highest + 1, num_empty, first),
        )
    return None


def are_positions(places: Mapping[str, str], names: Sequence[str]) -> bool:
    """Return whether words are positions in the list of classes: none is a name in any form, and all count.

    A line is logged where a word could be read in both ways.

    Args:
        places: for each word where it first is.
        names: of the classes, in the order of their numbers.

    Raises:
        DataError: a number that the names hold says another class.
    """
    positions = {name: position for position, name in enumerate(names)}
    numbers = {word: number for word in places if (number := count_in(word)) is not None}
    is_counted = len(numbers) == len(places) and not holds_same_word(places, names)
    if not places or not is_counted or all(map(DIGITS.fullmatch, names)):
        if places.keys() <= positions.keys():
            _tell_names(places, positions)
        return False
    if max(numbers.values()) >= len(names):
        return True
    _check_one_reading({number: places[word] for word, number in numbers.items()}, names)
    word = min(numbers, key=lambda each: numbers[each])
    shown = ", ".join(f"{position} is {name!r}" for position, name in enumerate(names[:_NUM_SHOWN]))
    more = f" and so on to {len(names) - 1}" if len(names) > _NUM_SHOWN else ""
    _LOGGER.warning(
        "%s: %r is no class's name, so labels are positions: %s%s",
        *(places[word], word, shown, more),
    )
    return True


def check_positions(
    paths: Sequence[str], numbers: Sequence[int], names: Sequence[str], places: Sequence[str]
) -> None:
    """Refuse positions that say other classes than the folders with the classes' names that images lie in.

    Single ones may have been corrected by hand; that of most images is another order of the classes.

    Args:
        paths: of the images.
        numbers: the class of each, by its position.
        names: of the classes, in the order of their numbers.
        places: how an error names each image.

    Raises:
        DataError: more than half of the images in such folders have another class.
    """
    known = {name: number for number, name in enumerate(names)}
    found = [known.get(path.rpartition("/")[0].rpartition("/")[2], -1) for path in paths]
    differing = [
        index
        for index, (own, number) in enumerate(zip(found, numbers, strict=True))
        if own not in (-1, number) and number < len(names)
    ]
    num_known = sum(own >= 0 for own in found)
    if 2 * len(differing) > num_known:
        index = differing[0]
        raise DataError(
            f"{places[index]}: the label {numbers[index]} is {names[numbers[index]]!r} by its position, and "
            f"{paths[index]!r} lies in the folder of another class, as do {len(differing) - 1} more of "
            f"{num_known}; write the classes' names as labels, or list the classes in the order of the labels"
        )


def class_numbers(places: Mapping[int, str], names: Sequence[str]) -> dict[int, int]:
    """Return the class number that each label of a format with numbers means: itself, by its position.

    Where positions are too few and every number is a class's name it is that class, and a line tells it.

    Args:
        places: for each number where it first is.
        names: of the classes, in the order of their numbers.

    Raises:
        DataError: a name that is, or holds, the number says another class.
    """
    positions = {name: position for position, name in enumerate(names)}
    if all(0 <= number < len(names) for number in places):
        _check_one_reading(places, names)
        return {number: number for number in places}
    if not all(str(number) in positions for number in places):
        return {number: number for number in places}
    _tell_names({str(number): place for number, place in places.items()}, positions)
    return {number: positions[str(number)] for number in places}


def _check_one_reading(places: Mapping[int, str], names: Sequence[str]) -> None:
    """Refuse numbers that say one class by position, another by the number that its name is or holds."""
    own = numbers_in(names)
    differing = next((number for number in places if own.get(number, number) != number), None)
    if differing is None:
        return
    if all(map(DIGITS.fullmatch, names)) or own.keys() >= places.keys():
        raise DataError(
            f"{places[differing]}: the label {differing} is {names[differing]!r} by its position and "
            f"{names[own[differing]]!r} by its name; write the names, as text"
        )


def _tell_names(places: Mapping[str, str], positions: Mapping[str, int]) -> None:
    """Tell that words which could be positions are names; nothing where both are the same."""
    differing = [word for word in places if DIGITS.fullmatch(word) and word != str(positions[word])]
    if differing and all(map(DIGITS.fullmatch, places)):
        _LOGGER.warning(
            "%s: %r is a class's name, so labels are names, not positions",
            *(places[differing[0]], differing[0]),
        )


def numbered(
    words: Sequence[Sequence[str]],
    classes: Sequence[str] | None,
    places: Sequence[str],
    *,
    counts: bool = False,
) -> tuple[list[list[int]], tuple[str, ...] | None]:
    """Return the class numbers that words mean, and the class names.

    A word that is a class's name, letter for letter, is that class. Where no word is one and all of them are
    whole numbers, as one counts, they are positions in the list of classes.

    Args:
        words: of each sample.
        classes: names in the order of their numbers; where None, those of ``names_in``.
        places: how an error names each sample.
        counts: as in ``names_in``.

    Returns:
        The names are None where nobody named the classes and the labels are their numbers.

    Raises:
        DataError: a word is none of the classes, or may be two of them.
    """
    first: dict[str, str] = {}
    for place, each in zip(places, words, strict=True):
        for word in each:
            first.setdefault(word, place)
    if classes is None:
        for word, place in first.items():
            _check_number(word, place)
        names = names_in(first, counts=counts)
        are_numbers = names is None
    else:
        names = tuple(classes)
        are_numbers = are_positions(first, names)
    if are_numbers or names is None:
        return [[int(word) for word in each] for each in words], names
    numbers = {name: number for number, name in enumerate(names)}
    for word, place in first.items():
        if word not in numbers and (padded := padded_name(word, names, place)) is not None:
            numbers[word] = numbers[padded]
        if word not in numbers:
            raise DataError(f"{place}: {unknown_word(word, names)}")
    return [[numbers[word] for word in each] for each in words], names


def multi_hot(numbers: Sequence[int], num_classes: int) -> npt.NDArray[np.float32]:
    """Return 1 for each of the numbers, else 0: float32 ``(num_classes,)``."""
    hot = np.zeros(num_classes, np.float32)
    hot[list(numbers)] = 1
    return hot


def number_names(highest: int) -> tuple[str, ...]:
    """Return names for the classes from 0 to ``highest`` that nobody named: their numbers.

    Raises:
        DataError: there would be more classes than any dataset has.
    """
    if highest >= MOST_CLASSES:
        raise DataError(
            f"there is a class number {highest}; class numbers count up from 0, or name them all in 'classes'"
        )
    return tuple(str(number) for number in range(highest + 1))


def _check_number(word: str, place: str) -> None:
    """Refuse a label that is a whole number, but not one that counts classes."""
    if _WHOLE.fullmatch(word):
        raise DataError(
            f"{place}: {word!r} is no class number; write whole numbers from 0 on, or name all in 'classes'"
        )
