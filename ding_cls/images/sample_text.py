"""Names and labels of samples as text, of which a digest says whether two sets are the same.

It must not know files or datasets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np


def listed(names: Iterable[str], values: Iterable[object]) -> bytes:
    """Return ``name\\0value\\n`` for each sample, in UTF-8 or in the file system's own bytes."""
    text = "".join([f"{name}\0{value}\n" for name, value in zip(names, values, strict=True)])
    return text.encode(errors="surrogateescape")


def below_their_folder(names: list[str]) -> list[str]:
    """Return names below the folder that all lie in, where they are absolute."""
    if not names or not all(map(os.path.isabs, names)):
        return names
    first, last = min(names), max(names)
    length = len(os.path.commonpath([first, last]) if first != last else os.path.dirname(first))
    return [name[length:].lstrip(os.sep) for name in names]


def label_texts(targets: Any) -> list[str]:
    """Return each of a list or an array of labels as text."""
    if len(targets) and np.ndim(targets[0]) > 0:
        # A row at a time: all of them in one array are a gigabyte for 30,000 samples of 1,000 classes.
        known: dict[bytes, str] = {}
        return [_row_text(np.asarray(each).reshape(-1), known) for each in targets]
    return list(map(str, np.asarray(targets).tolist()))


def _row_text(row: Any, known: dict[bytes, str]) -> str:
    """Return a row of labels as text: all whole numbers, or of floats those that are not 0, by place.

    Args:
        row: ``(K,)``.
        known: the texts so far, by content.
    """
    is_whole = np.issubdtype(row.dtype, np.integer)
    row = np.ascontiguousarray(row, np.int64 if is_whole else np.float64)
    key = row.tobytes()
    if key not in known:
        places = range(len(row)) if is_whole else np.flatnonzero(row).tolist()
        known[key] = ",".join(f"{row[k]}" if is_whole else f"{k}:{row[k]:.9g}" for k in places)
    return known[key]
