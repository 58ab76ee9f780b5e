"""mmclassification's datasets as class folders, and evaluation where a config says nothing of it."""

from typing import Any

import pytest

from ding_cls.pipeline.datasets.openmmlab import as_class_folders, eval_section_of
from tests.pipeline.datasets.sections import LOAD, NORMALIZE, TRAIN

PAD = {"type": "RandomCrop", "size": 32, "padding": 4}


@pytest.mark.parametrize(
    ("kind", "load"), [("CIFAR10", LOAD), ("MNIST", {**LOAD, "color_type": "grayscale"})]
)
def test_arrays_become_files_and_stay_rgb(kind: str, load: dict[str, Any]) -> None:
    steps = [PAD, {**NORMALIZE, "to_rgb": False}]
    section = as_class_folders({"type": kind, "pipeline": steps, "test_mode": True, "download": True})
    assert section == {
        "type": "CustomDataset",
        "pipeline": [load, PAD, {**NORMALIZE, "to_rgb": True}],
        "test_mode": True,
    }
    assert steps[1]["to_rgb"] is False


def test_what_reads_files_keeps_its_pipeline() -> None:
    given = {"type": "CUB", "pipeline": [LOAD, NORMALIZE]}
    assert as_class_folders(given) == {"type": "CustomDataset", "pipeline": [LOAD, NORMALIZE]}
    own = {"type": "ImageNet", "pipeline": [LOAD], "extensions": [".png"]}
    assert as_class_folders(own) == own


def test_evaluation_follows_the_training_pipeline() -> None:
    train = {"type": "RepeatDataset", "dataset": {"type": "ImageNet", "pipeline": TRAIN}}
    section = eval_section_of(train)
    assert section is not None
    assert section["pipeline"][1:4] == [
        {"type": "Resize", "size": (9, -1)},
        {"type": "CenterCrop", "crop_size": (8, 8)},
        NORMALIZE,
    ]
    for pipeline in ([LOAD], [LOAD, NORMALIZE], None):
        assert eval_section_of({"type": "ImageNet", "pipeline": pipeline}) is None
    assert eval_section_of({"type": "CIFAR10", "pipeline": TRAIN}) is None
