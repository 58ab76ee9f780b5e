"""Weights that are not finite are found, named, and not saved."""

import math
from typing import Any

import pytest
import torch

from ding_cls.errors import NumbersError
from ding_cls.models import AVERAGED, TRAINING
from ding_cls.worker.learner.state.finite_weights import FiniteWeights, check_weights, non_finite
from tests.worker.learner.parts import learner

pytestmark = pytest.mark.usefixtures("workdir")
GOOD, BAD = torch.ones(2), torch.tensor([1.0, math.nan])


def weights(**tensors: Any) -> dict[str, Any]:
    return {"model": tensors}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (weights(a=GOOD, n=torch.tensor(3)), []),
        (weights(a=GOOD, b=BAD, c=torch.tensor(-math.inf)), ["b", "c"]),
        ({"model": {"a": GOOD}, TRAINING: {"a": BAD}}, ["a"]),
        ({"model": {"a": GOOD}, AVERAGED: {"inner": {"b": BAD}}}, ["b"]),
        ({"optimizer": {"a": BAD}}, []),
        ({}, []),
    ],
)
def test_weights_and_their_averages_count(state: dict[str, Any], expected: list[str]) -> None:
    assert non_finite(state) == expected


def test_a_mask_of_infinities_does_not_count() -> None:
    state = weights(mask=torch.tensor(-math.inf), a=GOOD)
    assert (non_finite(state), non_finite(state, {"mask"})) == (["mask"], [])


def test_the_first_of_several_such_states_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner()
    finite = FiniteWeights()
    bad = weights(**dict.fromkeys("abcd", BAD))
    answers = [finite.has(engine, state) for state in (weights(a=GOOD), bad, bad, weights(a=GOOD), bad)]
    assert answers == [True, False, False, True, False]
    assert capsys.readouterr().out.count("a, b, c and 1 more of the weights are not finite") == 2


def test_a_run_does_not_end_well_with_them() -> None:
    engine, policy = learner()
    check_weights(engine, "training ended", lambda: "none")
    object.__setattr__(policy.mode, "state_dict", lambda: weights(a=BAD))
    # Before the first update they are whatever somebody loaded.
    check_weights(engine, "training ended", lambda: "none")
    engine.last_iter.add(3)
    with pytest.raises(
        NumbersError,
        match=r"^training ended after 3 updates, and a of the weights .* finite; the last is x; low",
    ):
        check_weights(engine, "training ended", lambda: "the last is x")
    engine.rank = 1
    check_weights(engine, "training ended", lambda: "none")
