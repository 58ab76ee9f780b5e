"""Lines and tables on the standard output: by rich, or plainly where that is not installed.

It must not know what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Rows = Sequence[Sequence[str]]


class Screen(Protocol):
    """What prints."""

    def line(self, text: str = "", *, is_dim: bool = False) -> None:
        """Print a line as it is, however long."""

    def grid(self, rows: Rows, *, right: int, has_dim_end: bool = False) -> None:
        """Print rows in columns without a frame.

        Args:
            rows: cells, as many in each row.
            right: the column of numbers, which end below each other.
            has_dim_end: the last column is less important.
        """

    def table(self, header: Sequence[str], rows: Rows) -> None:
        """Print a table: the first column is text, and may be folded; the others are numbers."""


def in_a_line(text: str) -> str:
    """Return text of a file or a stranger without line breaks and what moves a terminal's cursor: these stand
    there as escapes."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def build_screen() -> Screen:
    """Return what prints here."""
    try:
        return RichScreen()
    except ImportError:
        return PlainScreen()


class RichScreen:
    """By rich, which knows how wide the terminal is."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console: Any = Console(highlight=False, soft_wrap=True)

    def line(self, text: str = "", *, is_dim: bool = False) -> None:
        """Print a line."""
        self._console.print(text, markup=False, style="dim" if is_dim else None)

    def grid(self, rows: Rows, *, right: int, has_dim_end: bool = False) -> None:
        """Print rows."""
        from rich.markup import escape
        from rich.table import Table

        grid, count = Table.grid(padding=(0, 2)), max(map(len, rows), default=0)
        for column in range(count):
            style = "dim" if has_dim_end and column == count - 1 else ""
            grid.add_column(justify="right" if column == right else "left", style=style)
        for row in rows:
            grid.add_row(*map(escape, row))
        self._console.print(grid)

    def table(self, header: Sequence[str], rows: Rows) -> None:
        """Print a table."""
        from rich.markup import escape
        from rich.table import Table

        table = Table()
        table.add_column(header[0], overflow="fold")
        for name in header[1:]:
            table.add_column(escape(name), justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*map(escape, row))
        self._console.print(table)


class PlainScreen:
    """By spaces."""

    def line(self, text: str = "", *, is_dim: bool = False) -> None:
        """Print a line."""
        print(text)

    def grid(self, rows: Rows, *, right: int, has_dim_end: bool = False) -> None:
        """Print rows."""
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = (
                cell.rjust(width) if column == right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  ".join(cells).rstrip())

    def table(self, header: Sequence[str], rows: Rows) -> None:
        """Print a table, a line below its header."""
        widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
        for row in (header, ["-" * width for width in widths], *rows):
            first, *others = zip(row, widths, strict=True)
            print("  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]))
