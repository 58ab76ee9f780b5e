"""Cross-entropy and smoothing: exact values against torch and against the formulas written out."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LOSSES, CrossEntropyLoss, LabelSmoothLoss, build_loss

N, C = 6, 4


def given(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, class numbers, weights of samples."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(N, C, generator=draw, dtype=torch.float64)
    return (
        logits,
        torch.randint(C, (N,), generator=draw),
        torch.rand(N, generator=draw, dtype=torch.float64) + 0.1,
    )


def log_share(logits: torch.Tensor) -> torch.Tensor:
    return logits - logits.exp().sum(1, keepdim=True).log()


def sigmoid_loss(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of each element, written out."""
    p = 1 / (1 + (-logits).exp())
    return -(shares * p.log() + (1 - shares) * (1 - p).log())


def near(found: torch.Tensor, expected: torch.Tensor | float) -> None:
    wanted = expected if isinstance(expected, torch.Tensor) else torch.tensor(expected, dtype=found.dtype)
    assert found.shape == wanted.shape
    assert torch.allclose(found.double(), wanted.double(), rtol=1e-12, atol=1e-12)


# Cross-entropy


@pytest.mark.parametrize("avg_factor", [None, N])
def test_cross_entropy_is_torchs_to_the_last_bit(avg_factor: int | None) -> None:
    logits, targets, _ = given()
    mine, theirs = (logits.float().requires_grad_() for _ in range(2))
    found = CrossEntropyLoss()(mine, targets, avg_factor=avg_factor)
    expected = functional.cross_entropy(theirs, targets)
    assert torch.equal(found, expected)
    found.backward()
    expected.backward()
    assert torch.equal(mine.grad, theirs.grad)


def test_cross_entropy_with_weights_factor_and_reduction() -> None:
    logits, targets, weights = given()
    each = -log_share(logits)[torch.arange(N), targets]
    loss = CrossEntropyLoss(loss_weight=3.0)
    near(loss(logits, targets, reduction_override="none"), 3 * each)
    near(loss(logits, targets, reduction_override="sum"), 3 * each.sum())
    near(loss(logits, targets, weights), 3 * (each * weights).mean())
    near(loss(logits, targets, weights, avg_factor=weights.sum()), 3 * (each * weights).sum() / weights.sum())
    near(loss(logits, targets, avg_factor=10), 3 * each.sum() / 10)
    near(CrossEntropyLoss(reduction="sum")(logits, targets), each.sum())


def test_class_weights_keep_the_mean_over_samples() -> None:
    logits, targets, weights = given()
    of_class = torch.tensor([1.0, 2.0, 0.5, 4.0])
    each = -log_share(logits)[torch.arange(N), targets] * of_class[targets]
    loss = CrossEntropyLoss(class_weight=[1.0, 2.0, 0.5, 4.0]).double()
    near(loss(logits, targets), each.mean())
    near(loss(logits, targets, avg_factor=N), each.mean())
    near(loss(logits, targets, weights, avg_factor=2.0), (each * weights).sum() / 2)
    assert loss.state_dict() == {}


@pytest.mark.parametrize("use_soft", [False, True])
def test_soft_targets_are_shares_of_the_classes(use_soft: bool) -> None:
    logits, _, weights = given()
    shares = torch.rand(N, C, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    shares = shares / shares.sum(1, keepdim=True)
    each = -(shares * log_share(logits)).sum(1)
    loss = CrossEntropyLoss(use_soft=use_soft)
    near(loss(logits, shares), each.mean())
    near(loss(logits, shares, weights, avg_factor=N), (each * weights).sum() / N)
    of_class = torch.tensor([1.0, 2.0, 0.5, 4.0], dtype=torch.float64)
    weighted = CrossEntropyLoss(use_soft=use_soft, class_weight=of_class.tolist()).double()
    near(weighted(logits, shares), -(of_class * shares * log_share(logits)).sum(1).mean())


def test_a_sigmoid_judges_each_class_by_itself() -> None:
    logits, targets, weights = given()
    shares = torch.eye(C, dtype=torch.float64)[targets]
    each = sigmoid_loss(logits, shares)
    loss = CrossEntropyLoss(use_sigmoid=True)
    for wanted in (targets, shares, shares.long()):
        near(loss(logits, wanted), each.mean())
        near(loss(logits, wanted, avg_factor=N), each.sum() / N)
        near(loss(logits, wanted, reduction_override="none"), each)
        near(loss(logits, wanted, weights, avg_factor=N), (each * weights[:, None]).sum() / N)
    of_class, of_yes = [1.0, 2.0, 0.5, 4.0], [3.0, 1.0, 1.0, 2.0]
    weighted = CrossEntropyLoss(use_sigmoid=True, class_weight=of_class, pos_weight=of_yes).double()
    p = 1 / (1 + (-logits).exp())
    terms = torch.tensor(of_yes) * shares * p.log() + (1 - shares) * (1 - p).log()
    near(weighted(logits, targets), -(torch.tensor(of_class) * terms).mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"use_sigmoid": True, "use_soft": True}, "use_sigmoid=True or use_soft=True, not both"),
        ({"pos_weight": [1.0, 2.0]}, "pos_weight only with use_sigmoid=True"),
    ],
)
def test_arguments_that_exclude_each_other_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CrossEntropyLoss(**arguments)


# Label smoothing


@pytest.mark.parametrize("avg_factor", [None, N])
def test_original_smoothing_is_torchs_to_the_last_bit(avg_factor: int | None) -> None:
    logits, targets, _ = given()
    logits = logits.float()
    found = LabelSmoothLoss(0.1)(logits, targets, avg_factor=avg_factor)
    assert torch.equal(found, functional.cross_entropy(logits, targets, label_smoothing=0.1))


def smoothed(mode: str, shares: torch.Tensor, e: float) -> torch.Tensor:
    if mode == "original":
        return (1 - e) * shares + e / C
    if mode == "classy_vision":
        return (shares + e / C) / (1 + e)
    return torch.full_like(shares, e).masked_fill(shares > 0, 1 - e)


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("mode", ["original", "classy_vision", "multi_label"])
def test_each_smoothing_equals_its_formula(mode: str, one_hot: bool) -> None:
    logits, targets, weights = given()
    shares = torch.eye(C, dtype=torch.float64)[targets]
    if mode == "multi_label" and one_hot:
        shares[:, 0] = 1.0  # several classes at once
    aims = smoothed(mode, shares, 0.2)
    loss, wanted = LabelSmoothLoss(0.2, mode=mode, num_classes=C), shares if one_hot else targets
    if mode == "multi_label":
        each = sigmoid_loss(logits, aims)
        near(loss(logits, wanted), each.mean())
        near(loss(logits, wanted, avg_factor=N), each.sum() / N)
        near(loss(logits, wanted, weights, avg_factor=N), (each * weights[:, None]).sum() / N)
        return
    each = -(aims * log_share(logits)).sum(1)
    near(loss(logits, wanted), each.mean())
    near(loss(logits, wanted, reduction_override="none"), each)
    near(loss(logits, wanted, weights, avg_factor=weights.sum()), (each * weights).sum() / weights.sum())
    near(LabelSmoothLoss(0.2, mode=mode, loss_weight=0.5)(logits, wanted), 0.5 * each.mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smooth_val": 1.0}, r"label_smooth_val is 1.0; it must lie in \[0, 1\)"),
        ({"label_smooth_val": -0.1}, r"label_smooth_val is -0.1"),
        ({"label_smooth_val": 0.1, "mode": "new"}, "must be one of original, classy_vision, multi_label"),
    ],
)
def test_a_smoothing_that_does_not_exist_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LabelSmoothLoss(**arguments)


def test_smoothing_checks_the_number_of_classes() -> None:
    logits, targets, _ = given()
    with pytest.raises(ConfigError, match="num_classes=5, but there are 4 logits"):
        LabelSmoothLoss(0.1, num_classes=5)(logits, targets)


def test_a_module_is_a_loss_already() -> None:
    loss = LOSSES.build({"type": "CrossEntropyLoss"})
    assert build_loss(loss) is loss


def test_the_loss_of_equal_logits_is_the_logarithm_of_their_number() -> None:
    found = build_loss({"type": "CrossEntropyLoss"})(torch.zeros(3, 10), torch.tensor([1, 5, 9]))
    assert found.item() == pytest.approx(math.log(10))


def test_smoothing_with_sigmoids_is_binary_cross_entropy_of_the_same_targets() -> None:
    logits, targets = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    for mode, share in (("original", 0.3), ("classy_vision", 0.3 / 1.3)):
        spread = nn.functional.one_hot(targets, 3) * (1 - share) + share / 3
        expected = nn.functional.binary_cross_entropy_with_logits(logits, spread, reduction="sum") / 4
        found = LabelSmoothLoss(0.3, mode=mode, use_sigmoid=True)(logits, targets, avg_factor=4)
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (
            {"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0]},
            "class_weight holds 2 numbers, and there are 3",
        ),
        (
            {"type": "CrossEntropyLoss", "use_sigmoid": True, "pos_weight": [1.0, 2.0]},
            "pos_weight holds 2 numbers, and there are 3 classes",
        ),
        (
            {"type": "NLLLoss", "weight": [1.0, 2.0]},
            "NLLLoss cannot compare .* weight tensor should be defined",
        ),
        (
            {"type": "BCEWithLogitsLoss"},
            r"BCEWithLogitsLoss compares elements: logits \(4, 3\) need .* torch.int64 \(4,\); take Cross",
        ),
    ],
)
def test_what_does_not_fit_the_logits_is_one_line(described: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(described)(torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), avg_factor=4)
