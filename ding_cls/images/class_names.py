"""Names of classes: lists and maps of them, words in two forms, one list against another.

It knows names; it must not know samples, arrays or files.
"""

from __future__ import annotations

import difflib
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ding_cls.errors import DataError

_LOGGER = logging.getLogger(__name__)

DIGITS = re.compile(r"[0-9]+")
_NUM_DIGITS = 18
# As one counts: 007 and 1e3 are words. What is longer is a code, and would be slow to convert.
_COUNT = re.compile(r"0|[1-9][0-9]{0,17}")


def count_in(word: str) -> int | None:
    """Return the number that a word counts; None for ``007``, ``1e3`` and whatever else is a word."""
    return int(word) if _COUNT.fullmatch(word) else None


def listed_names(classes: Mapping[Any, Any] | Iterable[Any]) -> tuple[str, ...]:
    """Return the class names that a list means, or a map between names and class numbers.

    Raises:
        DataError: the numbers of a map are not those from 0 on, or an entry is no text.
    """
    if isinstance(classes, Mapping):
        return _names_of_map(classes)
    names = list(classes)
    odd = next((each for each in names if each is None or isinstance(each, bool | float)), "")
    if odd != "":
        raise DataError(f"the class list has {odd!r}, which is no text; write it in quotes")
    return tuple(each.decode() if isinstance(each, bytes) else str(each) for each in names)


def words_in_two_forms(names: Iterable[str]) -> str:
    """Return the line that tells of classes whose names are one word, but for case, white space, zeros in
    front or how it is written in Unicode; empty where there are none."""
    found = same_words(names)
    if not found:
        return ""
    first, second = found[0][:2]
    more = f", and {len(found) - 1} more such words" if len(found) > 1 else ""
    return (
        f"{shown(first, second)} and {shown(second, first)} are two classes and one word in two forms"
        f"{more}; write them alike if they mean the same"
    )


def same_words(names: Iterable[str], *, read_as: Callable[[str], str] = str) -> list[list[str]]:
    """Return the names that are one word in several forms, word by word.

    Args:
        names: each once.
        read_as: what each name is read as first, such as without look-alike letters.
    """
    forms: dict[str, list[str]] = {}
    for name in names:
        forms.setdefault(_form(read_as(name)), []).append(name)
    return [each for each in forms.values() if len(each) > 1]


def order_of_numbers(names: Sequence[str]) -> str:
    """Return the line that tells of classes called by numbers that are in another order than their numbers;
    empty where they are not, or the names are no numbers."""
    numbers = [number for name in names if (number := count_in(name)) is not None]
    if len(numbers) < len(names) or numbers == sorted(numbers):
        return ""
    by_number = [str(number) for number in sorted(numbers)]
    position = next(place for place, name in enumerate(names) if name != by_number[place])
    return (
        f"the classes are in the order of text, not of numbers: class {position} is {names[position]!r}, and "
        f"{by_number[position]!r} is class {names.index(by_number[position])}"
    )


def renumbering(own: Sequence[str], given: Sequence[str], owner: str) -> tuple[int, ...] | None:
    """Return the number that each class of a dataset has in another list of classes, by its name.

    Args:
        own: the dataset's names, in the order of its numbers.
        given: the other list.
        owner: how a message names the dataset.

    Returns:
        None where numbers stay: the lists are alike, or the other one names the same positions anew, which
        a line tells.

    Raises:
        DataError: a class is missing in the other list, or its positions are other classes'.
    """
    numbers = {name: number for number, name in enumerate(given)}
    if tuple(own) == tuple(given[: len(own)]):
        return None
    if all(name in numbers for name in own):
        return tuple(numbers[name] for name in own)
    missing = next(name for name in own if name not in numbers)
    check_renamed(own, given, f"{owner}: the class {unknown_word(missing, given)}")
    position = own.index(missing)
    _LOGGER.warning(
        "%s: the class %r is none of %d, so labels are positions: %d is %r",
        *(owner, missing, len(given), position, given[position]),
    )
    return None


def check_renamed(own: Sequence[str], given: Sequence[str], problem: str) -> None:
    """Check that a list names the positions of another anew: no word, or number in it, is elsewhere.

    Raises:
        DataError: it does not; ``problem`` says so.
    """
    forms = {_form(name): position for position, name in enumerate(given)}
    is_moved = any(forms.get(_form(name), position) != position for position, name in enumerate(own))
    numbers, others = numbers_in(own), numbers_in(given)
    is_moved = is_moved or (numbers.keys() == others.keys() and numbers != others)
    if is_moved or len(own) != len(given):
        raise DataError(problem)


def unknown_word(word: str, names: Sequence[str]) -> str:
    """Return what to say of a word that is none of the classes."""
    text = f"{word!r} is none of the {len(names)} classes"
    if (alike := same_word(word, names)) is not None:
        return f"{text}; {shown(alike, word)} is the same word in another form: write it so"
    number = count_in(word)
    if number is not None and number < len(names):
        would = f"labels are names, not positions ({word} would be {names[number]!r})"
        return f"{text}; {would}: name it in 'classes'"
    near = nearest_name(word, names)
    return f"{text}; " + (f"did you mean {near}?" if near else "correct it, or name it in 'classes'")


def padded_name(word: str, names: Sequence[str], place: str) -> str | None:
    """Return the class whose name is a word with white space around it, which a list cannot write, and tell
    it; None where there is not one."""
    found = [name for name in names if name.strip() == word and name != word]
    if len(found) != 1:
        return None
    _LOGGER.warning("%s: %r is the class %r, whose name has white space around it", place, word, found[0])
    return found[0]


def nearest_name(word: str, names: Sequence[str]) -> str:
    """Return the name that was probably meant, as a message shows it; empty where none is near."""
    alike = same_word(word, names)
    near = [alike] if alike is not None else difflib.get_close_matches(word, names, n=1)
    return shown(near[0], word) if near else ""


def same_word(word: str, names: Sequence[str]) -> str | None:
    """Return the name that is a word in another form; None where there is none."""
    form = _form(word)
    return next((name for name in names if _form(name) == form), None)


def holds_same_word(words: Iterable[str], names: Iterable[str]) -> bool:
    """Return whether one of the words is one of the names, in any form."""
    return not {_form(word) for word in words}.isdisjoint(map(_form, names))


def shown(word: str, other: str) -> str:
    """Return a word so that it differs from another one also where both look the same."""
    same = unicodedata.normalize("NFC", word) == unicodedata.normalize("NFC", other)
    return ascii(word) if same else repr(word)


def numbers_in(names: Sequence[str]) -> dict[int, int]:
    """Return the position of each name by the number in it; empty where not each has one of its own."""
    found = [DIGITS.findall(name) for name in names]
    if any(len(each) != 1 or len(each[0]) > _NUM_DIGITS for each in found):
        return {}
    numbers = {int(each): position for position, (each,) in enumerate(found)}
    return numbers if len(numbers) == len(names) else {}


def _names_of_map(given: Mapping[Any, Any]) -> tuple[str, ...]:
    readings = set()
    for pairs in (list(given.items()), [(name, number) for number, name in given.items()]):
        numbered = {_number(number): name for number, name in pairs if isinstance(name, str | int)}
        if numbered.keys() == set(range(len(given))):
            readings.add(tuple(str(numbered[number]) for number in range(len(given))))
    if len(readings) != 1:
        raise DataError(
            f"the map of {len(given)} classes must give each name its number, or each number its name; "
            f"the numbers are those from 0 to {len(given) - 1}"
        )
    return readings.pop()


def _number(value: Any) -> int | None:
    if isinstance(value, str):
        return count_in(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _form(word: str) -> str:
    """Return a word without case, invisible characters, outer white space, zeros in front, ``.0`` behind."""
    text = word
    if not word.isascii():
        text = unicodedata.normalize("NFKC", word)
        text = "".join(each for each in text if unicodedata.category(each) != "Cf")
    text = unicodedata.normalize("NFKC", " ".join(text.split()).casefold())
    number = re.fullmatch(r"0*([0-9]+)(?:\.0+)?", text)
    return number[1] if number else text
