"""What a checkpoint says about its run, and what it does not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError
from ding_cls.inference import saved_run
from tests.inference.conftest import CLASSES


@pytest.fixture
def state(trained: Path) -> dict[str, Any]:
    return read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")


def test_network_classes_and_preprocessing_come_from_the_file(state: dict[str, Any]) -> None:
    run, cfg = saved_run.described_run(state, "a.pth", has_model=False, function="load")
    assert tuple(run["class_names"]) == CLASSES
    assert cfg.policy.collect.image_size == 8
    assert saved_run.preprocessing_in(run, "a.pth").state_dict() == run["preprocessing"]
    # The machine is this one, whatever the run's was.
    assert cfg.policy.multi_gpu is False


@pytest.mark.parametrize("missing", ["run", "config", "class_names", "preprocessing"])
def test_a_file_that_does_not_say_is_answered_by_how_to_use_it(state: dict[str, Any], missing: str) -> None:
    if missing == "run":
        del state["run"]
    else:
        del state["run"][missing]
    with pytest.raises(CheckpointError, match=r"ding-cls eval CONFIG a\.pth .* --model NAME"):
        saved_run.described_run(state, "a.pth", has_model=False, function="load")


def test_a_network_that_was_given_must_be_handed_in() -> None:
    cfg = SimpleNamespace(policy=SimpleNamespace(model={"name": f"TinyNet{saved_run.GIVEN}"}))
    with pytest.raises(CheckpointError, match=r"ding_cls\.evaluate\(\.\.\., model=network\)"):
        saved_run.check_buildable(cfg, "a.pth", function="evaluate")


def test_entries_that_cannot_be_used_are_one_line_with_their_name(state: dict[str, Any]) -> None:
    for entry, call in (("preprocessing", saved_run.preprocessing_in), ("config", saved_run.config_for_here)):
        broken = {"type": "there is none"} if entry == "preprocessing" else {"policy": {"no such key": 1}}
        with pytest.raises(CheckpointError, match=f"^run.{entry} in 'a.pth' cannot be used: ") as error:
            call({**state["run"], entry: broken} if entry == "preprocessing" else broken, "a.pth")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("run", "metric", "expected"),
    [
        ({"label_kind": "several"}, None, True),
        ({"label_kind": "one"}, {"type": "ExactMatch"}, False),
        ({}, {"type": "ExactMatch"}, True),
        ({}, {"type": "ClassificationMetrics", "metrics": "mAP"}, True),
        ({}, {"type": "ClassificationMetrics", "metrics": ["acc1", "f1"]}, False),
        ({}, None, False),
    ],
)
def test_several_labels_are_known_from_the_run_or_from_its_metric(
    run: dict[str, Any], metric: dict[str, Any] | None, expected: bool
) -> None:
    cfg = SimpleNamespace(policy=SimpleNamespace(eval=SimpleNamespace(metric=metric)))
    assert saved_run.has_several_labels(run, cfg, object()) is expected


@pytest.mark.parametrize(
    ("metric", "topk"),
    [
        (None, None),
        ({"type": "MultiLabelMetric", "topk": 3}, 3),
        ({"type": "MultiLabelMetric", "thr": 0.4}, None),
        ({"type": "ClassificationMetrics", "metrics": ["mAP", "CF1"], "k": 2, "topk": [1, 5]}, 2),
        ({"type": "ClassificationMetrics", "metrics": ["mAP", {"type": "ExactMatch", "topk": 4}]}, 4),
        # Of one label it is something else.
        ({"type": "Accuracy", "topk": 3}, None),
    ],
)
def test_how_many_labels_are_guessed_is_what_the_metric_says(metric: Any, topk: int | None) -> None:
    assert saved_run.label_topk(metric) == topk
