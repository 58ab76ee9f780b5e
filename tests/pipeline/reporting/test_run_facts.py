"""What a run has recorded of itself, as its report shows it."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data.datasets.digest import SampleList
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting.run_facts import (
    config_lines,
    data_facts,
    digests,
    environment_facts,
    is_of_training,
    phases_of,
    rows_of,
)


@pytest.fixture(scope="module")
def run(found: EvaluationReport) -> dict[str, object]:
    return dict(read_checkpoint(found.checkpoint)["run"])


def _row(kind: str, train_iter: int, **values: float) -> dict[str, object]:
    return {"kind": kind, "train_iter": train_iter, **values}


def test_rows_are_in_order_once_each_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    lines = [
        json.dumps(_row("train", 10, loss=1.0)),
        json.dumps(_row("train", 20, loss=2.0)),
        json.dumps(_row("train", 10, loss=3.0)),
        '{"kind": "tra',
    ]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "metrics.jsonl").write_text("\n".join(lines))

    assert rows_of(tmp_path) == [_row("train", 10, loss=3.0), _row("train", 20, loss=2.0)]
    assert rows_of(tmp_path / "none") == rows_of(None) == []


def test_phases_are_the_means_times_the_updates_and_the_rest_of_the_epochs() -> None:
    times = {"data_time_val": 0.1, "forward_time_avg": 0.2, "backward_time_avg": 0.3, "sync_time_avg": 0.0}
    rows = [_row("train", 10, **times), _row("train", 30, **times), _row("epoch", 30, seconds=20.0)]

    phases = phases_of(rows)

    assert [name for name, _ in phases] == [
        "waiting for data",
        "forward",
        "backward",
        "evaluation, checkpoints and the rest",
    ]
    assert [seconds for _, seconds in phases] == pytest.approx([3.0, 6.0, 9.0, 2.0])
    assert phases_of([]) == []


def test_data_are_counted_by_class_and_split(
    found: EvaluationReport, run: dict[str, object], trained: Path
) -> None:
    facts = dict(data_facts(found, run, trained))

    assert facts["images evaluated"] == "20"
    assert facts["training images of the run"] == "40"
    assert facts["class ash"] == "5 evaluated, 10 in training"


def test_of_many_classes_the_fewest_are_named(found: EvaluationReport, run: dict[str, object]) -> None:
    names = (*found.classes, *(f"class {number}" for number in range(96)))

    facts = dict(data_facts(replace(found, classes=names), run, None))

    expected = "0 to 5; the fewest have class 0, class 1, class 2, class 3, class 4 and 91 more"
    assert facts["images of a class, evaluated"] == expected


def test_each_value_of_the_config_says_what_set_it(run: dict[str, object]) -> None:
    lines = {line.key: line for line in config_lines(run)}
    earlier = {key: value for key, value in run.items() if key != "config_origins"}
    of_earlier = {line.key: line for line in config_lines(earlier)}

    assert "num_workers=0" in lines["policy.learn.learner.dataloader.num_workers"].origin
    assert lines["policy.learn.momentum_schedule"].origin == ""
    assert of_earlier["policy.learn.learner.dataloader.num_workers"].origin == "set by the run"
    assert of_earlier["policy.learn.momentum_schedule"].origin == ""


def test_digests_are_those_of_the_file_and_of_the_data(
    found: EvaluationReport, run: dict[str, object]
) -> None:
    values = dict(digests(found, run))

    expected = hashlib.sha256(found.checkpoint.read_bytes()).hexdigest()
    assert values["checkpoint, sha256"] == expected
    data = run["data"]
    assert isinstance(data, dict)
    val, train = data["val"]["digest"], data["train"]["digest"]
    assert values["names and labels evaluated, sha256"] == val
    assert values["names and labels of the run's validation data, sha256"] == f"{val} (the same)"
    assert values["names and labels of the run's training data, sha256"] == train


def test_the_environment_is_that_of_here_and_of_training() -> None:
    facts = dict(environment_facts({"torch": "2.9.0", "world_size": 2}))

    assert facts["torch in training"] == "2.9.0"
    assert facts["processes in training"] == "2"
    assert "python" in facts


def test_a_moved_run_has_the_same_facts(found: EvaluationReport, trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "moved")

    assert rows_of(moved) == rows_of(trained) != []


def test_training_data_are_told_by_their_names_unless_another_split_has_the_same(
    found: EvaluationReport,
) -> None:
    own = {"digest": SampleList.of(found.dataset).digest, "num_samples": 20}
    other = {"digest": "0" * 64, "num_samples": 20}
    alone = replace(found, split=None)

    assert is_of_training(alone, {"data": {"train": own, "val": other}})
    assert not is_of_training(alone, {"data": {"train": own, "val": own}})
    assert not is_of_training(alone, {"data": {"train": other, "val": own}})
    assert not is_of_training(alone, {})
    assert not is_of_training(replace(found, split="test"), {"data": {"train": own, "val": other}})
