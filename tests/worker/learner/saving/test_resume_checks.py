"""Which checkpoints a run may continue from."""

import pytest
import torch

from ding_cls.checkpoint.form import FORMAT, RESUMED, check_form
from ding_cls.errors import CheckpointError
from ding_cls.worker.learner.saving.resume_checks import check_facts, environment, environment_changes

FACTS = {
    "class_names": ["a", "b"],
    "num_train_samples": 10,
    "global_batch_size": 4,
    "drop_last": False,
    "seed": 0,
    "config": {},
}


def test_formats_up_to_ours_are_read() -> None:
    for state in ({}, {"format": FORMAT}, {"format": 0}):
        check_form(state, RESUMED)
    with pytest.raises(CheckpointError, match="has format 2; this version reads up to 1: update ding_cls"):
        check_form({"format": FORMAT + 1}, RESUMED)


@pytest.mark.parametrize("state", [{"format": "a"}, {"last_iter": 1.5}, {"run": 3}, {"parts": []}])
def test_a_malformed_entry_is_named(state: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=f"the checkpoint is malformed: {next(iter(state))} is "):
        check_form(state, RESUMED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_names", ["b", "a"]),
        ("num_train_samples", 11),
        ("global_batch_size", 8),
        ("drop_last", True),
        ("seed", 1),
    ],
)
def test_each_binding_fact_is_compared(name: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=f"^{name} differs: the checkpoint was written with "):
        check_facts(saved=FACTS, now={**FACTS, name: value})


def test_other_facts_and_missing_ones_do_not_bind() -> None:
    check_facts(saved=FACTS, now={**FACTS, "config": {"x": 1}})
    check_facts(saved={}, now=FACTS)
    check_facts(saved=FACTS, now={})


def test_a_run_from_before_there_was_a_choice_left_incomplete_batches_out() -> None:
    saved = {name: value for name, value in FACTS.items() if name != "drop_last"}
    check_facts(saved=saved, now={**FACTS, "drop_last": True})
    with pytest.raises(
        CheckpointError, match=r"^drop_last differs: .* written with True, this run has False"
    ):
        check_facts(saved=saved, now=FACTS)


def test_a_thousand_classes_make_one_short_line() -> None:
    names = [f"class {number}" for number in range(1000)]
    with pytest.raises(CheckpointError) as caught:
        check_facts(saved={"class_names": names}, now={"class_names": names[1:]})
    assert len(str(caught.value)) < 400
    assert "(1000 in all)" in str(caught.value)
    assert "(999 in all)" in str(caught.value)


def test_a_changed_environment_is_told_by_name() -> None:
    now = environment()
    assert now == {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "world_size": 1}
    assert environment_changes(now) == []
    assert environment_changes({}) == []
    assert environment_changes({**now, "threads": 99, "world_size": 2, "gone": 1}) == [
        f"threads 99 -> {now['threads']}",
        "world_size 2 -> 1",
    ]
