"""Losses that do not fit the classes, the targets or the network are refused before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.config import read_config
from ding_cls.errors import ConfigError
from ding_cls.models import CLASSIFIERS
from tests.harness import tiny_parts
from tests.pipeline.checks.test_labels import ONE, SEVERAL, run


@CLASSIFIERS.register_module()
class LossCheckNet(nn.Module):
    """A network of a user's own: it gives logits, or their log-softmax."""

    def __init__(self, num_classes: int, logs: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_classes))
        self.logs = logs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.layers(images)
        return logits.log_softmax(1) if self.logs else logits


def own(**arguments: Any) -> str:
    return f"policy.model={ {'type': 'LossCheckNet', **arguments} }"


def loss(kind: str, **arguments: Any) -> str:
    return f"policy.learn.loss={ {'type': kind, **arguments} }"


HEAD = tiny_parts("LinearClsHead", in_channels=8, loss={"type": "CrossEntropyLoss", "class_weight": [1, 2]})
RECIPE = "policy.learn.recipes=[{'action_epoch': 1, 'loss': {'type': 'MultiMarginLoss', 'weight': [1, 2]}}]"
POSITIVE = {"use_sigmoid": True, "pos_weight": [1, 2]}
MIXUP = "policy.learn.batch_augments={'type': 'Mixup', 'alpha': 1.0}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([own(), loss("CrossEntropyLoss", class_weight=[1, 2])], r"policy.learn.loss: class_weight holds 2 "),
        (
            [own(), loss("MultiMarginLoss", weight=[1, 2])],
            r"learn.loss: weight holds 2 numbers, .* 4 classes",
        ),
        ([own(), loss("CrossEntropyLoss", **POSITIVE)], r"pos_weight holds 2 numbers, and there are 4 "),
        ([HEAD], r"policy.model.head.loss: class_weight holds 2 numbers, and there are 4 classes"),
        (
            [own(), RECIPE, "policy.learn.train_epoch=2"],
            r"policy.learn.recipes.0.loss: weight holds 2 numbers",
        ),
        ([own(), loss("MSELoss")], r"loss: MSELoss compares .*class numbers; take CrossEntropyLoss"),
        ([own(logs=True), loss("KLDivLoss")], r"KLDivLoss compares .* class numbers"),
        ([own(), loss("NLLLoss")], r"NLLLoss takes logarithms of .* LossCheckNet gives logits; .*LogSoftmax"),
        (
            [tiny_parts("LinearClsHead", in_channels=8, loss={"type": "NLLLoss"})],
            r"policy.model.head.loss: NLLLoss takes .*type='LogSoftmaxHead'",
        ),
        ([own(), MIXUP, loss("KLDivLoss")], "KLDivLoss takes logarithms"),
    ],
)
def test_a_loss_that_does_not_fit_is_one_line(
    tmp_path: Path, workdir: Path, settings: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        run(tmp_path, ONE, *settings)
    assert len(str(refused.value).splitlines()) == 1
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("labels", "settings"),
    [
        (ONE, [own(), loss("CrossEntropyLoss", class_weight=[1, 2, 3, 4])]),
        (ONE, [own(logs=True), loss("NLLLoss", weight="auto")]),
        (ONE, [own(), MIXUP, loss("MSELoss")]),
        (SEVERAL.clip(0), [own(), loss("BCEWithLogitsLoss", pos_weight=[2.0])]),
    ],
)
def test_a_loss_that_fits_trains(tmp_path: Path, workdir: Path, labels: Any, settings: list[str]) -> None:
    assert run(tmp_path, labels, *settings).history


@pytest.mark.parametrize(
    "settings",
    [
        [own(), loss("SeesawLoss")],
        [own(), "policy.learn.loss=SeesawLoss"],
        [tiny_parts("LinearClsHead", in_channels=8, loss={"type": "SeesawLoss"})],
    ],
)
def test_a_loss_that_needs_the_number_of_classes_takes_the_datas(
    tmp_path: Path, workdir: Path, settings: list[str]
) -> None:
    assert run(tmp_path, ONE, *settings).history


def test_the_runs_config_says_the_number_of_classes(tmp_path: Path, workdir: Path) -> None:
    run(tmp_path, ONE, own(), loss("SeesawLoss"))
    learned = read_config("run/total_config.py")["policy"]["learn"]["loss"]
    assert learned == {"type": "SeesawLoss", "num_classes": 4}
