"""The results of a checkpoint's evaluator, taken up by one that may have another metric or another key."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from ding_cls.checkpoint.form import EVALUATOR, check_form
from ding_cls.metrics import IMetric
from ding_cls.worker.evaluation.best import EarlyStopping, Ranking, has_reached


class Results(Protocol):
    """What an evaluator has found so far; see ``MetricSerialEvaluator``."""

    best: dict[str, float] | None
    best_iter: int
    last_result: dict[str, float]
    last_eval_iter: int
    has_reached_stop_value: bool
    early_stopping: EarlyStopping

    @property
    def ranking(self) -> Ranking:
        """What compares results."""


def load_results(
    evaluator: Results,
    state: Mapping[str, Any],
    *,
    metric: IMetric,
    goals: Any,
    logger: logging.Logger,
) -> None:
    """Load what `MetricSerialEvaluator.state_dict` gave.

    A best result that cannot be compared any more is none: the best counts anew.

    Args:
        evaluator: goes on with it.
        state: the state.
        metric: the evaluator's, now.
        goals: its ``stop_value``, now.
        logger: gets a line for what differs.

    Raises:
        CheckpointError: the state is malformed; nothing is changed.
    """
    check_form(state, EVALUATOR, "the checkpoint's part 'evaluator'")
    evaluator.best, evaluator.best_iter = _comparable_best(state, evaluator.ranking, logger)
    evaluator.last_result, evaluator.last_eval_iter = state["last_result"], state["last_eval_iter"]
    # Another goal than before may still be to come.
    is_reached: bool = state["has_reached_stop_value"]
    evaluator.has_reached_stop_value = is_reached and _meets(metric, evaluator.last_result, goals)
    if "early_stopping" in state:
        evaluator.early_stopping.load_state_dict(state["early_stopping"])


def _comparable_best(
    state: Mapping[str, Any], ranking: Ranking, logger: logging.Logger
) -> tuple[dict[str, Any] | None, int]:
    best, best_iter, before = state["best"], state["best_iter"], state.get("compared_by")
    if best is not None and not ranking.can_compare(best):
        logger.warning(
            f"the best result so far, after {best_iter} updates, has no {ranking.compares_by} to compare: "
            "the best counts anew from here"
        )
        return None, -1
    if before not in (None, ranking.compares_by):
        logger.warning(
            f"results were compared by {before} and are by {ranking.compares_by} now: the best so far stays "
            f"that after {best_iter} updates"
        )
    return best, best_iter


def _meets(metric: IMetric, result: Mapping[str, Any], goals: Any) -> bool:
    """Return whether a result meets a goal; one of another metric does not."""
    try:
        return has_reached(metric, result, goals)
    except Exception:  # a gt of the user's raises what it likes
        return False
