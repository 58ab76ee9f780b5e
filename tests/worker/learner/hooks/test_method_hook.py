"""Hooks with methods named after positions: what is called when, how often, and what no position calls."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import Engine, Hook
from ding_cls.worker.learner.hooks.base import POSITIONS
from ding_cls.worker.learner.hooks.method_hook import METHODS, method_hooks
from tests.worker.learner.parts import Loader, learner
from tests.worker.learner.test_base_learner import StubEvaluator

# Two epochs of five updates, evaluated at the begin and after each epoch: finished epochs and updates.
MOMENTS = {
    "before_run": [(0, 0)],
    "after_run": [(2, 10)],
    "before_epoch": [(0, 0), (1, 5)],
    "after_epoch": [(1, 5), (2, 10)],
    "before_iter": [(number // 5, number) for number in range(10)],
    "after_iter": [(number // 5, number) for number in range(1, 11)],
    "after_eval": [(0, 0), (1, 5), (2, 10)],
}
CALLED = [(position, method) for position, methods in METHODS.items() for method in methods]

pytestmark = pytest.mark.usefixtures("workdir")


def train_with(*owners: object, priority: Any = "NORMAL") -> None:
    engine, _ = learner()
    for number, owner in enumerate(owners):
        for hook in method_hooks(owner, f"hook_{number}", priority):
            engine.register_hook(hook)
    engine.start(Loader(5), max_epochs=2, evaluator=AlwaysEvaluating())


class AlwaysEvaluating(StubEvaluator):
    """Evaluates whenever it is asked."""

    def should_eval(self, train_iter: int) -> bool:
        return True


def noting(*methods: str, base: type = object) -> Any:
    """Return an object with these methods, each of which notes (method, epoch, train_iter) in ``notes``."""

    def method(name: str) -> Any:
        return lambda self, engine: self.notes.append((name, engine.epoch, engine.train_iter))

    owner: Any = type("Noting", (base,), {name: method(name) for name in methods})()
    owner.notes = []
    return owner


def test_every_position_has_a_method_and_each_a_name_of_mmcv_or_ours() -> None:
    assert set(METHODS) == set(POSITIONS)
    assert {method for _, method in CALLED} == {
        *("before_run", "after_run", "before_epoch", "after_epoch", "before_iter", "after_iter"),
        *("before_train_epoch", "after_train_epoch", "before_train_iter", "after_train_iter"),
        *("after_val_epoch", "after_eval"),
    }


@pytest.mark.parametrize("base", [object, Hook])
@pytest.mark.parametrize(("position", "method"), CALLED)
def test_each_method_is_called_at_its_position_as_often_as_that(
    position: str, method: str, base: type
) -> None:
    owner = noting(method, base=base)
    train_with(owner)
    assert owner.notes == [(method, *moment) for moment in MOMENTS[position]]


def test_all_methods_of_one_object_are_called_in_the_order_of_a_run() -> None:
    owner = noting(
        "before_run",
        "before_epoch",
        "before_iter",
        "after_iter",
        "after_epoch",
        "after_val_epoch",
        "after_run",
    )
    train_with(owner)
    names = [name for name, _, _ in owner.notes]
    epoch = ["before_epoch", *["before_iter", "after_iter"] * 5, "after_epoch", "after_val_epoch"]
    assert names == ["before_run", "after_val_epoch", *epoch, *epoch, "after_run"]


@pytest.mark.parametrize(
    ("general", "special"), [("before_epoch", "before_train_epoch"), ("after_iter", "after_train_iter")]
)
def test_of_two_methods_for_one_position_the_one_of_training_is_called(general: str, special: str) -> None:
    owner = noting(general, special)
    train_with(owner)
    assert {name for name, _, _ in owner.notes} == {special}


def test_a_method_may_call_its_base_as_in_mmcv() -> None:
    class Both(Hook):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def after_iter(self, engine: Any) -> None:
            self.notes.append("every")

        def after_train_iter(self, engine: Any) -> None:
            super().after_train_iter(engine)
            self.notes.append("train")

    owner = Both()
    train_with(owner)
    assert owner.notes == ["every", "train"] * 10


def test_a_base_called_hook_of_another_library_does_nothing_either() -> None:
    foreign = type(
        "Hook",
        (),
        {name: lambda self, engine: None for name in ("before_val_iter", "before_run", "after_iter")},
    )
    owner = noting("after_epoch", base=foreign)
    (hook,) = method_hooks(owner, "mine", 50)
    assert hook.position == "after_epoch"


def test_equal_priorities_run_in_the_order_they_were_registered() -> None:
    notes: list[int] = []

    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

        def before_run(self, engine: Any) -> None:
            notes.append(self.number)

    train_with(*(Numbered(number) for number in range(5)))
    assert notes == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "method",
    [
        *(
            "before_val_epoch",
            "before_val_iter",
            "after_val_iter",
            "before_train",
            "after_train",
            "before_val",
        ),
        *(
            "after_val",
            "before_test",
            "after_test",
            "before_test_epoch",
            "after_test_epoch",
            "before_test_iter",
        ),
        *("after_test_iter", "before_save_checkpoint", "after_load_checkpoint"),
    ],
)
def test_a_method_for_which_there_is_no_position_is_refused(method: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"hook Noting defines {method}, for which this loop has no position; it"
    ):
        method_hooks(noting("after_iter", method, base=Hook), "mine", 50)


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [("after_train_itr", "after_train_iter"), ("before_epochs", "before_epoch"), ("after_runs", "after_run")],
)
def test_a_misspelt_method_is_refused_with_the_nearest(typo: str, nearest: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"hook Noting defines {typo}, which nothing calls; did you mean {nearest}\?"
    ):
        method_hooks(noting("after_iter", typo), "mine", 50)


def test_a_method_of_ones_own_may_have_another_name() -> None:
    (hook,) = method_hooks(noting("after_iter", "after_warmup", "_after_train_itr", "iter"), "mine", 50)
    assert hook.position == "after_iter"


@pytest.mark.parametrize("owner", [object(), Hook(), noting("iterate")])
def test_an_object_without_such_a_method_is_refused(owner: object) -> None:
    with pytest.raises(
        ConfigError, match="is no LearnerHook and has no method named after a position: before_run, after"
    ):
        method_hooks(owner, "mine", 50)


# What the base class answers


def test_every_n_counts_from_one_as_in_mmcv() -> None:
    found: dict[str, list[int]] = {
        "iters": [],
        "epochs": [],
        "inner": [],
        "never": [],
        "last": [],
        "last_epoch": [],
    }

    class Counting(Hook):
        def after_train_iter(self, engine: Any) -> None:
            number = engine.train_iter
            for name, is_due in (
                ("iters", self.every_n_iters(engine, 3)),
                ("inner", self.every_n_inner_iters(engine, 2)),
                ("never", self.every_n_iters(engine, 0) or self.every_n_iters(engine, -1)),
                ("last", self.is_last_iter(engine)),
            ):
                if is_due:
                    found[name].append(number)

        def after_train_epoch(self, engine: Any) -> None:
            if self.every_n_epochs(engine, 2):
                found["epochs"].append(engine.epoch_info[0])
            if self.is_last_epoch(engine):
                found["last_epoch"].append(engine.epoch_info[0])
            assert not self.every_n_epochs(engine, 0)
            assert not self.every_n_inner_iters(engine, 0)

    train_with(Counting())
    assert found == {
        "iters": [3, 6, 9],
        "epochs": [1],
        "inner": [2, 4, 7, 9],
        "never": [],
        "last": [10],
        "last_epoch": [1],
    }


def test_the_methods_of_the_base_do_nothing() -> None:
    engine: Any = None
    for _, method in CALLED:
        if method != "after_eval":
            assert getattr(Hook(), method)(engine) is None


def test_a_method_that_wants_more_than_the_engine_is_refused_before_the_run() -> None:
    class Greedy:
        def after_train_iter(self, engine: Any, batch_idx: int) -> None: ...

    with pytest.raises(
        ConfigError, match="hook Greedy: after_train_iter is called with one argument, the engine"
    ):
        method_hooks(Greedy(), "greedy", 50)


def test_the_last_epoch_may_be_cut_short() -> None:
    last: list[tuple[int, bool, bool]] = []

    class Asking(Hook):
        def after_train_epoch(self, engine: Engine) -> None:
            last.append((engine.train_iter, self.is_last_epoch(engine), self.every_n_epochs(engine, 2)))

    engine, _ = learner(train_iterations=8)
    for hook in method_hooks(Asking(), "asking", 50):
        engine.register_hook(hook)
    engine.start(Loader(3), max_epochs=9)
    assert last == [(3, False, False), (6, False, True), (8, True, False)]


def test_a_loop_of_the_callers_own_counts_its_epochs_itself_and_has_no_last_one() -> None:
    engine, _ = learner()
    engine.epoch_info = (3, 7, 100)
    assert Hook().every_n_epochs(engine, 2)
    assert Hook().every_n_inner_iters(engine, 4)
    assert not Hook().is_last_epoch(engine)
    assert not Hook().is_last_iter(engine)
