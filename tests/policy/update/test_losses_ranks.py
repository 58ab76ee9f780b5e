"""A network of parts under DDP: its losses go through the wrapper, with the bits of the plain network."""

from typing import Any

import pytest
import torch

from ding_cls.distributed import get_rank
from ding_cls.policy import ImageClassificationPolicy
from tests.distributed.ranks import run_ranks
from tests.models.test_classifier import TwoLosses
from tests.policy.test_losses import batch, build, parts, plain

STEPS = 3


def numbers(policy: ImageClassificationPolicy, *, weights: bool) -> dict[str, Any]:
    """Do three updates as this rank; return what each gave, the weights, and the calls of the wrapper."""
    calls: list[int] = []
    policy._learn_model.register_forward_pre_hook(lambda *_: calls.append(1))
    found = [
        policy.learn_mode.forward(batch(10 * get_rank() + step, 6, weights=weights)) for step in range(STEPS)
    ]
    names = [name for name in found[0] if "time" not in name]
    return {
        "wrapper": type(policy._learn_model).__name__,
        "calls": len(calls),
        "logged": [{name: float(each[name]) for name in names} for each in found],
        "weights": [each.detach().numpy().copy().tolist() for each in policy._model.parameters()],
    }


def compared(learn: dict[str, Any], weights: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    torch.manual_seed(get_rank())
    found = [numbers(build(model, **learn), weights=weights) for model in (plain(), parts())]
    return found[0], found[1]


@pytest.mark.dist
@pytest.mark.parametrize("world_size", [2, 3])
def test_parts_learn_the_bits_of_the_plain_network_on_several_ranks(world_size: int) -> None:
    ranks = run_ranks(compared, world_size, {"accumulation_steps": 2}, True)
    for one, other in ranks:
        assert other == one
        # Two throwaway passes lay out the buckets; then two pieces an update.
        assert (other["wrapper"], other["calls"]) == ("DistributedDataParallel", 2 + 2 * STEPS)
        assert other["weights"] == ranks[0][1]["weights"]
    assert ranks[0][0]["logged"] != ranks[1][0]["logged"]


def several() -> dict[str, Any]:
    return numbers(build(parts(TwoLosses())), weights=False)


@pytest.mark.dist
def test_the_gradient_of_several_losses_is_the_mean_over_the_ranks() -> None:
    ranks = run_ranks(several, 2)
    alone = parts(TwoLosses())
    optimizer = build(alone)._optimizer
    for step in range(STEPS):
        total: Any = 0.0
        for rank in range(2):
            found = alone(batch(10 * rank + step, 6).images, batch(10 * rank + step, 6).targets)
            expected = {name: value.item() for name, value in found.losses.items()}
            logged = ranks[rank]["logged"][step]
            assert {name: logged[name] for name in expected} == pytest.approx(expected, abs=1e-6)
            assert logged["total_loss"] == pytest.approx(sum(expected.values()), abs=1e-6)
            total = total + sum(found.losses.values()) / 2
        optimizer.zero_grad()
        total.backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        optimizer.step()
    assert ranks[0]["weights"] == ranks[1]["weights"]
    for found_weights, expected_weights in zip(ranks[0]["weights"], alone.parameters(), strict=True):
        assert torch.allclose(torch.tensor(found_weights), expected_weights, rtol=0, atol=1e-6)
