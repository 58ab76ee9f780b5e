"""What a dataset's pipeline says without being built."""

from typing import Any

import pytest

from ding_cls.config.tools.pipeline_info import Pipeline, pipeline_of, unwrapped

NORMALIZE = {"type": "Normalize", "mean": [1, 2, 3]}
INNER = {"type": "ImageNet", "pipeline": [{"type": "Resize", "size": (40, -1)}, NORMALIZE]}


def test_steps_and_what_follows_from_them() -> None:
    steps = [{"type": "Resize", "size": 40}, {"type": "CenterCrop", "crop_size": (32, 24)}, NORMALIZE]
    found = pipeline_of({"pipeline": steps}, "p")
    assert [(path, step["type"], len(after)) for path, step, after in found.steps] == [
        ("p.pipeline.0", "Resize", 2),
        ("p.pipeline.1", "CenterCrop", 1),
        ("p.pipeline.2", "Normalize", 0),
    ]
    assert found.size == ((32, 24), "p.pipeline.1.crop_size")
    assert (found.normalisation, found.normalize_path) == (NORMALIZE, "p.pipeline.2")


def test_a_size_that_the_image_decides_is_none() -> None:
    assert pipeline_of(INNER, "p").size is None


@pytest.mark.parametrize("dataset", [None, {}, {"pipeline": 3}, "x"])
def test_without_a_pipeline_nothing_is_said(dataset: Any) -> None:
    assert pipeline_of(dataset, "p") == Pipeline()


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        (INNER, "p"),
        ({"type": "RepeatDataset", "dataset": INNER}, "p.dataset"),
        ({"type": "ConcatDataset", "datasets": [INNER, {}]}, "p.datasets.0"),
        ({"dataset": {"datasets": (INNER,)}}, "p.dataset.datasets.0"),
    ],
)
def test_wrappers_are_taken_off(dataset: Any, path: str) -> None:
    assert unwrapped(dataset, "p") == (INNER, path)
