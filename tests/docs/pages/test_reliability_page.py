"""The page about faults: what it names is there, its codes are the errors', its figures a script's."""

import importlib
import re
from pathlib import Path

import pytest

from ding_cls import errors

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reliability.md"
TEXT = PAGE.read_text(encoding="utf-8")


def rows_below(header: str) -> list[list[str]]:
    """Return the cells of each row of the table with this header."""
    table = TEXT.partition(f"| {header} |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_every_promise_names_a_test_or_script_that_is_there() -> None:
    rows = rows_below("promise | fault | test or script | figure")
    assert len(rows) >= 11
    for _, _, shown, figure in rows:
        found = re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/.]+)\)", shown)
        assert found, shown
        for name, path in found:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert name == Path(path).name or re.search(rf"^def {name}\(", source, re.M), (name, path)
        assert figure


def test_the_exit_codes_are_those_of_the_errors() -> None:
    codes = {int(row[0]) for row in rows_below("code | meaning | what to do")}
    of_errors = {each.exit_code for each in vars(errors).values() if hasattr(each, "exit_code")}
    assert codes == of_errors | {0, 1, int(errors.RunStopped("").code or 0)}


def test_the_mixtures_are_those_of_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    mixtures = importlib.import_module("kill_campaign.mixtures").MIXTURES
    assert len(mixtures) == 3
    for mixture in mixtures:
        assert f"- {mixture.what}\n" in TEXT


@pytest.mark.parametrize("name", ["kills", "stops"])
def test_the_figures_stand_between_their_marks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    figures = importlib.import_module("kill_campaign.figures")
    page = tmp_path / "page.md"
    page.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(figures, "PAGE", page)
    figures.write_block(name, ["| a |", "|---|"], 61.4)
    figures.write_block(name, ["| b |", "|---|"], 12.0)
    written = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}, written by benchmarks/kills.py -->", f"<!-- end of {name} -->"
    assert written.partition(begin)[0] == TEXT.partition(begin)[0]
    assert written.partition(end)[2] == TEXT.partition(end)[2]
    block = written.partition(begin)[2].partition(end)[0]
    assert block.startswith("\n\n| b |\n|---|\n\n")
    assert "torch" in block
    assert block.endswith("; 12 s.\n\n")
    with pytest.raises(RuntimeError, match="has no marks"):
        figures.write_block("other", [], 0.0)
