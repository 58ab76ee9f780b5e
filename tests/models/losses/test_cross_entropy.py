"""Our losses and torch's: exact values against torch and against the formulas written out."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LOSSES, CrossEntropyLoss, LabelSmoothLoss, build_loss
from ding_cls.models.losses.torch import TorchLoss

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


# torch's own


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


def test_a_module_is_a_loss_already() -> None:
    loss = LOSSES.build({"type": "CrossEntropyLoss"})
    assert build_loss(loss) is loss


def test_an_average_over_samples_of_a_sum_is_refused() -> None:
    pred, target = operands("logits shares")
    with pytest.raises(ConfigError, match="reduction='sum' cannot be averaged over samples"):
        build_loss({"type": "MSELoss", "reduction": "sum"})(pred, target, avg_factor=N)


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
