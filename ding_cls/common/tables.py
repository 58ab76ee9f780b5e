"""Tables as files, whole or not at all, whatever the names in them are made of."""

import csv
import io
import os
from collections.abc import Iterable, Sequence

from ding_cls.common.files import atomic_write


def write_csv(path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Publish a CSV file in UTF-8, with quotes where a cell needs them.

    File names that are no UTF-8 keep their bytes. The rows may come from a generator: they are written as
    they come, and nothing is published where it fails.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as file:
        text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        text.flush()
        text.detach()
