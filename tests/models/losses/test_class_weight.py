"""``class_weight='auto'``."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import CrossEntropyLoss, build_loss
from ding_cls.models.losses.class_weight import balanced_weights
from tests.models.losses.test_cross_entropy import C, given, near

TARGETS = np.array([0] * 7 + [1] * 2 + [2] * 1 + [3] * 10)


def counts() -> torch.Tensor:
    return torch.bincount(torch.from_numpy(TARGETS), minlength=C)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(C), y=TARGETS)
    assert balanced_weights(counts()).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert balanced_weights(torch.tensor([3, 0])).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    "cfg",
    [
        {"type": "CrossEntropyLoss"},
        {"type": "CrossEntropyLoss", "use_sigmoid": True},
        {"type": "SoftmaxFocalLoss", "gamma": 2.0},
    ],
)
def test_auto_is_the_list_of_balanced_weights(cfg: dict[str, Any]) -> None:
    logits, targets, weights = given()
    auto = build_loss({**cfg, "class_weight": "auto"})
    with pytest.raises(ConfigError, match="class_weight='auto' needs the number of training samples"):
        auto(logits, targets)
    auto.set_class_counts(counts())
    plain = build_loss({**cfg, "class_weight": balanced_weights(counts()).tolist()})
    arguments = (logits.float(), targets, weights.float(), 3.0)
    assert torch.equal(auto(*arguments), plain(*arguments))
    assert auto.state_dict() == plain.state_dict() == {}


def test_auto_of_a_loss_of_torch() -> None:
    logits, targets, _ = given()
    auto = build_loss({"type": "NLLLoss", "weight": "auto"})
    with pytest.raises(ConfigError, match="needs the number"):
        auto(logits.float(), targets)
    auto.set_class_counts(counts())
    expected = functional.nll_loss(logits.float(), targets, balanced_weights(counts()))
    assert torch.equal(auto(logits.float(), targets), expected)
    assert auto.state_dict() == {}


def test_a_loss_that_asked_for_nothing_is_told_nothing() -> None:
    logits, targets, _ = given()
    loss = CrossEntropyLoss()
    loss.set_class_counts(counts())
    near(loss(logits, targets), functional.cross_entropy(logits, targets))


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="class_weight is 'balanced'; it must be a list"):
        CrossEntropyLoss(class_weight="balanced")
