"""Updates that are not finite: what is counted and warned of, and what ends a run.

Whole runs with them: tests/faults/test_numbers.py.
"""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ding_cls.errors import NumbersError
from ding_cls.worker.learner.loop.bad_updates import BadUpdates, advice_by
from tests.worker.learner.parts import Loader, learner

pytestmark = pytest.mark.usefixtures("workdir")


def counted(losses: list[float], *, limit: int = 10, on_device: bool = False) -> tuple[BadUpdates, Any]:
    """Return the count after updates of a policy that says nothing but its losses, and the learner."""
    engine, policy = learner()
    policy.attributes["cfg"] = SimpleNamespace(learn={"max_bad_steps": limit, "learning_rate": 0.5})
    batch = next(iter(Loader(1)))
    updates = BadUpdates()
    for loss in losses:
        engine.outputs = {"total_loss": torch.tensor(loss) if on_device else loss}
        assert not updates.take(engine)
        engine.last_iter.add(1)
        updates.check(engine, batch)
    return updates, engine


@pytest.mark.parametrize("on_device", [False, True])
def test_those_in_a_row_are_counted_and_a_good_one_ends_the_row(on_device: bool) -> None:
    updates, _ = counted([1.0, math.nan, math.inf, 2.0, math.nan], on_device=on_device)
    assert updates.is_going_on()
    assert updates.in_row == 1
    updates, _ = counted([math.nan, 1.0], on_device=on_device)
    assert not updates.is_going_on()


@pytest.mark.parametrize("on_device", [False, True])
def test_so_many_in_a_row_end_the_run_with_the_images_that_began_it(on_device: bool) -> None:
    with pytest.raises(
        NumbersError, match=r"of \d+ updates in a row, up to \d+, .*learning_rate \(it is 0.5\)"
    ):
        counted([1.0] + [math.nan] * 20, limit=3, on_device=on_device)


def test_one_warning_holds_for_a_hundred_updates(capsys: pytest.CaptureFixture[str]) -> None:
    losses = [math.nan, 1.0, math.nan, *[1.0] * 110, math.nan]
    counted(losses)
    lines = [line for line in capsys.readouterr().out.splitlines() if "not finite" in line]
    assert [line.split(":")[0] for line in lines] == ["update 1", "update 114"]


def test_a_run_that_was_bad_from_its_middle_on_does_not_end_well() -> None:
    updates, engine = counted([1.0, 2.0, math.nan, math.nan])
    with pytest.raises(NumbersError, match="of 2 updates in a row, up to 4"):
        updates.check_end(engine)
    updates, engine = counted([1.0, 2.0, 3.0, math.nan])
    updates.check_end(engine)


def test_a_resumed_run_counts_on() -> None:
    first, _ = counted([math.nan, math.nan])
    again = BadUpdates()
    again.load_state_dict(first.state_dict())
    assert again.in_row == 2
    assert again.state_dict() == first.state_dict()
    again.load_state_dict({})
    assert again.in_row == 0


def test_an_epochs_row_tells_of_skipped_updates_alone_and_can_be_taken_back() -> None:
    updates = BadUpdates()
    assert updates.close_epoch() == {}
    updates.reopen_epoch({"train_skipped": 3})
    assert updates.close_epoch() == {"train_skipped": 3}
    assert updates.close_epoch() == {}


@pytest.mark.parametrize(
    ("learn", "expected"),
    [
        ({}, "lower policy.learn.learning_rate, or set policy.learn.grad_clip"),
        (
            {"learning_rate": 0.1, "grad_clip": {"max_norm": 5}, "precision": "fp16"},
            "lower policy.learn.learning_rate (it is 0.1), or tighten policy.learn.grad_clip (it is "
            "{'max_norm': 5}), or take policy.learn.precision=bf16",
        ),
    ],
)
def test_the_advice_is_that_of_the_config(learn: dict[str, Any], expected: str) -> None:
    assert advice_by(learn) == expected
