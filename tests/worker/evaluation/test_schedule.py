"""When an evaluation is due."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker import MetricSerialEvaluator
from ding_cls.worker.evaluation.schedule import EvalPlan


def due(plan: EvalPlan, updates: int, length: int) -> list[int]:
    """Return the updates of a run after which the plan evaluates."""
    done, last = [], -1
    for train_iter in range(updates + 1):
        is_asked = train_iter % length == 0 or plan.is_inside_epochs
        if is_asked and plan.is_due(train_iter, last=last, updates_per_epoch=length):
            done.append(train_iter)
            last = train_iter
    return done


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"freq": 50}, [0, 50]),
        ({"freq": 1}, [0, 10, 20, 30, 40, 50]),
        ({"freq": 1, "interval": 1}, [0, 10, 20, 30, 40, 50]),
        ({"freq": 1, "interval": 2}, [0, 20, 40]),
        ({"freq": 1, "interval": 2, "start": 3}, [30, 50]),
        ({"freq": 1, "interval": 1, "start": 4}, [40, 50]),
        ({"freq": 1, "interval": 3, "start": 0}, [0, 30]),
        ({"freq": 1, "interval": 15, "by_epoch": False}, [0, 15, 30, 45]),
        ({"freq": 1, "interval": 15, "by_epoch": False, "start": 7}, [7, 22, 37]),
        ({"freq": 1, "interval": 60, "by_epoch": False}, [0]),
    ],
)
def test_the_updates_by_hand(settings: dict[str, Any], expected: list[int]) -> None:
    assert due(EvalPlan(**settings), 50, 10) == expected


@pytest.mark.parametrize("interval", [1, 2, 3, 7])
@pytest.mark.parametrize("start", [None, 0, 1, 4, 9])
@pytest.mark.parametrize("by_epoch", [True, False])
def test_epochs_after_the_first_are_those_of_mmcv(interval: int, start: int | None, by_epoch: bool) -> None:
    length, epochs = 4, 12
    count = epochs if by_epoch else epochs * length
    plan = EvalPlan(1, interval, by_epoch, start)
    found = [each // (length if by_epoch else 1) for each in due(plan, epochs * length, length)]
    # mmcv/runner/hooks/evaluation.py, _should_evaluate: with ``current`` finished epochs or iterations.
    theirs = [
        current
        for current in range(1, count + 1)
        if (
            current % interval == 0
            if start is None
            else current >= start and (current - start) % interval == 0
        )
    ]
    assert [each for each in found if each > 0] == theirs


def test_a_start_alone_means_each_one_from_there() -> None:
    cfg = {**MetricSerialEvaluator.default_config(), "start": 2}
    assert due(EvalPlan.of(cfg), 50, 10) == [20, 30, 40, 50]


def test_a_loop_that_does_not_tell_its_epochs_is_told_to() -> None:
    with pytest.raises(ConfigError, match=r"set evaluator\.updates_per_epoch, or by_epoch=False"):
        EvalPlan(1, 2).is_due(3, last=-1, updates_per_epoch=None)
    assert EvalPlan(1, 3, by_epoch=False).is_due(3, last=-1, updates_per_epoch=None)


@pytest.mark.parametrize(
    ("settings", "at", "last", "left"),
    [
        # Four epochs of five updates: after each, and the last.
        ({"freq": 1}, 0, 0, 4),
        ({"freq": 1}, 7, 5, 3),
        ({"freq": 1}, 10, 5, 3),
        ({"freq": 1}, 10, 10, 2),
        ({"freq": 1}, 20, 15, 1),
        ({"freq": 1}, 20, 20, 0),
        ({"freq": 1}, 0, -1, 5),
        ({"freq": 8}, 1, 0, 2),
        ({"freq": 1000}, 1, 0, 1),
        ({"freq": 1, "interval": 2}, 3, 0, 2),
        ({"freq": 1, "interval": 3, "start": 1}, 0, 0, 2),
        ({"freq": 1, "interval": 4, "by_epoch": False}, 5, 4, 4),
        ({"freq": 1, "interval": 100, "by_epoch": False}, 5, 4, 1),
    ],
)
def test_the_evaluations_to_come_are_counted(settings: Any, at: int, last: int, left: int) -> None:
    assert EvalPlan(**settings).num_due(at, 20, last=last, updates_per_epoch=5) == left
