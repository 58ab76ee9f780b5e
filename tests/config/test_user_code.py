"""A config's own modules run only with leave, are found beside it, and fail in their own words."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ding_cls.config.user_code import import_user_code
from ding_cls.errors import ConfigError


def wants(imports: Any, **more: Any) -> dict[str, Any]:
    return {"custom_imports": {"imports": imports, **more}}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Modules of one test are unknown to the next, and so is where they lay."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file that exists once the module ``leaves_a_trace``, in the current folder, was imported."""
    file = tmp_path / "trace"
    Path("leaves_a_trace.py").write_text(f"open({str(file)!r}, 'w').close()\n")
    return file


@pytest.mark.parametrize("cfg", [{}, {"custom_imports": {}}, {"custom_imports": None}, wants([]), wants("")])
def test_without_imports_nothing_is_asked(cfg: dict[str, Any]) -> None:
    assert import_user_code(cfg, is_allowed=False) == ()


@pytest.mark.parametrize("imports", ["leaves_a_trace", ["leaves_a_trace"], ("leaves_a_trace",)])
def test_without_leave_nothing_is_imported_and_the_flag_is_named(imports: Any, trace: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        import_user_code(wants(imports), is_allowed=False)
    assert str(refusal.value) == (
        "custom_imports wants to import leaves_a_trace: code runs only with --allow-code (in Python: "
        "allow_code=True); look at it first, then add the flag"
    )
    assert not trace.exists()
    assert "leaves_a_trace" not in sys.modules
    assert import_user_code(wants(imports), is_allowed=True) == ("leaves_a_trace",)
    assert trace.exists()


def test_modules_beside_the_config_and_packages_are_found(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "my_package").mkdir(parents=True)
    (tmp_path / "elsewhere" / "my_package" / "inner.py").write_text("from my_neighbour import VALUE\n")
    (tmp_path / "elsewhere" / "my_neighbour.py").write_text("VALUE = 5\n")
    with pytest.raises(ConfigError, match="ModuleNotFoundError: No module named 'my_package'"):
        import_user_code(wants("my_package.inner"), is_allowed=True)
    names = import_user_code(wants("my_package.inner"), is_allowed=True, folder=tmp_path / "elsewhere")
    assert names == ("my_package.inner",)
    assert sys.modules["my_package.inner"].VALUE == 5
    assert str(tmp_path / "elsewhere") not in sys.path


def test_the_current_folder_goes_before_the_configs(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "which_one.py").write_text("VALUE = 'elsewhere'\n")
    Path("which_one.py").write_text("VALUE = 'here'\n")
    import_user_code(wants("which_one"), is_allowed=True, folder=tmp_path / "elsewhere")
    assert sys.modules["which_one"].VALUE == "here"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import numpy\n\nraise ValueError('no luck\\nat all')\n", "ValueError: no luck (broken.py:3)"),
        (
            "import not_there_at_all\n",
            "ModuleNotFoundError: No module named 'not_there_at_all' (broken.py:1)",
        ),
        ("1 / 0\n", "ZeroDivisionError: division by zero (broken.py:1)"),
        ("raise KeyError\n", "KeyError (broken.py:1)"),
        ("x = (\n", "SyntaxError: '(' was never closed (broken.py, line 1)"),
        (
            "from ding_cls.errors import ConfigError\nraise ConfigError('taken')\n",
            "ConfigError: taken (broken.py:2)",
        ),
    ],
)
def test_a_failed_import_is_told_in_one_line_with_its_place(source: str, told: str) -> None:
    Path("broken.py").write_text(source)
    with pytest.raises(ConfigError) as failure:
        import_user_code(wants("broken"), is_allowed=True)
    assert str(failure.value) == f"custom_imports: 'broken' cannot be imported: {told}"
    assert failure.value.__cause__ is not None


def test_the_place_is_the_users_even_where_the_library_raises() -> None:
    Path("broken.py").write_text("from ding_cls.registry import Registry\n\nRegistry('part').get('none')\n")
    with pytest.raises(ConfigError, match=r"there is no part named 'none'.* \(broken\.py:3\)$"):
        import_user_code(wants("broken"), is_allowed=True)


def test_imports_that_may_fail_are_warned_of(trace: Path) -> None:
    cfg = wants(["not_there_at_all", "leaves_a_trace"], allow_failed_imports=True)
    with pytest.warns(UserWarning, match="'not_there_at_all' cannot be imported"):
        assert import_user_code(cfg, is_allowed=True) == ("leaves_a_trace",)
    assert trace.exists()


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (["a"], "custom_imports is ['a']; the form is custom_imports=dict(imports=['my_package.my_module'])"),
        ({"imports": 5}, "custom_imports.imports is 5; the form is"),
        ({"imports": ["a", 5]}, "custom_imports.imports is ['a', 5]; the form is"),
        ({"import": ["a"]}, "custom_imports.import is not a known key; there are imports and"),
    ],
)
def test_another_form_is_refused(section: Any, told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        import_user_code({"custom_imports": section}, is_allowed=True)
    assert str(refusal.value).startswith(told)


def test_ctrl_c_and_exit_are_no_failed_imports() -> None:
    Path("leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SystemExit):
        import_user_code(wants("leaves", allow_failed_imports=True), is_allowed=True)
    assert os.getcwd() not in sys.path
