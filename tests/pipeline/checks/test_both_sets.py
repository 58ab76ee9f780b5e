"""Classes and images that training and evaluation do not both have, or do both have."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.data import SyntheticDataset
from ding_cls.pipeline.checks.both_sets import (
    missing_classes,
    taken_splits,
    untrained_classes,
)
from ding_cls.pipeline.dry_run.run import dry_run
from tests.harness import run_tiny

ONE = np.arange(16) % 4
TASKS = np.stack([ONE, ONE[::-1], ONE], 1)


class Listed:
    """A dataset that lists its labels."""

    def __init__(self, targets: Any, num_classes: int = 6) -> None:
        self.targets = targets
        self.classes = tuple("abcdef"[:num_classes])


@pytest.mark.parametrize(
    ("trained", "evaluated", "line"),
    [
        ([0, 1, 2, 0], [2, 1, 0], ""),
        ([0, 1, 2, 0], [2, 0], "1 of 6 classes have no evaluation image: 'b'"),
        ([5, 4, 3, 2, 1, 0], [1], "5 of 6 classes have no evaluation image: 'a', 'c', 'd' and 2 more"),
        # A class without training images is not asked for; labels that are no numbers are not compared.
        ([0], [0, 1, 2], ""),
        (TASKS, TASKS[:1], ""),
        (np.array([0.5, 0.25]), np.array([0.5]), ""),
    ],
)
def test_classes_without_an_evaluation_image_are_named(trained: Any, evaluated: Any, line: str) -> None:
    assert missing_classes(Listed(trained), Listed(evaluated)) == line


def test_a_dataset_without_a_list_of_labels_is_not_compared() -> None:
    assert missing_classes(SyntheticDataset(4, 2, 8), object()) == ""


def test_a_run_warns_of_a_class_that_is_not_evaluated(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(picture_folder / "val" / "fir")
    run_tiny(picture_folder, "run", "policy.learn.learner.dataloader.num_workers=0")
    assert "1 of 4 classes have no evaluation image: 'fir'" in capsys.readouterr().out.splitlines()
