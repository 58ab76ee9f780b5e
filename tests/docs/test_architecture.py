"""``docs/architecture.md``: picture and tree are current, and every path and function it names exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.scripts import DOCS, script_of

ROOT = DOCS.parent
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
TOP = ("ding_cls", "dizoo", "docs", "tests", "entry", "examples", "benchmarks", "docker")
# A path, and perhaps a class or function in it: `ding_cls/images/image_io.py:load_rgb`.
NAMED = re.findall(rf"`((?:{'|'.join(TOP)})/[\w./-]*|[\w-]+\.(?:toml|md))(?::([\w.]+))?`", PAGE)
REDRAW = "run: python docs/draw_architecture.py"
draw = script_of("draw_architecture")


def test_the_picture_shows_the_imports_of_now() -> None:
    assert draw.picture() == draw.PICTURE.read_text(encoding="utf-8"), REDRAW


def test_no_room_imports_one_above_or_beside_it() -> None:
    height = {room: -number for number, layer in enumerate(draw.layers()) for room in layer}
    assert len(height) >= 17
    assert [pair for pair in draw.imports() if height[pair[0]] <= height[pair[1]]] == []


def test_the_tree_is_that_of_the_script() -> None:
    assert draw.page(PAGE) == PAGE, REDRAW


def test_every_folder_has_a_line_and_every_line_a_folder() -> None:
    files = [file for top in ("ding_cls", "dizoo") for file in (ROOT / top).rglob("*.py")]
    folders = {str(file.parent.relative_to(ROOT)) for file in files}
    assert sorted(folders - set(draw.FOLDERS)) == [], "add a line to FOLDERS in docs/draw_architecture.py"
    assert [path for path in draw.FOLDERS if not (ROOT / path).is_dir()] == []
    assert [path for path in draw.FILES if not (ROOT / path).is_file()] == []
    short = [(path, name) for path, line in draw.FOLDERS.items() for name in re.findall(r"`(\w+\.py)`", line)]
    assert [pair for pair in short if not (ROOT / pair[0] / pair[1]).is_file()] == []


def test_every_path_on_the_page_exists() -> None:
    assert len(NAMED) > 120
    assert [path for path, _ in NAMED if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("named", sorted({":".join(pair) for pair in NAMED if pair[1]}))
def test_every_function_on_the_page_exists(named: str) -> None:
    path, _, name = named.partition(":")
    assert name in names_in(ROOT / path)


def test_an_update_and_a_sample_are_followed_step_by_step() -> None:
    for head, count in (("## One update", 15), ("## One evaluation sample", 14)):
        numbers = re.findall(r"^\| (\d+) \| `", section(head), re.M)
        assert numbers == [str(number) for number in range(1, count + 1)]


def test_the_glossary_has_ten_words() -> None:
    assert len(rows(section("## Glossary"))) == 10
    assert len(rows(section("## Five questions"))) == 5


def test_every_registry_it_names_is_public() -> None:
    named = set(re.findall(r"`@(\w+)\.register_module\(\)`", PAGE))
    assert len(named) == 11
    assert named <= {name for name, _ in registries()}


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return functions and classes of a file, and methods as ``Class.method``."""
    found = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else []
            found.extend(f"{node.name}.{each.name}" for each in inner if isinstance(each, ast.FunctionDef))
    return frozenset(found)


def registries() -> Iterator[tuple[str, str]]:
    """Yield the names of the library's registries, with their files."""
    for file in (ROOT / "ding_cls").rglob("*.py"):
        for name in re.findall(
            r"^([A-Z_]+)(?:: [^=]+)? = Registry\(", file.read_text(encoding="utf-8"), re.M
        ):
            yield name, str(file)


def section(head: str) -> str:
    return PAGE.split(f"{head}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[str]:
    """Return the rows of a table, without its head."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]
