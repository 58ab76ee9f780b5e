"""The loss, the hits and the seconds of one update are those of its batch, in however many pieces."""

import pytest
import torch
from torch.nn import functional

from ding_cls.types import Batch
from tests.models.test_classifier import TwoLosses
from tests.policy.test_losses import batch, build, parts, plain


def expected(each: Batch) -> tuple[float, float]:
    """Return loss and accuracy of the network before the update."""
    logits = plain()(each.images)
    values = functional.cross_entropy(logits, each.targets, reduction="none")
    share = torch.ones(len(each.targets)) if each.weights is None else each.weights
    hits = (logits.argmax(1) == each.targets).sum()
    return ((values * share).sum() / share.sum()).item(), 100 * hits.item() / len(each.targets)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("pieces", [1, 3, 8])
def test_loss_and_accuracy_are_those_of_the_whole_batch(pieces: int, weights: bool) -> None:
    each = batch(0, weights=weights)
    loss, acc1 = expected(each)
    found = build(plain(), accumulation_steps=pieces).learn_mode.forward(each)
    assert float(found["total_loss"]) == pytest.approx(loss, abs=1e-6)
    assert float(found["acc1"]) == acc1
    assert not found["total_loss"].requires_grad


def test_of_several_losses_each_has_its_name_and_the_total_is_their_sum() -> None:
    each = batch(0)
    whole = build(parts(TwoLosses())).learn_mode.forward(each)
    split = build(parts(TwoLosses()), accumulation_steps=4).learn_mode.forward(each)
    names = [name for name in whole if "loss" in name and name != "total_loss"]
    assert len(names) == 2
    for found in (whole, split):
        assert float(sum(found[name] for name in names)) == pytest.approx(
            float(found["total_loss"]), abs=1e-6
        )
    assert all(float(split[name]) == pytest.approx(float(whole[name]), abs=1e-6) for name in names)


def test_seconds_of_pieces_add_up() -> None:
    found = build(plain(), accumulation_steps=4).learn_mode.forward(batch(0))
    assert all(float(found[name]) > 0 for name in ("forward_time", "backward_time"))
