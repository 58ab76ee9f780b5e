"""The numbers of a run that follow from its config: evaluations, learning rates, checkpoints."""

from collections.abc import Callable
from typing import Any

from ding_cls.worker.evaluation.schedule import EvalPlan

MAX_POSITIONS = 2000


def num_evaluations(cfg: Any, updates_per_epoch: int, num_updates: int) -> int:
    """Return how often a run evaluates: before it begins, between epochs where it is due, and at its end."""
    evaluator = cfg.policy.eval.evaluator
    plan, count, last = EvalPlan.of(evaluator), 0, -1
    step = 1 if plan.is_inside_epochs else updates_per_epoch
    for train_iter in [*range(0, num_updates, step), num_updates]:
        is_due = plan.is_due(train_iter, last=last, updates_per_epoch=updates_per_epoch)
        if is_due or train_iter == num_updates:
            count, last = count + 1, train_iter
    return count if evaluator.validate else 0


def learning_rates(
    rate_at: Callable[[int], float], num_updates: int
) -> tuple[tuple[int, float], tuple[int, float], tuple[int, float]]:
    """Return update and learning rate at the begin, where it is highest first, and at the end."""
    last = max(num_updates - 1, 0)
    every = max(1, last // MAX_POSITIONS)
    rates = [(train_iter, rate_at(train_iter)) for train_iter in sorted({*range(0, last, every), last})]
    top = max(rates, key=lambda each: each[1])[0]
    around = range(max(0, top - every), min(last, top + every) + 1)
    highest = max(((train_iter, rate_at(train_iter)) for train_iter in around), key=lambda each: each[1])
    return rates[0], highest, rates[-1]


def num_checkpoints(cfg: Any, saves: set[int]) -> int:
    """Return how many files lie in the run's folder at its end: those kept, and the best."""
    learner = cfg.policy.learn.learner
    if learner.checkpoint.save_best_only:
        return 1
    count = len(saves) + bool(learner.hook.get("save_ckpt_after_run"))
    kept = 1 if learner.checkpoint.save_one_only else learner.keep_checkpoints
    return min(count, kept or count) + 1
