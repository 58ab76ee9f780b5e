"""Results of a checkpoint, taken up by an evaluator that may compare by something else."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from ding_cls.errors import CheckpointError
from ding_cls.metrics import ImageClassificationMetric
from ding_cls.worker.evaluation.best import EarlyStopping, Ranking
from ding_cls.worker.evaluation.saved_results import load_results

METRIC = ImageClassificationMetric()
RESULT = {"loss": 0.5, "acc1": 80.0, "acc5": 99.0}
STATE: dict[str, Any] = {
    "best": RESULT,
    "best_iter": 4,
    "last_result": {**RESULT, "acc1": 70.0},
    "last_eval_iter": 6,
    "has_reached_stop_value": True,
    "early_stopping": {"num_bad": 2, "best": RESULT, "compared_by": "acc1"},
    "compared_by": "acc1",
}


def loaded(state: dict[str, Any], *, key: str | None = None, goals: Any = None) -> Any:
    found = SimpleNamespace(
        best=None,
        best_iter=-1,
        last_result={},
        last_eval_iter=-1,
        has_reached_stop_value=False,
        early_stopping=EarlyStopping(5),
        ranking=Ranking(METRIC, key=key),
    )
    load_results(found, state, metric=METRIC, goals=goals, logger=logging.getLogger("saved"))
    return found


def test_everything_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    found = loaded(STATE, goals={"acc1": 60.0})
    assert (found.best, found.best_iter) == (RESULT, 4)
    assert (found.last_result, found.last_eval_iter) == (STATE["last_result"], 6)
    assert found.has_reached_stop_value
    assert found.early_stopping.state_dict() == STATE["early_stopping"]
    assert caplog.records == []


@pytest.mark.parametrize("goals", [None, {"acc1": 75.0}, {"map": 1.0}])
def test_another_goal_may_still_be_to_come(goals: Any) -> None:
    assert not loaded(STATE, goals=goals).has_reached_stop_value


def test_another_key_is_named_and_the_best_stays(caplog: pytest.LogCaptureFixture) -> None:
    found = loaded(STATE, key="loss")
    assert (found.best, found.best_iter) == (RESULT, 4)
    assert "results were compared by acc1 and are by loss now" in caplog.text


def test_a_best_without_what_is_compared_counts_anew(caplog: pytest.LogCaptureFixture) -> None:
    found = loaded({**STATE, "best": {"map": 0.5}})
    assert (found.best, found.best_iter) == (None, -1)
    assert "after 4 updates, has no acc1 to compare" in caplog.text


def test_an_older_state_without_a_count_leaves_it(caplog: pytest.LogCaptureFixture) -> None:
    older = {name: value for name, value in STATE.items() if name not in ("early_stopping", "compared_by")}
    assert loaded(older).early_stopping.num_bad == 0
    assert caplog.records == []


def test_a_malformed_state_changes_nothing() -> None:
    with pytest.raises(CheckpointError, match="evaluator"):
        loaded({**STATE, "last_result": 5})
