"""Heads: logits, losses by name, and what their constructors refuse."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import ClsHead, LinearClsHead

VECTORS = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 2, 1, 2, 0])


def test_a_head_without_a_layer_takes_its_input_for_logits() -> None:
    head = ClsHead()
    assert head((torch.zeros(1), VECTORS)) is VECTORS
    assert head(VECTORS) is VECTORS
    found = head.loss(VECTORS, TARGETS)
    assert list(found) == ["loss"]
    assert torch.equal(found["loss"], functional.cross_entropy(VECTORS, TARGETS))
    assert list(head.state_dict()) == []


def test_a_linear_head_sees_the_deepest_vectors() -> None:
    head = LinearClsHead(3, 6)
    assert (head.num_classes, head.in_channels) == (3, 6)
    expected = VECTORS @ head.fc.weight.T + head.fc.bias
    assert torch.allclose(head((torch.zeros(5, 2), VECTORS)), expected, atol=1e-6)
    assert torch.equal(head(VECTORS), head([VECTORS]))
    assert list(head.state_dict()) == ["fc.weight", "fc.bias"]


def test_weights_of_samples_reach_the_loss() -> None:
    weights = torch.tensor([1.0, 0.0, 3.0, 0.5, 2.0])
    each = functional.cross_entropy(VECTORS, TARGETS, reduction="none")
    found = ClsHead().loss(VECTORS, TARGETS, weight=weights)["loss"]
    assert found.item() == pytest.approx(((each * weights).sum() / weights.sum()).item())


def test_a_loss_stands_in_the_head_by_name_or_as_a_module() -> None:
    smooth = LinearClsHead(3, 6, loss={"type": "LabelSmoothLoss", "label_smooth_val": 0.2})
    logits = smooth(VECTORS)
    expected = functional.cross_entropy(logits, TARGETS, label_smoothing=0.2)
    assert torch.equal(smooth.loss(logits, TARGETS)["loss"], expected)
    theirs = ClsHead(loss={"type": "MultiMarginLoss", "loss_weight": 2.0})
    assert torch.equal(
        theirs.loss(VECTORS, TARGETS)["loss"], 2 * functional.multi_margin_loss(VECTORS, TARGETS)
    )
    own = ClsHead(loss=smooth.compute_loss)
    assert own.compute_loss is smooth.compute_loss


def test_forward_train_is_forward_and_loss() -> None:
    head = LinearClsHead(3, 6)
    found = head.forward_train((VECTORS,), TARGETS)
    assert torch.equal(found["loss"], head.loss(head((VECTORS,)), TARGETS)["loss"])


def test_initial_values_are_torchs_or_normal() -> None:
    torch.manual_seed(3)
    expected = nn.Linear(6, 3)
    torch.manual_seed(3)
    assert torch.equal(LinearClsHead(3, 6).fc.weight, expected.weight)
    init_cfg = {"type": "Normal", "layer": "Linear", "std": 0.5, "mean": 2.0, "bias": 1.5}
    head = LinearClsHead(50, 400, init_cfg=init_cfg)
    assert head.fc.weight.mean().item() == pytest.approx(2.0, abs=0.02)
    assert head.fc.weight.std().item() == pytest.approx(0.5, abs=0.02)
    assert head.fc.bias.tolist() == [1.5] * 50


@pytest.mark.parametrize("kind", [ClsHead, partial(LinearClsHead, 3, 3)])
def test_the_accuracy_of_a_batch_is_given_where_asked(kind: Callable[..., ClsHead]) -> None:
    logits, targets = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [3.0, 1.0, 2.0]]), torch.arange(3)
    found = kind(topk=(1, 2), cal_acc=True).loss(logits, targets)
    assert {name: round(float(value), 3) for name, value in found["accuracy"].items()} == {
        "top-1": 33.333,
        "top-2": 66.667,
    }
    assert set(kind(topk=(1, 2)).loss(logits, targets)) == {"loss"}


def test_a_number_of_guesses_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="ClsHead has topk=0; it must be a whole number from 1 on"):
        ClsHead(topk=(1, 0))


@pytest.mark.parametrize("softmax", [True, False])
def test_a_test_gives_an_array_for_each_sample(softmax: bool) -> None:
    head, features = LinearClsHead(3, 5), (torch.randn(2, 5),)
    wanted = head(features).softmax(1) if softmax else head(features)
    found = head.simple_test(features, softmax=softmax)
    assert [each.shape for each in found] == [(3,), (3,)]
    assert np.stack(found) == pytest.approx(wanted.detach().numpy())
    assert torch.equal(head.simple_test(features, softmax=softmax, post_process=False), wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 0}, "LinearClsHead has num_classes=0; it must be a whole number from 1 on"),
        ({"in_channels": "6"}, "in_channels='6'"),
        ({"init_cfg": {"type": "Xaver"}}, "init_cfg has type='Xaver'; it must be one of Constant, Normal"),
        ({"init_cfg": {"type": "Normal", "sdt": 1}}, "init_cfg of type='Normal' cannot be used: .*sdt"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LinearClsHead(**{"num_classes": 3, "in_channels": 6, **arguments})


def test_initial_values_may_stand_where_mmclassification_has_them() -> None:
    zeros = {"type": "Constant", "layer": "Linear", "val": 0.0}
    head = LinearClsHead(3, 6, zeros, {"type": "FocalLoss"})
    assert head.fc.weight.abs().sum().item() == 0
    assert type(head.compute_loss).__name__ == "FocalLoss"
