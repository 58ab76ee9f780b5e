"""``tests/coverage_ledger.md``: every name of the five systems has a row, and the tests in it exist."""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "tests" / "coverage_ledger.md"
HEADER = ("there", "here", "status")

# How many rows each section has. A row is added or removed together with its number.
ROWS = {
    "DI-engine": 183,
    "OneFlow-Benchmark": 131,
    "easy-classification": 138,
    "mmclassification 0.x": 421,
    "The transfer-learning tutorial": 23,
    "What the sources' own pages print": 212,
}

# One test or several: `tests/room/test_module.py::test_name`, perhaps with the id of one case in brackets.
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[[^\]`]+\])?`")
TESTS = re.compile(rf"{TEST.pattern}(?:, {TEST.pattern})*")
LATER = "not there yet"
# How many rows say so at most: what comes gets its test for status, and this may be lowered.
NOT_YET = 47
OUT = re.compile(r"out: \S.*")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``place`` is its section and group."""

    place: tuple[str, str]
    cells: tuple[str, ...]


def read_rows(text: str) -> list[Row]:
    """Return the rows of all tables, without their headers."""
    rows, section, group = [], "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            section, group = line[3:], ""
        elif line.startswith("### "):
            group = line[4:]
        elif line.startswith("|"):
            cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            if cells != HEADER and not all(set(cell) == {"-"} for cell in cells):
                rows.append(Row((section, group), cells))
    return rows


def problem(row: Row) -> str | None:
    """Return what is wrong with a row, or None."""
    if len(row.cells) != 3 or not all(row.cells):
        return "a row has three cells, none empty"
    status = row.cells[2]
    if TESTS.fullmatch(status):
        missing = [
            f"{file}::{name}" for file, name in TEST.findall(status) if name not in names_of_tests(file)
        ]
        return f"there is no {', '.join(missing)}" if missing else None
    if status == LATER or OUT.fullmatch(status):
        return None
    return f"the status is a test in backquotes, '{LATER}' or 'out: reason'"


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the names of the tests that a file defines; none where there is no such file."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = (each.name for each in body if isinstance(each, ast.FunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read_rows(PAGE.read_text(encoding="utf-8"))


def test_no_section_has_lost_a_row(rows: list[Row]) -> None:
    assert Counter(row.place[0] for row in rows) == ROWS
    assert len(rows) == 1108


def test_what_is_not_there_yet_does_not_become_more(rows: list[Row]) -> None:
    assert sum(row.cells[-1] == LATER for row in rows) <= NOT_YET


def test_every_row_is_whole_and_its_test_is_there(rows: list[Row]) -> None:
    assert [f"{row.cells}: {found}" for row in rows if (found := problem(row))] == []


def test_no_name_has_two_rows_in_one_group(rows: list[Row]) -> None:
    counts = Counter((row.place, row.cells[0]) for row in rows)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_table_stands_in_a_group_and_has_the_header() -> None:
    text = PAGE.read_text(encoding="utf-8")
    groups = re.findall(r"^### .+\n\n(.*)\n(.*)\n", text, re.M)
    assert len(groups) == len(re.findall(r"^### ", text, re.M)) > len(ROWS)
    assert set(groups) == {(f"| {' | '.join(HEADER)} |", "|---|---|---|")}


HERE = "tests/docs/test_coverage.py"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"| `a` | b | `{HERE}::test_a_bad_row_is_found` |", None),
        (f"| `a` | b | `{HERE}::test_a_bad_row_is_found[line-None]` |", None),
        (f"| `x \\| y` | b | `{HERE}::test_a_bad_row_is_found` |", None),
        ("| `a` | b | not there yet |", None),
        ("| `a` | b | out: a service that is not public |", None),
        (f"| `a` | b | `{HERE}::test_of_nothing` |", f"there is no {HERE}::test_of_nothing"),
        (f"| `a` | b | `{HERE}::read_rows` |", f"there is no {HERE}::read_rows"),
        ("| `a` | b | `tests/docs/test_gone.py::test_a` |", "there is no tests/docs/test_gone.py::test_a"),
        (
            f"| `a` | b | `{HERE}::test_a_bad_row_is_found`, `{HERE}::test_of_nothing` |",
            f"there is no {HERE}::test_of_nothing",
        ),
        ("| `a` | b | later |", "the status is"),
        ("| `a` | b | not there yet, later |", "the status is"),
        ("| `a` | b | out: |", "the status is"),
        ("| `a` | b | yes |", "the status is"),
        ("| `a` | b | |", "a row has three cells"),
        ("| `a` | not there yet |", "a row has three cells"),
        ("| `x | y` | b | not there yet |", "a row has three cells"),
    ],
)
def test_a_bad_row_is_found(line: str, expected: str | None) -> None:
    (row,) = read_rows(f"## Section\n\n### Group\n\n| there | here | status |\n|---|---|---|\n{line}\n")
    assert row.place == ("Section", "Group")
    found = problem(row)
    assert found == expected if expected is None else str(found).startswith(expected)
