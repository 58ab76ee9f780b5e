"""``docs/config.md`` is drawn from the schema, by the script beside it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ding_cls.config.defaults import ROOT, Tree

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_config", DOCS / "draw_config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
