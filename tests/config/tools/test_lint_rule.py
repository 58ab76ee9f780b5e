"""What a rule sees of a config: its values, their origins and how long the run is."""

from typing import Any

import pytest

from ding_cls.config.defaults import NEVER
from ding_cls.config.origins import DEFAULT
from ding_cls.config.tools.lint_rule import LintContext, LintFinding


def context(per_epoch: int | None = None, iterations: float = NEVER, **learn: Any) -> LintContext:
    tree = {"policy": {"learn": {**learn, "learner": {"train_iterations": iterations}}}}
    return LintContext(tree, lambda path: "a.py:1" if path.endswith("b") else DEFAULT, 1, per_epoch)


@pytest.mark.parametrize(
    ("cfg", "epochs", "updates"),
    [
        (context(train_epoch=3), 3, 0),
        (context(train_epoch=3, max_iters=40), 0, 40),
        (context(train_epoch=3, iterations=50), 0, 50),
        (context(10, train_epoch=3), 3, 30),
        # ``max_iters`` alone says how long a run is; ``train_iterations`` ends it early.
        (context(10, train_epoch=3, max_iters=45), 4.5, 45),
        (context(10, train_epoch=3, iterations=45), 3, 30),
        (context(10, train_epoch=3, iterations=25), 2.5, 25),
        (context(10, train_epoch=9, max_iters=45, iterations=20), 2, 20),
        (context(10, train_epoch=0), 0, 0),
    ],
)
def test_the_length_of_a_run_in_epochs_and_in_updates(
    cfg: LintContext, epochs: float, updates: float
) -> None:
    assert (cfg.epochs, cfg.updates) == (epochs, updates)


def test_values_and_the_first_path_that_was_set() -> None:
    cfg = context(train_epoch=3, name="x")
    assert (cfg.at("policy.learn.name"), cfg.at("policy.zzz")) == ("x", None)
    assert (cfg.number("policy.learn.train_epoch"), cfg.number("policy.learn.name")) == (3, 0)
    assert (cfg.first_set("a", "b"), cfg.first_set("a", "c")) == ("b", "a")


def test_a_finding_is_a_line() -> None:
    assert str(LintFinding("rule", "policy.cuda", "it hurts", "stop it")) == "policy.cuda: it hurts; stop it"
