"""No file imports itself, by however many others: at the top, for a type checker or inside a function."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "ding_cls"
# The package's lazy face names every room; nothing inside is imported through it.
ROOT = "ding_cls"


@cache
def modules() -> dict[str, Path]:
    """Return all files by module name, less the package's own face."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in names.items() if name != ROOT}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of each import, wherever it is; an empty name where a module as such is meant."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Import):
            yield from ((alias.name, "") for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            assert each.level == 0, "relative imports are not used here"
            yield from ((each.module or "", alias.name) for alias in each.names)
        elif isinstance(each, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield from imports(each)


@cache
def home(module: str, name: str) -> str | None:
    """Return the file in which a name is defined that ``from module import name`` gives; None outside."""
    if f"{module}.{name}" in modules():
        return f"{module}.{name}"
    if module not in modules():
        return None
    if modules()[module].name != "__init__.py":
        return module
    for node in tree(module).body:
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                if (each.asname or each.name) == name:
                    return home(node.module or "", each.name)
    return module


def edges() -> dict[str, set[str]]:
    """Return, by file, the files that it imports."""
    return {
        module: {found for pair in imports(tree(module)) if (found := home(*pair)) not in (None, module)}
        for module in modules()
    }  # type: ignore[return-value]


def circles(graph: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """Return the strongly connected components with more than one member."""
    reached = {start: _reached(graph, start) for start in graph}
    return {
        component
        for start in graph
        if len(component := frozenset({start, *(o for o in reached[start] if start in reached[o])})) > 1
    }


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_no_file_is_in_a_circle_of_imports() -> None:
    graph = edges()
    assert len(graph) > 200
    assert sum(map(len, graph.values())) > 1000
    assert [sorted(each) for each in circles(graph)] == []


def test_a_circle_is_found_wherever_the_import_is() -> None:
    body = ast.parse(
        "from typing import TYPE_CHECKING\nimport a\nif TYPE_CHECKING:\n    from b import c\n"
        "class C:\n    def f(self):\n        try:\n            import g\n"
        "        except E:\n            from d import e\n"
    )
    assert set(imports(body)) == {("typing", "TYPE_CHECKING"), ("a", ""), ("b", "c"), ("g", ""), ("d", "e")}
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {frozenset("abc")}
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_a_name_of_a_face_is_that_of_its_file() -> None:
    assert home("ding_cls.worker", "BaseLearner") == "ding_cls.worker.learner.base_learner"
    assert home("ding_cls.worker.learner", "base_learner") == "ding_cls.worker.learner.base_learner"
    assert home("ding_cls.config.defaults", "LEARNER") == "ding_cls.config.defaults"
    assert home("torch", "nn") is None
