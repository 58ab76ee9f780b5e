"""What names tell: classes that look alike, files that belong together.

It must not look at files.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ding_cls.images.class_names import same_words

# Letters of Cyrillic and Greek that look as Latin ones do, in upper and lower case.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορ",
    "ABESIJKMHOPCTYXaesijopcyxhdqwABEZHIKMNOPTYXavop",
)
# What comes before the last separator; or before one letter behind a digit.
_GROUP = (re.compile(r"(.*[^ _.\-])[ _.\-]+[^ _.\-]*"), re.compile(r"(.*[0-9])[A-Za-z]"))
# A part of the name that so many images have is that of a class, a batch or a camera.
_LARGEST_GROUP, _LARGEST_SHARE = 20, 0.05
_FEWEST_OF_CLASS, _SHARE_OF_CLASS = 20, 0.5


def alike_names(names: Iterable[str]) -> list[list[str]]:
    """Return the names that are one word to the eye.

    They differ in Unicode forms, case, white space, zeros in front, invisible characters, or letters of other
    scripts that look like Latin ones.
    """
    return same_words(dict.fromkeys(names), read_as=lambda name: name.translate(_LOOK_ALIKES))


def group_in_name(path: str) -> str:
    """Return the part of a file's name that may say what it is an image of; empty where there is none.

    Of ``patient_012_a.jpg`` that is ``patient_012``, of ``012b.png`` it is ``012``: what comes before the
    last of `` _.-``, or before one letter behind a digit; there must be a digit in it.
    """
    stem = os.path.splitext(os.path.basename(path))[0]
    found = (pattern.fullmatch(stem) for pattern in _GROUP)
    parts = (each[1] for each in found if each)
    return next((part for part in parts if any(letter.isdigit() for letter in part)), "")


def groups_in_names(paths: Sequence[str], classes: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the group of each image by its name, as `group_in_name`, where that can be one.

    It is none where more than 20 images and a twentieth of all share it, or more than half of a class of over
    20 images.

    Args:
        paths: of the images.
        classes: of each.
    """
    keys = [group_in_name(path) for path in paths]
    sizes, class_sizes = Counter(keys), Counter(classes)
    in_class: defaultdict[tuple[str, tuple[str, ...]], int] = defaultdict(int)
    for key, each in zip(keys, classes, strict=True):
        in_class[key, each] += 1
    most = max(_LARGEST_GROUP, _LARGEST_SHARE * len(paths))
    dropped = {key for key, size in sizes.items() if size > most}
    dropped |= {
        key
        for (key, each), size in in_class.items()
        if class_sizes[each] > _FEWEST_OF_CLASS and size > _SHARE_OF_CLASS * class_sizes[each]
    }
    return ["" if key in dropped else key for key in keys]
