"""A config shown is the config: it can be read back, and each value says where it came from."""

from pathlib import Path

import pytest

from ding_cls.config import read_config
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.show import literal, show_config
from dizoo.image_classification.entry import digits_res18_config, imagenet_res18_config

ASSETS = Path(__file__).parents[1] / "assets" / "mm"
RECIPES = [Path(str(module.__file__)) for module in (digits_res18_config, imagenet_res18_config)]

TREE = """\
exp_name = "tree"
steps = [30, 60]
policy = dict(
    model=dict(name="resnet18"),
    learn=dict(
        batch_size=8, learning_rate=1e-3,
        lr_schedule=dict(type="Step", step=steps),
    ),
    collect=dict(mean=[0.5, 0.5, 0.5], train=dict(type="ImageNet", pipeline=[
        dict(type="Resize", size=(256, -1)),
        dict(type="Pad-ding", **{"two words": None, "class": float("inf")}),
    ])),
)
env = {}
"""


SHOWN = """\
exp_name = 'tree'                                      # tree.py:1
steps = [30, 60]                                       # tree.py:2
policy = dict(
    model=dict(name='resnet18'),                       # tree.py:4
    learn=dict(
        batch_size=16,                                 # override policy.learn.batch_size=16
        learning_rate=0.001,                           # tree.py:6
        lr_schedule=dict(type='Step', step=[30, 60]),  # tree.py:7
    ),
    collect=dict(
        mean=[0.5, 0.5, 0.5],                          # tree.py:9
        train=dict(
            type='ImageNet',                           # tree.py:9
            pipeline=[
                dict(type='Resize', size=(256, -1)),   # tree.py:10
                {
                    'type': 'Pad-ding',                # tree.py:11
                    'two words': None,                 # tree.py:11
                    'class': float('inf'),             # tree.py:11
                },
            ],
        ),
    ),
)
env = dict()                                           # tree.py:14"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    file = tmp_path / "tree.py"
    file.write_text(TREE)
    return file


def shown(file: Path, *overrides: str) -> str:
    inspected = inspect_config(file, overrides)
    return show_config(inspected.written, inspected.written_origin)


def test_each_value_stands_beside_the_line_that_set_it(tree: Path) -> None:
    assert shown(tree, "policy.learn.batch_size=16") == SHOWN


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_what_is_shown_can_be_saved_and_read_back(recipe: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(shown(recipe))
    assert read_config(copy) == read_config(recipe)
    inspected = inspect_config(recipe)
    copy.write_text(show_config(inspected.tree, inspected.origin))
    assert inspect_config(copy).tree == inspected.tree


def test_odd_values_can_be_read_back_too(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(shown(tree))
    assert read_config(copy) == read_config(tree)


def test_a_long_list_is_wrapped_and_still_the_same(tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text("env = dict(names=[f'class number {n}' for n in range(40)])\nseed = 1\n")
    text = shown(file)
    assert max(len(line.partition("  #")[0]) for line in text.splitlines()) <= 56
    assert text.count("# long.py:1") == 1
    copy = tmp_path / "copy.py"
    copy.write_text(text)
    assert read_config(copy) == read_config(file)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "dict()"),
        ({"a": 1, "b": {"c d": (1,)}}, "dict(a=1, b={'c d': (1,)})"),
        ([float("-inf"), 1e-5, ()], "[float('-inf'), 1e-05, ()]"),
        ({"lambda": None}, "{'lambda': None}"),
    ],
)
def test_plain_data_is_spelt_as_python(value: object, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("file", sorted(ASSETS.glob("*/*.py")), ids=lambda path: path.stem)
def test_a_config_of_the_second_spelling_can_be_read_back_without_its_bases(
    file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(shown(file))
    assert read_config(copy) == read_config(file)
