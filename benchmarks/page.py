"""Tables of ``docs/performance.md``: each script replaces its own, between its marks."""

import re
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
_HEAD = """# Performance

What training costs beside a bare loop. Every table is written by the script that its mark names; read ratios
and differences within a table, not times across machines.
"""


def write_block(name: str, script: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put lines between the marks of ``name``; where the page has none, at its end. All else stays."""
    begin, end = f"<!-- {name}, written by {script} -->", f"<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    block = "\n".join([begin, "", *lines, "", end])
    if begin in text:
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
