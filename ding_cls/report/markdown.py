"""Pieces of a Markdown page from plain values: no name of a class, a file or a run is taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ding_cls.report.page import shown

# What CommonMark, GitHub and Hugging Face take for markup, a mention, a formula or an emoji inside a line.
# An underscore inside a word is none, a colon only before // and in front of an emoji's name.
_MARKUP = re.compile(r"([\\`*\[\]<>|~&$@!]|(?<![^\W_])_|_(?![^\W_])|:(?=//|[\w+-]+:))")


def escaped(text: object) -> str:
    """Return text for a line or a cell that is shown as it is; controls, bidirectional ones too, as
    escapes."""
    return _MARKUP.sub(r"\\\1", shown(text)).strip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns, from plain text."""
    return table(("", ""), [(escaped(name), escaped(value)) for name, value in pairs])


def code(text: str, language: str = "") -> str:
    """Return a block of code; its fence is longer than any row of backticks in it."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
