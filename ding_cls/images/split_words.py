"""The words that mean training, validation and test, in the names of folders and in a table's column.

It knows words; it must not know files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ding_cls.common.counting import first_few

WORDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "val": (
        *("val", "vals", "valid", "validation", "validate", "validating"),
        *("dev", "devel", "development", "eval", "evaluation", "evaluate", "evaluating"),
    ),
    "test": ("test", "tests", "testing", "tst"),
}
"""The splits, and the words that mean each of them, in lower case."""

SPLIT_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
"""The splits, and the names that a message offers for the folder of each."""

# Beside a word for validation these mean the test split: training, validation, evaluation.
_LAST = ("eval", "evaluation", "evaluate", "evaluating")
_USUAL = ("train", "training", "val", "valid", "validation", "test", "testing")
_JUDGED = ("val", "validation", "test", "testing")
_ADDED = "datasets?|data|sets?|images?|imgs?|pictures?|photos?|folder|splits?|jpe?g|png|part"
_NAME = re.compile(
    rf"(?:{_ADDED}|\d)*(?P<word>{'|'.join(word for words in WORDS.values() for word in words)})"
    rf"(?:{_ADDED}|\d+x\d+|\d+px|\d)*"
)
_MAX_LISTED = 6
# Nobody calls a split by more; the pattern would try long names in too many ways.
_LONGEST = 60
# Words as people join them: seg_train, TestData, trainA.
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MEANT = {word: split for split, words in WORDS.items() for word in words} | {"trainval": "train"}


def split_of(name: str) -> str | None:
    """Return the split that a name means, in any case and form: 'Training', 'TEST_SET', 'val2017'.

    Returns:
        'train', 'val' or 'test'; None where it means none of them.
    """
    return _MEANT.get(_word_in(name))


def splits_among(names: Iterable[str]) -> dict[str, list[str]]:
    """Return which of some names mean each split, in their order.

    A word such as 'evaluation' means the test split where another one means validation and none means test.
    """
    found: dict[str, list[str]] = {split: [] for split in WORDS}
    for name in names:
        if split := split_of(name):
            found[split].append(name)
    last = [name for name in found["val"] if _word_in(name) in _LAST]
    if last and not found["test"] and len(last) < len(found["val"]):
        found["val"] = [name for name in found["val"] if name not in last]
        found["test"] = last
    return found


def is_plain(name: str) -> bool:
    """Return whether a name is one of the usual words and nothing else, so that what it means is plain."""
    return _letters(name) == name.casefold() and _letters(name) in _USUAL


def divisions(names: Sequence[str]) -> list[str]:
    """Return those of some folders' names that show together that the folders are splits and no classes.

    One of them means training and another what is not trained on; or all of them mean splits. Beside a plain
    'Training' a name with such a word in it, as 'PublicTest', is enough; as are two that differ in it alone:
    'seg_train' and 'seg_test'.
    """
    strict = {name: split_of(name) for name in names}
    meant = {*strict.values()}
    if None not in meant and (len(meant) > 1 or (meant == {"train"} and any(map(is_plain, names)))):
        return list(names)
    loose = {name: hint for name in names if (hint := _meant_by_a_piece(name))}
    trained = [name for name, (split, _) in loose.items() if split == "train"]
    judged = [name for name, (split, _) in loose.items() if split != "train"]

    def belong(one: str, other: str) -> bool:
        return strict[one] is not None or strict[other] is not None or loose[one][1] == loose[other][1]

    found = {each for one in trained for other in judged if belong(one, other) for each in (one, other)}
    return [name for name in names if name in found]


def split_hinted(name: str) -> str | None:
    """Return the split that a name means, or that a word in it does: 'train' for 'seg_train'; else None."""
    found = _meant_by_a_piece(name)
    return None if found is None else found[0]


def counterparts(name: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Return which of some names differ from one in the word for a split alone, by the split they mean."""
    # Where training has the images of validation too, these are no other split.
    own = None if "trainval" in _letters(name) else _meant_by_a_piece(name)
    found: dict[str, list[str]] = {}
    for other in names:
        meant = _meant_by_a_piece(other)
        if own and meant and meant[1] == own[1] and meant[0] != own[0]:
            found.setdefault(meant[0], []).append(other)
    return found


def with_word(name: str, word: str) -> str:
    """Return a name with another word where it has one for a split."""
    found = next((each for each in _PIECES.finditer(name) if each[0].casefold() in _MEANT), None)
    return name if found is None else f"{name[: found.start()]}{word}{name[found.end() :]}"


def line_on_classes(classes: Iterable[str]) -> str:
    """Return the line about classes whose folders may be meant for splits; empty where there are none."""
    found = [name for name in classes if name.casefold() in _JUDGED]
    listed = ", ".join(map(repr, found))
    return f"taken for a class: {listed}; if it is a split, move it out of the classes" if found else ""


def same_word(name: str, other: str) -> bool:
    """Return whether two names are one word in two cases, or with other marks in it."""
    return _letters(name) == _letters(other)


class ChosenWords(NamedTuple):
    """The words of a table's column that mean one split.

    Attributes:
        words: these.
        taken: the line that says that another word is taken; empty where there is none.
        left_out: the line that counts what no usual split holds; likewise.
    """

    words: frozenset[str]
    taken: str = ""
    left_out: str = ""


def words_of_split(counts: Mapping[str, int], split: str) -> ChosenWords:
    """Return the words of a column that mean a split.

    The word itself comes first, in any case; without it all that means the same: 'Validation' for 'val'.

    Args:
        counts: the words, and how many lines have each.
        split: the split, as the user calls it.

    Raises:
        ValueError: no word means it, or several do in different ways; the message says which there are.
    """
    meant = split_of(split)
    same = [word for word in counts if word and same_word(word, split)]
    alike = splits_among(filter(None, counts)).get(meant or "", [])
    chosen = [split] if split in counts and not same else same or alike
    listed = first_few([f"{word!r} ({count:,})" for word, count in counts.items()], _MAX_LISTED)
    if not chosen:
        raise ValueError(f"no line says {split!r}; there are {listed}")
    if any(not same_word(word, chosen[0]) for word in chosen):
        raise ValueError(f"{' and '.join(map(repr, chosen))} mean the same split; say which one in split=")
    verb = "is" if len(chosen) == 1 else "are"
    taken = f"{' and '.join(map(repr, chosen))} {verb} taken as {split!r}"
    others = [word for word in alike if word not in chosen]
    if meant:
        others += [word for word in counts if split_of(word) is None and word not in chosen]
    said = ", ".join(f"{word!r} ({counts[word]:,})" for word in others[:_MAX_LISTED])
    return ChosenWords(
        frozenset(chosen),
        taken if chosen != [split] else "",
        f"lines are left out that say {said}" if others else "",
    )


def _letters(name: str) -> str:
    """Return a name in lower case, without what stands between its letters and digits."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _word_in(name: str) -> str:
    """Return the word for a split that a name consists of, with what may stand beside it; else nothing."""
    found = _NAME.fullmatch(_letters(name)) if len(name) <= _LONGEST else None
    return "" if found is None else found["word"]


def _meant_by_a_piece(name: str) -> tuple[str, str] | None:
    """Return the split that a piece of a name means, and what the name is without it; None: there is none."""
    if split := split_of(name):
        return split, _letters(name).replace(_word_in(name), "", 1)
    for found in _PIECES.finditer(unicodedata.normalize("NFKC", name)):
        if split := _MEANT.get(found[0].casefold()):
            return split, _letters(name[: found.start()] + name[found.end() :])
    return None
