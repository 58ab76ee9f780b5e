"""Texts with one entry a line: lists of images, with or without labels, and of class names.

They must not know images.
"""

import json
import os
from typing import Any

from ding_cls.errors import DataError


def read_pairs(path: str) -> tuple[list[str], list[str], list[str]]:
    """Return names, labels and places of the lines ``path label``."""
    names, labels, places = [], [], []
    for number, line in enumerate(read_lines(path, "annotation file"), 1):
        # A path may hold spaces; the label is the last word.
        words = line.rsplit(maxsplit=1)
        if len(words) == 1:
            raise DataError(f"{path!r}, line {number}: {line!r} is not of the form 'path label'")
        if words:
            names.append(words[0])
            labels.append(words[1])
            places.append(f"{path!r}, line {number}")
    return names, labels, places


def read_class_names(path: str | os.PathLike[str]) -> Any:
    """Return the class names in a text, one a line, or in a ``.json`` file as it has them.

    Raises:
        DataError: it cannot be read.
    """
    lines = read_lines(path, "file of class names")
    if not os.fspath(path).lower().endswith(".json"):
        return [line for line in lines if line]
    try:
        names = json.loads("\n".join(lines))
    except ValueError as error:
        raise DataError(f"the file of class names {os.fspath(path)!r} is no JSON: {error}") from error
    if not isinstance(names, list | dict):
        raise DataError(f"the file of class names {os.fspath(path)!r} holds neither a list nor a map")
    return names


def read_lines(path: str | os.PathLike[str], what: str) -> list[str]:
    """Return the lines of a text without the white space around them.

    Raises:
        DataError: it cannot be read; ``what`` names it.
    """
    try:
        # utf-8-sig: some editors begin a file with a byte order mark.
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise DataError(f"the {what} {os.fspath(path)!r} cannot be read: {reason}") from error
