"""States of hooks in the checkpoint, and calls that a resumed run does not repeat."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError, ConfigError, RunStopped
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner.hooks.base import POSITIONS
from ding_cls.worker.learner.hooks.method_hook import method_hooks
from ding_cls.worker.learner.state.hook_state import HookCalls, state_of
from tests.worker.learner.hooks.test_method_hook import AlwaysEvaluating
from tests.worker.learner.parts import Loader, Note, learner

pytestmark = pytest.mark.usefixtures("workdir")


class Counting:
    """Counts its calls by position, and keeps the counts."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def before_epoch(self, engine: Any) -> None:
        self.count("before_epoch")

    def before_iter(self, engine: Any) -> None:
        self.count("before_iter")

    def after_iter(self, engine: Any) -> None:
        self.count("after_iter")

    def after_epoch(self, engine: Any) -> None:
        self.count("after_epoch")

    def after_eval(self, engine: Any) -> None:
        self.count("after_eval")

    def state_dict(self) -> dict[str, Any]:
        return self.counts

    def load_state_dict(self, state: Any) -> None:
        self.counts = dict(state)


class CountingHook(LearnerHook):
    """The same as a LearnerHook, at one position."""

    def __init__(self, name: str, priority: Any = 50, *, position: Any) -> None:
        super().__init__(name, priority, position=position)
        self.calls = 0

    def __call__(self, engine: BaseLearner) -> None:
        self.calls += 1

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Any) -> None:
        self.calls = state["calls"]


WHOLE = {"before_epoch": 2, "before_iter": 10, "after_iter": 10, "after_epoch": 2}
ALWAYS = {"save_ckpt_after_iter": 1, "save_ckpt_after_run": False}


def begun(exp_name: str, priority: Any = 50, **hook: Any) -> tuple[BaseLearner, Counting]:
    engine, _ = learner(exp_name, hook={**ALWAYS, **hook}, keep_checkpoints=0)
    owner = Counting()
    for each in method_hooks(owner, "count", priority):
        engine.register_hook(each)
    return engine, owner


@pytest.mark.parametrize("priority", [0, 15, 20, 50, 100])
def test_every_periodic_file_goes_on_with_the_very_counts(priority: int) -> None:
    engine, owner = begun("whole", priority, save_ckpt_after_epoch=1)
    engine.start(Loader(5), max_epochs=2)
    assert owner.counts == WHOLE
    for position in range(1, 11):
        again, counts = begun(f"again_{position}", priority, save_ckpt_after_epoch=1)
        again.load_checkpoint(f"whole/ckpt/iteration_{position}.pth.tar")
        assert counts.counts["after_iter"] == position
        again.start(Loader(5), max_epochs=2)
        assert counts.counts == WHOLE, f"from update {position}"


@pytest.mark.parametrize("priority", [0, 100])
def test_files_written_during_evaluations_do_so_too(priority: int) -> None:
    class Saving(AlwaysEvaluating):
        def eval(self, save: Any, train_iter: int, envstep: int) -> Any:
            self.last_eval_iter = train_iter
            save(f"eval_{train_iter}.pth.tar")
            return super().eval(save, train_iter, envstep)

        def state_dict(self) -> dict[str, Any]:
            return {"last": self.last_eval_iter}

        def load_state_dict(self, state: Any) -> None:
            self.last_eval_iter = state["last"]

    engine, owner = begun("whole", priority)
    engine.start(Loader(5), max_epochs=2, evaluator=Saving())
    assert owner.counts == {**WHOLE, "after_eval": 3}
    for position in (5, 10):
        again, counts = begun(f"again_{position}", priority)
        again.load_checkpoint(f"whole/ckpt/eval_{position}.pth.tar")
        again.start(Loader(5), max_epochs=2, evaluator=Saving())
        assert counts.counts == {**WHOLE, "after_eval": 3}, f"from the evaluation at {position}"


def test_a_hook_without_a_state_is_called_once_for_each_epoch_too() -> None:
    notes: list[Any] = []
    engine, _ = learner(
        "whole",
        hook={"save_ckpt_after_iter": False, "save_ckpt_after_run": False, "save_ckpt_after_epoch": 1},
    )
    engine.register_hook(Note(notes, "before the save", 10, position="after_epoch"))
    engine.register_hook(Note(notes, "behind it", 90, position="after_epoch"))
    engine.start(Loader(3), max_epochs=1)
    assert [name for name, _ in notes] == ["before the save", "behind it"]
    notes.clear()
    again, _ = learner(
        "again",
        hook={"save_ckpt_after_iter": False, "save_ckpt_after_run": False, "save_ckpt_after_epoch": 1},
    )
    again.register_hook(Note(notes, "before the save", 10, position="after_epoch"))
    again.register_hook(Note(notes, "behind it", 90, position="after_epoch"))
    again.load_checkpoint("whole/ckpt/iteration_3.pth.tar")
    again.start(Loader(3), max_epochs=2)
    assert [name for name, _ in notes] == ["behind it", "before the save", "behind it"]


def test_before_epoch_is_called_again_in_mid_epoch_and_keeps_the_state() -> None:
    notes: list[Any] = []
    engine, _ = begun("whole")
    engine.start(Loader(5), max_epochs=1)
    again, owner = begun("again")
    again.register_hook(Note(notes, "without a state", position="before_epoch"))
    again.load_checkpoint("whole/ckpt/iteration_3.pth.tar")
    again.start(Loader(5), max_epochs=1)
    assert notes == [("without a state", 3)]
    assert owner.counts["before_epoch"] == 1


@pytest.mark.parametrize("position", POSITIONS)
def test_a_learner_hook_with_a_state_has_its_place_too(position: Any) -> None:
    engine, _ = learner("whole")
    hook = CountingHook("mine", position=position)
    engine.register_hook(hook)
    hook.calls = 41
    engine.save_checkpoint("x.pth.tar")
    assert read_checkpoint("whole/ckpt/x.pth.tar")["parts"]["hook.mine"] == {"calls": 41}
    early, late = (learner(name)[0] for name in ("early", "late"))
    hooks = [CountingHook("mine", position=position) for _ in range(2)]
    early.register_hook(hooks[0])
    early.load_checkpoint("whole/ckpt/x.pth.tar")
    late.load_checkpoint("whole/ckpt/x.pth.tar")
    late.register_hook(hooks[1])
    assert [each.calls for each in hooks] == [41, 41]


def test_states_of_equal_names_are_told_apart_in_order() -> None:
    def prepared(name: str, *calls: int) -> tuple[BaseLearner, list[CountingHook]]:
        engine, _ = learner(name)
        hooks = [CountingHook("mine", position=where) for where in ("after_iter", "after_iter", "after_run")]
        for hook, count in zip(hooks, calls, strict=True):
            hook.calls = count
            engine.register_hook(hook)
        return engine, hooks

    engine, _ = prepared("whole", 1, 2, 3)
    engine.save_checkpoint("x.pth.tar")
    assert {"hook.mine", "hook.mine_2", "hook.mine_3"} <= read_checkpoint("whole/ckpt/x.pth.tar")[
        "parts"
    ].keys()
    again, hooks = prepared("again", 0, 0, 0)
    again.load_checkpoint("whole/ckpt/x.pth.tar")
    assert [hook.calls for hook in hooks] == [1, 2, 3]


def test_a_state_registered_by_hand_is_not_saved_twice() -> None:
    engine, _ = learner()
    hook = CountingHook("mine", position="after_iter")
    engine.register_state("by_hand", hook)
    engine.register_hook(hook)
    engine.save_checkpoint("x.pth.tar")
    parts = read_checkpoint("run/ckpt/x.pth.tar")["parts"]
    assert "by_hand" in parts
    assert "hook.mine" not in parts


def test_the_state_of_a_hook_that_is_gone_is_handed_on() -> None:
    engine, _ = begun("whole")
    engine.start(Loader(5), max_epochs=1)
    without, _ = learner("without")
    without.load_checkpoint("whole/ckpt/iteration_5.pth.tar")
    without.save_checkpoint("x.pth.tar")
    handed_on = read_checkpoint("without/ckpt/x.pth.tar")["parts"]["hook.count"]
    assert handed_on == {"before_epoch": 1, "before_iter": 5, "after_iter": 5}


def test_half_a_state_is_refused() -> None:
    class Half(Note):
        def state_dict(self) -> dict[str, Any]:
            return {}

    engine, _ = learner()
    with pytest.raises(
        ConfigError, match="hook Half has state_dict and no load_state_dict; a state needs both"
    ):
        engine.register_hook(Half([], "half", position="after_iter"))


def test_a_state_that_no_checkpoint_can_hold_is_named_when_it_is_saved() -> None:
    class Odd(CountingHook):
        def state_dict(self) -> dict[str, Any]:
            return {"calls": {object()}}

    engine, _ = learner()
    engine.register_hook(Odd("odd", position="after_iter"))
    with pytest.raises(
        CheckpointError, match=r"'parts', 'hook\.odd', 'calls', 0: a builtins\.object has no place"
    ):
        engine.save_checkpoint()
    assert not list(Path("run").glob("ckpt/*.tar"))


def test_tensors_in_a_state_come_back_bit_by_bit() -> None:
    class Averaging(CountingHook):
        mean = torch.zeros(2)

        def state_dict(self) -> dict[str, Any]:
            return {"mean": self.mean}

        def load_state_dict(self, state: Any) -> None:
            self.mean = state["mean"]

    engine, _ = learner("whole")
    hook = Averaging("mean", position="after_iter")
    hook.mean = torch.tensor([1 / 3, 1e-30])
    engine.register_hook(hook)
    engine.save_checkpoint("x.pth.tar")
    again, _ = learner("again")
    other = Averaging("mean", position="after_iter")
    again.register_hook(other)
    again.load_checkpoint("whole/ckpt/x.pth.tar")
    assert torch.equal(other.mean, hook.mean)


def test_a_stop_during_an_evaluation_repeats_no_call() -> None:
    class Interrupted(AlwaysEvaluating):
        def eval(self, save: Any, train_iter: int, envstep: int) -> Any:
            from ding_cls.worker.evaluation.batches import EvaluationStoppedError

            if train_iter == 5 and self.is_new:
                raise EvaluationStoppedError
            return super().eval(save, train_iter, envstep)

    engine, _ = begun("run")
    judge = Interrupted()
    judge.is_new = True  # type: ignore[attr-defined]
    with pytest.raises(RunStopped):
        engine.start(Loader(5), max_epochs=2, evaluator=judge)
    again, owner = begun("again")
    again.load_checkpoint("run/ckpt/iteration_5.pth.tar")
    assert owner.counts["after_epoch"] == 1
    judge = Interrupted()
    judge.is_new = False  # type: ignore[attr-defined]
    again.start(Loader(5), max_epochs=2, evaluator=judge)
    assert owner.counts == {**WHOLE, "after_eval": 3}


def test_a_hook_that_is_new_in_a_resumed_run_is_called() -> None:
    calls = HookCalls()
    old, new = Note([], "old", position="after_epoch"), Note([], "new", position="after_epoch")
    assert list(calls.due("after_epoch", [old], 5)) == [old]
    again = HookCalls()
    again.load_state_dict(calls.state_dict())
    assert list(again.due("after_epoch", [old, new], 5)) == [new]
    assert again.state_dict() == {"after_epoch": [5, ["old", "new"]]}
    # In the same session nothing is left out: a loop of one's own may call a position as it likes.
    assert list(again.due("after_epoch", [old, new], 5)) == [old, new]
    assert list(again.due("after_epoch", [old, new], 10)) == [old, new]
    assert list(again.due("before_iter", [old], 10)) == [old]


def test_what_has_a_hooks_state() -> None:
    owner = Counting()
    assert all(state_of(hook) is owner for hook in method_hooks(owner, "x", 50))
    hook = CountingHook("x", position="after_iter")
    assert state_of(hook) is hook
    assert state_of(Note([], "x", position="after_iter")) is None
