"""What is told of a table that was read: which columns are taken, and what is read otherwise than written.

It must not know files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ding_cls.images.tables.reading import listed


def named_columns(table: Any) -> tuple[str, ...]:
    """Return which columns of a `LabelTable`, or of the dataset of one, are taken."""
    return tuple(
        f"{kind} from {table.columns[kind]!r}" for kind in ("path", "label", "split") if kind in table.columns
    )


def remarks_on(table: Any, *, is_training: bool) -> Iterator[str]:
    """Yield what else is to be told of it; weights have a meaning in training alone, and groups."""
    weight, group = (table.columns.get(kind) if is_training else None for kind in ("weight", "group"))
    if table.has_flags:
        kind = "several labels" if table.labels == "several" else "one label"
        is_either = table.is_one_hot and table.labels == "several" and is_training
        hint = " (policy.collect.train.labels=one reads one: each line has one 1)" if is_either else ""
        yield f"columns of 0 and 1, read as {kind}{hint}"
    elif table.labels == "several":
        yield f"several labels, with {table.separator!r} between them"
    if weight is not None:
        yield f"weights in the loss from {weight!r} (weight=None leaves them out)"
    if group is not None:
        yield f"groups from {group!r}, which stay together in kfold"
    if table.unused:
        yield f"not used: {listed(table.unused)}"
    yield from table.remarks
