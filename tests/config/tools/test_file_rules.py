"""Rules on a config file itself: each finds its trap at its line, in lint and in a run."""

from pathlib import Path

import pytest

from ding_cls.config.origins import FileNotes
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint, lint_run

RULES = ("replaced-data", "set-too-late", "read-by-nothing")
BASE = """\
norm = dict(mean=[1.0], std=[2.0])
width = 8
used = width
model = dict(head=dict(width=used, norm=norm))
data = dict(samples_per_gpu=8)
"""


def found(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "mine.py").write_text(text)
    inspected = inspect_config(tmp_path / "mine.py")
    return [f"{inspected.origin(each.path)} {each}" for each in lint(inspected) if each.rule in RULES]


@pytest.mark.parametrize("value", ["dict(mean=[3.0])", "dict(_delete_=True, mean=[3.0])", "5"])
def test_a_variable_that_its_base_has_used_is_told(tmp_path: Path, value: str) -> None:
    name = "width" if value == "5" else "norm"
    line = 2 if value == "5" else 1
    assert found(tmp_path, f"_base_ = 'base.py'\n{name} = {value}\n") == [
        f"mine.py:2 {name}: set in mine.py:2, after the base file has used its own (base.py:{line}): what it "
        "made of it stays; set in the inheriting file what is made of it, too"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "norm = dict(mean=[1.0])\n",
        "norm = dict(mean=[3.0])\nmodel = dict(head=dict(norm=norm))\n",
        "norm = dict(mean=[3.0])\nmodel = dict(head=dict(mean=norm['mean']))\n",
        "data = dict(samples_per_gpu=4)\n",
    ],
)
def test_a_value_that_is_the_same_or_used_again_is_none(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, f"_base_ = 'base.py'\n{text}") == []


def test_a_grandchild_that_uses_it_makes_up_for_it(tmp_path: Path) -> None:
    (tmp_path / "middle.py").write_text("_base_ = 'base.py'\nnorm = dict(mean=[3.0])\nwidth = 9\n")
    (found_one,) = found(tmp_path, "_base_ = 'middle.py'\nmodel = dict(head=dict(norm=_base_.norm))\n")
    assert found_one.startswith("middle.py:3 width: set in middle.py:3, after")


def test_several_make_one_line(tmp_path: Path) -> None:
    (line,) = found(tmp_path, "_base_ = 'base.py'\nnorm = dict(mean=[3.0])\nwidth = 9\n")
    assert "norm: set in" in line or "width: set in" in line
    assert "; likewise " in line


def test_variables_that_nothing_reads_are_one_line(tmp_path: Path) -> None:
    names = [f"v{number}" for number in range(8)]
    text = "".join(f"{name} = 1\n" for name in names) + BASE
    assert found(tmp_path, text) == [
        "mine.py:1 v0: a variable (mine.py:1) that nothing reads; likewise v1, v2, v3, v4, v5 and 2 more; "
        "a change of it changes nothing: change the keys"
    ]
    assert found(tmp_path, BASE) == []


def test_a_run_tells_the_same_and_what_its_data_replace() -> None:
    notes = FileNotes("mine.py", is_openmmlab=True, data="new", replaced=["val.ann_file", "val.classes"])
    notes.unread["dataset_type"] = "mine.py:1"
    notes.overridden["model"] = ("mine.py:2", "base.py:1")
    lines = [str(each) for each in lint_run({}, {}, processes=1, updates_per_epoch=1, notes=notes)]
    assert lines == [
        "policy.collect: --data new takes the place of val.ann_file, val.classes; a list in it is named by "
        "SPLIT.ann_file",
        "dataset_type: a variable (mine.py:1) that nothing reads; a change of it changes nothing: change the "
        "keys",
    ]
