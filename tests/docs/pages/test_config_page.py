"""``docs/config.md`` is drawn from the schema, by the script beside it."""

from types import ModuleType

import pytest

from ding_cls.config.defaults import ROOT, Tree
from tests.docs.scripts import DOCS, script_of


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return script_of("draw_config")


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    written = (DOCS / "config.md").read_text(encoding="utf-8")
    assert written == script.page(), "the schema has changed; run: python docs/draw_config.py"


def test_every_key_has_exactly_one_row(script: ModuleType) -> None:
    tables = script.page().removeprefix(script.HEAD)
    rows = [line for line in tables.splitlines() if line.startswith("| `")]
    leaves = _count_leaves(ROOT)
    assert len(rows) == leaves
    assert leaves > 40


def _count_leaves(tree: Tree) -> int:
    return sum(_count_leaves(entry) if isinstance(entry, dict) else 1 for entry in tree.values())
