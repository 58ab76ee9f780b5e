"""The seesaw loss against its formulas, element by element; its counts, alone and on several ranks."""

import pytest
import torch
from torch.nn import functional

from ding_cls.distributed import get_rank
from ding_cls.errors import ConfigError
from ding_cls.models import SeesawLoss, build_loss
from tests.distributed.ranks import run_ranks
from tests.models.losses.test_cross_entropy import C, N, given, near


def seesaw(logits: torch.Tensor, targets: torch.Tensor, counts: list[int], p: float, q: float) -> list[float]:
    """Equations 2 to 6, one number after the other."""
    values = []
    for row, own in zip(logits, targets.tolist(), strict=True):
        scores = row.softmax(0)
        bottom = 0.0
        for other in range(C):
            few, many = max(counts[other], 1), max(counts[own], 1)
            mitigation = (few / many) ** p if few < many else 1.0
            ratio = scores[other].item() / max(scores[own].item(), 0.01)
            compensation = ratio**q if ratio > 1 else 1.0
            factor = 1.0 if other == own else mitigation * compensation
            bottom += factor * row[other].exp().item()
        values.append(-torch.tensor(row[own].exp().item() / bottom, dtype=torch.float64).log().item())
    return values


@pytest.mark.parametrize(("p", "q"), [(0.8, 2.0), (0.0, 2.0), (0.8, 0.0), (0.0, 0.0)])
def test_the_loss_is_its_formula_and_counts_first(p: float, q: float) -> None:
    loss, counts = SeesawLoss(p=p, q=q, num_classes=C), [0] * C
    for seed in range(3):
        logits, targets, weights = given(seed)
        logits = 3 * logits
        for target in targets.tolist():
            counts[target] += 1
        expected = torch.tensor(seesaw(logits, targets, counts, p, q), dtype=torch.float64)
        near(loss(logits, targets, weights, avg_factor=2.0), (expected * weights).sum() / 2)
        assert loss.cum_samples.tolist() == counts
        loss.eval()
        near(loss(logits, targets, reduction_override="none"), expected)
        loss.train()
        with torch.no_grad():
            near(loss(logits, targets), expected.mean())
        assert loss.cum_samples.tolist() == counts


def test_without_exponents_it_is_the_cross_entropy() -> None:
    logits, targets, _ = given()
    loss = SeesawLoss(p=0, q=0, num_classes=C, loss_weight=3.0)
    near(loss(logits, targets), 3 * functional.cross_entropy(logits, targets))


def test_the_factors_have_no_gradient() -> None:
    logits, targets, _ = given()
    mine, theirs = (3 * logits).requires_grad_(), (3 * logits).requires_grad_()
    loss = SeesawLoss(num_classes=C)
    loss(mine, targets).backward()
    factors = loss._log_weights(theirs.detach(), targets)
    functional.cross_entropy(theirs + factors, targets).backward()
    assert torch.equal(mine.grad, theirs.grad)


def test_the_counts_are_part_of_the_state() -> None:
    logits, targets, _ = given()
    loss, other = SeesawLoss(num_classes=C), SeesawLoss(num_classes=C)
    loss(logits, targets)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other(logits, targets), loss(logits, targets))
    assert other.cum_samples.sum() == 2 * N


def counted() -> list[int]:
    loss = SeesawLoss(num_classes=C)
    logits, _, _ = given()
    loss(logits[: 2 + get_rank()], torch.full((2 + get_rank(),), get_rank()))
    return loss.cum_samples.tolist()


@pytest.mark.dist
@pytest.mark.slow
def test_the_counts_are_those_of_all_ranks() -> None:
    assert run_ranks(counted, 2) == [[2, 3, 0, 0]] * 2


def test_what_it_cannot_count_is_refused() -> None:
    logits, targets, _ = given()
    with pytest.raises(ConfigError, match="not mixtures"):
        SeesawLoss(num_classes=C)(logits, logits.softmax(1))
    with pytest.raises(ConfigError, match="has num_classes=1000, but there are 4 logits"):
        SeesawLoss()(logits, targets)
    with pytest.raises(ConfigError, match="loss 'SeesawLoss' has no argument 'use_sigmoid'"):
        build_loss({"type": "SeesawLoss", "use_sigmoid": True})
    with pytest.raises(ConfigError, match="must not be negative"):
        SeesawLoss(p=-1)
