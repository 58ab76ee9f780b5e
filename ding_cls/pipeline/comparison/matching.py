"""Which image of one result is which of another. It must not know what was predicted."""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ding_cls.errors import DataError
from ding_cls.pipeline.comparison.judged import Judged

# A path, and which of its occurrences.
Key = tuple[str, int]


def matched(first: Judged, other: Judged) -> tuple[npt.NDArray[np.int64], str]:
    """Return where each image of ``first`` is in ``other``, and what they were matched by, in words.

    Images are matched by their paths; where these differ, by their paths below the folder that all images of
    a result share; where one of the results has none, by their places. All of them must match, and have the
    same classes: by name, or by number where one knows no names.

    Raises:
        DataError: they are not the same images, or an image has two classes.
    """
    if first.paths is None or other.paths is None:
        places, words = _by_place(first, other)
    else:
        places, words = _by_path(first.paths, other.paths, first, other)
    return places, words + _checked_classes(first, other, places)


def _by_place(first: Judged, other: Judged) -> tuple[npt.NDArray[np.int64], str]:
    nameless = first if first.paths is None else other
    if len(first) != len(other):
        raise DataError(
            f"'{first.name}' has {len(first):,} images and '{other.name}' {len(other):,}; '{nameless.name}' "
            "names none, so they are matched by place, and must be as many; compare files of the same data"
        )
    return np.arange(len(first)), f"by place: {nameless.name} names no images"


def _by_path(
    own: Sequence[str], others: Sequence[str], first: Judged, other: Judged
) -> tuple[npt.NDArray[np.int64], str]:
    (own_folder, own_below), (other_folder, other_below) = _below(own), _below(others)
    ways: list[tuple[str, list[Key], list[Key]]] = [
        ("by path", _counted(own), _counted(others)),
        (
            f"by path below {own_folder or '.'} and {other_folder or '.'}",
            _counted(own_below),
            _counted(other_below),
        ),
    ]
    common = [set(left) & set(right) for _, left, right in ways]
    words, left, right = ways[0 if len(common[0]) >= len(common[1]) else 1]
    shared = set(left) & set(right)
    alone = [[key for key in side if key not in shared] for side in (left, right)]
    if any(alone):
        raise DataError(_not_the_same(first, other, alone))
    index_of = {key: index for index, key in enumerate(right)}
    places = np.array([index_of[key] for key in left], dtype=np.int64)
    if left is not ways[0][1]:
        _check_sizes(first, other, places)
    return places, words


def _not_the_same(first: Judged, other: Judged, alone: list[list[Key]]) -> str:
    counts = [
        f"{len(keys):,} of the {len(each):,} images of '{each.name}' are not in '{rest.name}'"
        for each, rest, keys in ((first, other, alone[0]), (other, first, alone[1]))
        if keys
    ]
    path, _ = next(keys for keys in alone if keys)[0]
    return (
        f"{', and '.join(counts)}, such as {path!r}; compare results on the same images (of checkpoints: "
        "--data, --split)"
    )


def _check_sizes(first: Judged, other: Judged, places: npt.NDArray[np.int64]) -> None:
    """Refuse images of the same name in two folders, as far as both are there, that are not copies."""
    differing = [
        (mine, theirs)
        for index, place in enumerate(places)
        if os.path.isfile(mine := first.image(index))
        and os.path.isfile(theirs := other.image(int(place)))
        and os.path.getsize(mine) != os.path.getsize(theirs)
    ]
    if differing:
        mine, theirs = differing[0]
        raise DataError(
            f"{len(differing):,} of {len(places):,} images of '{first.name}' and '{other.name}' share "
            f"names and differ in size, such as '{mine}' and '{theirs}'; compare results on the same images"
        )


def _checked_classes(first: Judged, other: Judged, places: npt.NDArray[np.int64]) -> str:
    """Refuse other labels; return a remark where they could be compared by number only."""
    are_names = first.classes is not None and other.classes is not None
    mine = first.classes if are_names else first.numbers
    theirs = other.classes if are_names else other.numbers
    assert mine is not None
    assert theirs is not None
    wrong = [index for index, place in enumerate(places) if mine[index] != theirs[place]]
    if wrong:
        index = wrong[0]
        raise DataError(
            f"{len(wrong):,} of {len(places):,} images have another class in '{other.name}' than in "
            f"'{first.name}', such as {first.image(index)!r}: {theirs[places[index]]!r} and {mine[index]!r}; "
            "compare results on the same labels"
        )
    return "" if are_names else ", classes by number"


def _counted(paths: Sequence[str]) -> list[Key]:
    """Return a path with which occurrence of it this is: an image may be listed twice."""
    seen: Counter[str] = Counter()
    found: list[Key] = []
    for path in paths:
        found.append((path, seen[path]))
        seen[path] += 1
    return found


def _below(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Return the folder that all images lie in, and their paths below it."""
    tidy = [os.path.normpath(path) for path in paths]
    are_mixed = len({os.path.isabs(path) for path in tidy}) > 1
    folder = "" if are_mixed else os.path.commonpath([os.path.dirname(path) for path in tidy])
    return folder, [os.path.relpath(path, folder) if folder else path for path in tidy]
