"""Any text is shown as it is, and none of it is markup."""

import re

import pytest
from markdown_it import MarkdownIt

from ding_cls.report.markdown import code, escaped, facts, table

NAMES = (
    "a|b",
    "a\nb",
    "<script>alert(1)</script>",
    "**bold** _it_ __init__ ~~x~~",
    "[x](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "`tick` ``two``",
    "$x^2$ &amp; &lt;",
    "\\| \\",
    "שלום",
    "🌷",
    "@me :cat: http://x.y",
    "---",
    "snake_case",
)


def shown_text(html: str) -> str:
    text = re.sub(r"<[^>]*>", "", html)
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, letter)
    return text.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_markup_in_a_cell(name: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(facts([(name, "value")]))
    row = html.split("<tbody>")[1]
    tags = set(re.findall(r"<(\w+)", row))
    assert tags == {"tr", "td"}, row
    assert row.count("<td>") == 2
    assert shown_text(row.split("</td>")[0]) == name.replace("\n", "\\n")


def test_words_stay_readable() -> None:
    assert escaped("snake_case: 1 (2) [3]") == "snake_case: 1 (2) \\[3\\]"
    assert escaped("\u202eabc") == "\\\\u202eabc"
    assert escaped(":cat: http://x") == "\\:cat: http\\://x"


def test_a_fence_is_longer_than_what_is_in_it() -> None:
    assert code("a") == "```\na\n```"
    html = MarkdownIt().render(code("````\nx <b>", "text"))
    assert shown_text(html) == "````\nx <b>"


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
