"""Focal losses of sigmoids and of a softmax, the asymmetric loss: against the formulas written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import AsymmetricLoss, CrossEntropyLoss, FocalLoss, SoftmaxFocalLoss, build_loss
from tests.models.losses.test_cross_entropy import C, N, given, log_share, near

HOT = torch.tensor(
    [[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]]
).double()


def focal(logits: torch.Tensor, wanted: torch.Tensor, gamma: float, alpha: float) -> torch.Tensor:
    p = 1 / (1 + (-logits).exp())
    yes = -alpha * wanted * (1 - p) ** gamma * p.log()
    return yes - (1 - alpha) * (1 - wanted) * p**gamma * (1 - p).log()


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (0.5, 0.25), (1.5, 0.9)])
def test_the_focal_loss_of_sigmoids_is_its_formula(gamma: float, alpha: float) -> None:
    logits, targets, weights = given()
    loss = FocalLoss(gamma, alpha, loss_weight=2.0)
    for wanted, target in ((HOT, HOT), (HOT, HOT.long()), (torch.eye(C).double()[targets], targets)):
        each = 2 * focal(logits, wanted, gamma, alpha)
        near(loss(logits, target, reduction_override="none"), each)
        near(loss(logits, target), each.mean())
        near(loss(logits, target, avg_factor=N), each.sum() / N)
        near(
            loss(logits, target, weights, avg_factor=weights.sum()),
            (each * weights[:, None]).sum() / weights.sum(),
        )


def test_what_is_hard_to_say_counts_as_yes() -> None:
    logits, _, _ = given()
    hard = torch.where(HOT == 1, -1.0, HOT)
    for loss in (
        FocalLoss(),
        AsymmetricLoss(),
        CrossEntropyLoss(use_sigmoid=True),
    ):
        near(loss(logits, hard), loss(logits, HOT))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.0])
def test_the_focal_loss_of_a_softmax_is_its_formula(gamma: float) -> None:
    logits, targets, weights = given()
    p = log_share(logits).exp()[range(N), targets]
    each = -((1 - p) ** gamma) * p.log()
    loss = SoftmaxFocalLoss(gamma)
    near(loss(logits, targets, reduction_override="none"), each)
    near(loss(logits, targets), each.mean())
    near(loss(logits, targets, weights, avg_factor=2.0), (each * weights).sum() / 2)


def test_without_an_exponent_it_is_the_cross_entropy() -> None:
    logits, targets, _ = given()
    expected = functional.cross_entropy(logits, targets, label_smoothing=0.1)
    near(SoftmaxFocalLoss(0.0, label_smoothing=0.1)(logits, targets), expected)
    shares = torch.rand(N, C, generator=torch.Generator().manual_seed(1)).double().softmax(1)
    near(SoftmaxFocalLoss(0.0)(logits, shares), functional.cross_entropy(logits, shares))
    weighted = SoftmaxFocalLoss(0.0, class_weight=[1.0, 2.0, 0.5, 4.0]).double()
    of_class = torch.tensor([1.0, 2.0, 0.5, 4.0]).double()
    near(
        weighted(logits, targets),
        functional.cross_entropy(logits, targets, of_class, reduction="none").mean(),
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_score_of_1_has_a_finite_slope(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    SoftmaxFocalLoss(gamma)(logits, torch.tensor([0])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("gamma_pos", "gamma_neg", "clip"),
    [(0.0, 4.0, 0.05), (1.0, 2.0, 0.0), (0.0, 0.0, None), (2.0, 3.0, 0.3), (0.5, 0.5, 0.05)],
)
def test_the_asymmetric_loss_is_its_formula(gamma_pos: float, gamma_neg: float, clip: float | None) -> None:
    logits, _, weights = given()
    p = 1 / (1 + (-logits).exp())
    shifted = (p - (clip or 0)).clamp(min=0)
    yes = (1 - p) ** gamma_pos * p.log()
    no = shifted**gamma_neg * (1 - shifted).log()
    each = -(HOT * yes + (1 - HOT) * no)
    loss = AsymmetricLoss(gamma_pos, gamma_neg, clip)
    near(loss(logits, HOT, reduction_override="none"), each)
    near(loss(logits, HOT, weights, avg_factor=N), (each * weights[:, None]).sum() / N)


def test_without_exponents_and_clip_the_asymmetric_loss_is_binary_cross_entropy() -> None:
    logits, targets, _ = given()
    near(AsymmetricLoss(0, 0, 0)(logits, HOT), functional.binary_cross_entropy_with_logits(logits, HOT))
    softmax = AsymmetricLoss(0, 0, 0, use_sigmoid=False)(logits, targets)
    scores = log_share(logits).exp()
    near(softmax, functional.binary_cross_entropy(scores, torch.eye(C).double()[targets]))


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(),
        FocalLoss(0.5),
        SoftmaxFocalLoss(),
        AsymmetricLoss(),
        AsymmetricLoss(0.5, 0.5),
        AsymmetricLoss(gamma_neg=0.9),
    ],
)
def test_sure_answers_have_finite_slopes(loss: nn.Module) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss(logits, torch.tensor([0, 0])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "cfg",
    [
        {"type": "FocalLoss", "gamma": -1.0},
        {"type": "SoftmaxFocalLoss", "gamma": -1.0},
        {"type": "SoftmaxFocalLoss", "label_smoothing": 1.0},
        {"type": "AsymmetricLoss", "gamma_neg": -1.0},
        {"type": "AsymmetricLoss", "clip": -0.1},
    ],
)
def test_what_cannot_be_is_refused(cfg: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"must not be negative|must lie in"):
        build_loss(cfg)
