"""``docs/second-spelling.md`` is drawn from the table, by the script beside it."""

from types import ModuleType

import pytest

from ding_cls.config.openmmlab.key_table import TABLE
from ding_cls.config.openmmlab.translate import to_native
from tests.docs.scripts import DOCS, script_of


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return script_of("draw_second_spelling")


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    written = (DOCS / "second-spelling.md").read_text(encoding="utf-8")
    assert written == script.page(), "the table has changed; run: python docs/draw_second_spelling.py"


def test_every_row_of_the_table_is_on_the_page(script: ModuleType) -> None:
    table = script.page().split("| second spelling | here | notes |")[1]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert rows == [row.old for row in TABLE]


def test_the_example_of_a_key_that_moves_along_is_true() -> None:
    native = to_native({"optimizer": {"type": "Adam", "lr": 0.1, "betas": (0.9, 0.99)}})[0].cfg
    assert native["policy"]["learn"]["optimizer"]["betas"] == (0.9, 0.99)
