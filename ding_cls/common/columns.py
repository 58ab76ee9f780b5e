"""Rows of text in columns, for people and for scripts that read a pipe.

It must not know what the rows mean.
"""

import io
import shutil
import sys
from collections.abc import Sequence

# Wider than any row: a script that reads a pipe gets a line for each.
_UNLIMITED = 100_000


def in_columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> str:
    """Return rows as lines of text without trailing spaces.

    In a terminal what is too long in the last column goes on below it; elsewhere every row is one line.

    Args:
        rows: cells, as many in each row.
        gap: spaces between two columns.
    """
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        # An ONNX file predicts where there is NumPy, Pillow and ONNX Runtime alone.
        widths = [max(map(len, column)) + gap for column in zip(*rows, strict=True)]
        padded = (map(str.ljust, row, widths) for row in rows)
        return "\n".join("".join(row).rstrip() for row in padded)
    table = Table.grid(padding=(0, gap), pad_edge=False)
    for number in range(len(rows[0])):
        table.add_column(no_wrap=number < len(rows[0]) - 1, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    text = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED
    Console(file=text, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
