"""What an evaluation found, by class and by second."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ding_cls.pipeline.evaluation.report import EvaluationReport


def report(**changed: Any) -> EvaluationReport:
    by_class = {"images": np.array([2.0, 0.0]), "precision": np.array([50.0, np.nan])}
    records = SimpleNamespace(by_class=lambda count: by_class, kind="one", logits="the logits")
    values: dict[str, Any] = {
        "result": {
            "acc1": 50.0,
            "AP_per_class": [0.5, 0.25],
            "precision_per_class": [1.0, 1.0],
            "topk": [1, 5, 9],
        },
        "num_samples": 30,
        "records": records,
        "dataset": None,
        "split": "val",
        "classes": ("ash", "fir"),
        "checkpoint": None,
        "train_iter": 3,
        "cfg": None,
        "seconds": 1.5,
        "is_other_loss": True,
    }
    return EvaluationReport(**{**values, **changed})


def test_each_class_has_its_counts_and_what_the_metric_lists_for_each() -> None:
    first, second = report().per_class()
    assert first == {"name": "ash", "images": 2, "precision": 50.0, "AP": 0.5}
    assert (second["name"], second["images"], second["AP"]) == ("fir", 0, 0.25)
    assert isinstance(first["images"], int)


@pytest.mark.parametrize(("seconds", "rate"), [(1.5, 20.0), (0.0, 30e9)])
def test_images_a_second(seconds: float, rate: float) -> None:
    assert report(seconds=seconds).images_per_s == pytest.approx(rate)


def test_another_loss_of_training_and_few_classes_are_known_to_the_tables() -> None:
    display = report().display
    assert (display.num_classes, display.has_one_label, display.is_other_loss) == (2, True, True)
