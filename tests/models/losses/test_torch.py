"""torch's losses by name, to the last bit and with weights of samples; and losses by their short forms."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LOSSES, CrossEntropyLoss, build_loss, described_loss
from ding_cls.models.losses.torch import TorchLoss
from tests.models.losses.test_cross_entropy import C, N, given, log_share, near


def test_every_loss_of_torch_is_found_by_name() -> None:
    names = {name for name in dir(nn) if name.endswith("Loss") and isinstance(getattr(nn, name), type)}
    # They compare other things than logits and targets.
    others = {"CTCLoss", "CosineEmbeddingLoss", "GaussianNLLLoss", "MarginRankingLoss", "TripletMarginLoss"}
    others |= {"TripletMarginWithDistanceLoss"}
    assert len(names) >= 20
    assert names - set(LOSSES.names()) == others
    assert not others & set(LOSSES.names())
    # Ours stands in for torch's of the same name.
    assert LOSSES.get("CrossEntropyLoss") is CrossEntropyLoss
    assert "MSELoss" in LOSSES
    assert "Linear" not in LOSSES
    with pytest.raises(ConfigError, match="there is no loss named 'NLLLos'; did you mean NLLLoss"):
        LOSSES.get("NLLLos")


# name: arguments, and what pred and target are.
SWEEP: dict[str, tuple[dict[str, Any], str]] = {
    "NLLLoss": ({}, "log class"),
    "MultiMarginLoss": ({"margin": 0.5}, "logits class"),
    "BCEWithLogitsLoss": ({}, "logits shares"),
    "MSELoss": ({}, "logits shares"),
    "L1Loss": ({}, "logits shares"),
    "SmoothL1Loss": ({"beta": 0.5}, "logits shares"),
    "HuberLoss": ({}, "logits shares"),
    "MultiLabelSoftMarginLoss": ({}, "logits shares"),
    "SoftMarginLoss": ({}, "logits signs"),
    "HingeEmbeddingLoss": ({"margin": 0.5}, "logits signs"),
    "PoissonNLLLoss": ({"full": True}, "logits shares"),
    "BCELoss": ({}, "shares shares"),
}


def operands(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    logits, targets, _ = given()
    shares = torch.eye(C, dtype=torch.float64)[targets]
    wanted = {"class": targets, "shares": shares, "signs": 2 * shares - 1}[kind.split()[1]]
    preds = {"log": log_share(logits), "shares": log_share(logits).exp(), "logits": logits}
    return preds[kind.split()[0]], wanted


def test_the_sweep_has_twelve_losses() -> None:
    assert len(SWEEP) == 12


@pytest.mark.parametrize("name", SWEEP)
def test_without_weights_a_loss_of_torch_is_torchs_to_the_last_bit(name: str) -> None:
    arguments, kind = SWEEP[name]
    pred, target = operands(kind)
    loss, theirs = build_loss({"type": name, **arguments}), getattr(nn, name)
    for avg_factor in (None, N):
        assert torch.equal(loss(pred, target, avg_factor=avg_factor), theirs(**arguments)(pred, target))
    for reduction in ("none", "sum"):
        expected = theirs(**arguments, reduction=reduction)(pred, target)
        assert torch.equal(loss(pred, target, reduction_override=reduction), expected)
        assert torch.equal(
            LOSSES.build({"type": name, **arguments, "reduction": reduction})(pred, target), expected
        )
    half = build_loss({"type": name, **arguments, "loss_weight": 0.5})
    assert torch.equal(half(pred, target), theirs(**arguments)(pred, target) * 0.5)


@pytest.mark.parametrize("name", SWEEP)
def test_with_weights_a_loss_of_torch_is_a_weighted_mean_over_samples(name: str) -> None:
    arguments, kind = SWEEP[name]
    pred, target = operands(kind)
    _, _, weights = given()
    each = getattr(nn, name)(**arguments, reduction="none")(pred, target)
    values = each if each.dim() == 1 else each.mean(1)
    loss = build_loss({"type": name, **arguments})
    found = loss(pred, target, weight=weights, avg_factor=weights.sum())
    near(found, (values * weights).sum() / weights.sum())
    near(loss(pred, target, avg_factor=3.0), values.sum() / 3)
    # Equal weights are no weights.
    same = torch.full((N,), 0.25, dtype=torch.float64)
    near(loss(pred, target, weight=same, avg_factor=same.sum()), loss(pred, target))


def test_class_weights_of_torch_may_be_lists() -> None:
    pred, target = operands("log class")
    loss = build_loss({"type": "NLLLoss", "weight": [1.0, 2.0, 3.0, 4.0]}).double()
    expected = nn.NLLLoss(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))(pred, target)
    assert torch.equal(loss(pred, target, avg_factor=N), expected)
    assert loss.state_dict() == {}
    each = loss(pred, target, reduction_override="none")
    near(each, -pred[torch.arange(N), target] * (target + 1.0))


def test_arguments_of_torchs_losses_are_checked_before_they_are_built() -> None:
    with pytest.raises(ConfigError, match="loss 'HuberLoss' has no argument 'delat'; did you mean 'delta'"):
        build_loss({"type": "HuberLoss", "delat": 1.0})
    with pytest.raises(ConfigError, match="loss 'MultiMarginLoss' cannot be built with p=3: only p == 1"):
        build_loss({"type": "MultiMarginLoss", "p": 3})


def test_a_loss_without_a_value_for_each_sample_cannot_be_weighted() -> None:
    class Whole(nn.Module):
        def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return (pred - target).abs().max()

    loss, pred = TorchLoss(Whole()), torch.tensor([1.0, 4.0])
    assert loss(pred, torch.zeros(2), avg_factor=2).item() == 4.0
    with pytest.raises(ConfigError, match="Whole gives no value for each sample; its samples cannot be"):
        loss(pred, torch.zeros(2), weight=torch.ones(2), avg_factor=2)


def test_the_divergence_has_a_mean_over_samples_of_its_own() -> None:
    pred, target = operands("log shares")
    target = target * 0.7 + 0.3 / C
    _, _, weights = given()
    loss = build_loss({"type": "KLDivLoss", "reduction": "batchmean"})
    each = functional.kl_div(pred, target, reduction="none").sum(1)
    expected = functional.kl_div(pred, target, reduction="batchmean")
    assert torch.equal(loss(pred, target, avg_factor=N), expected)
    near(expected, each.mean())
    near(loss(pred, target, weights, avg_factor=weights.sum()), (each * weights).sum() / weights.sum())


def test_an_average_over_samples_of_a_sum_is_refused() -> None:
    pred, target = operands("logits shares")
    with pytest.raises(ConfigError, match="reduction='sum' cannot be averaged over samples"):
        build_loss({"type": "MSELoss", "reduction": "sum"})(pred, target, avg_factor=N)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CE", {"type": "CrossEntropyLoss"}),
        ("BCE", {"type": "CrossEntropyLoss", "use_sigmoid": True}),
        ("bce", {"type": "CrossEntropyLoss", "use_sigmoid": True}),
        ("CEV2-1", {"type": "SoftmaxFocalLoss", "gamma": 1.0}),
        ("Focalloss-2", {"type": "SoftmaxFocalLoss", "gamma": 2.0}),
        ("Focalloss-0.5", {"type": "SoftmaxFocalLoss", "gamma": 0.5}),
        ("MultiLabelSoftMarginLoss", {"type": "MultiLabelSoftMarginLoss"}),
    ],
)
def test_a_short_form_is_a_dict(text: str, expected: dict[str, Any]) -> None:
    assert described_loss(text) == expected
    logits, targets, _ = given()
    wanted = targets if expected["type"] != "MultiLabelSoftMarginLoss" else torch.eye(C)[targets].double()
    assert build_loss(described_loss(text))(logits, wanted) > 0


@pytest.mark.parametrize("text", ["CEV2", "Focalloss-", "Focalloss--1", "Focalloss-x", "focal", ""])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="short forms are CE, BCE"):
        described_loss(text)
