"""A file's variables, told apart from keys that are misspelt and from another system's."""

from typing import Any

import pytest

from ding_cls.config.openmmlab.variables import FileVariables

CFG: dict[str, Any] = {"data": {}, "optimizer": {}, "name": 1}
OWN = {"data": "mine.py:1", "optimizer": "base.py:2", "name": "mine.py:3"}


def variables(used: set[str] | None = frozenset(), **more: str) -> FileVariables:  # type: ignore[assignment]
    return FileVariables({**CFG, **dict.fromkeys(more, 1)}, {**OWN, **more}, used)


@pytest.mark.parametrize(
    "name", ["dataset_type", "img_norm_cfg", "train_pipeline", "num_classes", "policies"]
)
def test_a_name_of_no_key_is_a_variable(name: str) -> None:
    told = variables(**{name: "mine.py:4"})
    assert not told.is_meant_as_key(name)
    assert told.is_unread(name)
    assert not variables({name}, **{name: "mine.py:4"}).is_unread(name)
    assert not variables(None, **{name: "mine.py:4"}).is_unread(name)


def test_a_name_like_a_key_is_meant_as_one_unless_that_stands_beside_it() -> None:
    assert variables(optimizer_="mine.py:4").is_meant_as_key("optimizer_")
    assert not variables(optimizer_="base.py:4").is_meant_as_key("optimizer_")
    assert not variables({"optimizer_"}, optimizer_="mine.py:4").is_meant_as_key("optimizer_")
    assert variables(None, optimizer_="base.py:4").is_meant_as_key("optimizer_")


def test_a_typed_name_is_meant_as_a_key() -> None:
    assert variables(data_root="override data_root=b").is_meant_as_key("data_root")


def test_sections_of_mmpretrain_are_told_by_their_company() -> None:
    assert variables(optim_wrapper="mine.py:4").is_of_mmpretrain("optim_wrapper")
    assert not variables(train_cfg="mine.py:4").is_of_mmpretrain("train_cfg")
    assert not variables(train_cfg="mine.py:4").is_meant_as_key("train_cfg")
    assert variables(train_cfg="a.py:4", optim_wrapper="a.py:5").is_of_mmpretrain("train_cfg")
    assert FileVariables({"model": {}, "train_cfg": {}}, {}, set()).is_of_mmpretrain("train_cfg")
    assert not variables().is_of_mmpretrain("name")


def test_mixing_beside_the_model_is_no_section_of_mmpretrain() -> None:
    beside = {"model": {}, "train_cfg": {"mixup": {"alpha": 0.2}}}
    assert not FileVariables(beside, {}, None).is_of_mmpretrain("train_cfg")
    assert FileVariables({"train_cfg": {"by_epoch": True}}, {}, None).is_of_mmpretrain("train_cfg")
