"""Templates of file names."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.state.file_names import FileName, model_name

FIELDS = ("model", "epoch", "train_iter", "key", "score")
VALUES = {"model": "resnet18", "epoch": 7, "train_iter": 700, "key": "acc1", "score": 91.234567}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{model}_e{epoch}_{score:.5f}.pth", "resnet18_e7_91.23457.pth"),
        ("best_{key}_epoch_{epoch}.pth", "best_acc1_epoch_7.pth"),
        ("epoch_{}.pth", "epoch_7.pth"),
        ("iter_{train_iter:06d}.pth", "iter_000700.pth"),
        ("snapshot_epoch_{epoch}", "snapshot_epoch_7"),
        ("snapshot_epoch_last", "snapshot_epoch_last"),
    ],
)
def test_names_of_other_systems(template: str, name: str) -> None:
    assert FileName(template, key="k", fields=FIELDS)(VALUES) == name


@pytest.mark.parametrize(
    "template", ["{lr}.pth", "{epoch", "{score!x}", "{epoch.__class__}", "{model[0]}", "{0}"]
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"is no file name; it may hold \{model\}, \{epoch\}"):
        FileName(template, key="k", fields=FIELDS)


@pytest.mark.parametrize(
    "template", ["a/{epoch}.pth", "../x", "", "  ", "iteration_{epoch}.pth.tar", "ckpt_best.pth.tar"]
)
def test_a_template_that_leaves_the_folder_or_hides_a_file_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="must be a file name other than those of the run itself"):
        FileName(template, key="k", fields=FIELDS)


def test_a_score_is_known_of_the_best_alone() -> None:
    with pytest.raises(ConfigError, match=r"it may hold \{model\}, \{epoch\}, \{train_iter\}$"):
        FileName("{score}.pth", key="k", fields=("model", "epoch", "train_iter"))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"name": "resnet18"}, "resnet18"),
        ({"name": "TinyNet (given)"}, "TinyNet"),
        ({"name": "timm/a b"}, "timm_a_b"),
        ({"type": "ImageClassifier", "backbone": {"type": "ResNet"}}, "ResNet"),
        ({"type": "Mine"}, "Mine"),
        ({}, "model"),
    ],
)
def test_the_name_of_a_network(model: dict[str, Any], name: str) -> None:
    assert model_name({"policy": {"model": model}}) == name
    assert model_name(None) == "model"
