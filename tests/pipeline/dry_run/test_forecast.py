"""The numbers of a run that follow from its config."""

from typing import Any

import pytest

from ding_cls.config import checked_config
from ding_cls.pipeline.dry_run.forecast import learning_rates, num_checkpoints, num_evaluations
from ding_cls.pipeline.train import PARTS


@pytest.mark.parametrize("peak", [0, 1, 250, 10_000, 319_998])
def test_the_highest_rate_of_a_long_run_is_found_to_the_update(peak: int) -> None:
    first, highest, last = learning_rates(lambda train_iter: 1e6 - abs(train_iter - peak), 320_000)
    assert highest == (peak, 1e6)
    assert (first[0], last[0]) == (0, 319_999)


def compiled(*, learner: dict[str, Any] | None = None, evaluator: dict[str, Any] | None = None) -> Any:
    classes: dict[str, Any] = dict(PARTS)
    policy = {"learn": {"learner": learner or {}}, "eval": {"evaluator": evaluator or {}}}
    return checked_config({"policy": policy}, **classes)


@pytest.mark.parametrize(
    ("learner", "count"),
    [
        ({"keep_checkpoints": 3}, 4),
        ({"keep_checkpoints": 0}, 4 + 1 + 1),
        ({"keep_checkpoints": 0, "hook": {"save_ckpt_after_run": False}}, 4 + 1),
        ({"checkpoint": {"save_one_only": True}}, 2),
        ({"checkpoint": {"save_best_only": True}}, 1),
    ],
)
def test_the_files_at_the_end_are_those_kept_and_the_best(learner: dict[str, Any], count: int) -> None:
    assert num_checkpoints(compiled(learner=learner), {5, 10, 15, 20}) == count


@pytest.mark.parametrize(
    ("evaluator", "count"),
    [({"eval_freq": 1}, 1 + 6), ({"eval_freq": 10}, 1 + 3), ({"validate": False}, 0)],
)
def test_evaluations_are_before_the_first_and_after_each_epoch(evaluator: dict[str, Any], count: int) -> None:
    assert num_evaluations(compiled(evaluator=evaluator), 5, 30) == count
