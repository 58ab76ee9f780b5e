"""Weights and deep images that can hardly be meant are told once, in a line."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.data import ConcatDataset, CustomDataset, ImageNetDataset, SubsetDataset
from ding_cls.pipeline.datasets.value_checks import warn_of_values


class Weighted:
    """Samples without files."""

    def __init__(self, weights: Any) -> None:
        self.sample_weights = weights

    def __len__(self) -> int:
        return len(self.sample_weights)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([61.0, 74.5, 80.0], "go from 61 to 80, the middle one is 74.5"),
        ([0.001, 0.002], "go from 0.001 to 0.002"),
        ([0.001, 1.0, 5.0], "go from 0.001 to 5"),
        ([0.0, 61.0, 80.0], "go from 61 to 80"),
        ([0.5, 1.0, 2.0], ""),
        ([0.0, 0.5, 1.0], ""),
        ([0.05, 1.0, 20.0], ""),
        # None counts where all are alike; what no weight can be is refused elsewhere.
        ([70.0, 70.0], ""),
        ([-1.0, 70.0], ""),
        ([0.0, 70.0], ""),
        ([float("nan"), 70.0], ""),
        ([], ""),
    ],
)
def test_weights_far_from_1_are_told(caplog: pytest.LogCaptureFixture, weights: Any, told: str) -> None:
    warn_of_values(Weighted(weights))
    assert (told in caplog.text) if told else caplog.text == ""
    assert len(caplog.records) == bool(told)


def write_deep(root: Path, brightest: int, count: int = 3) -> Path:
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((6, 6), brightest // (number + 1), np.uint16)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("brightest", "told"),
    [
        (4095, "use 12 of them: the brightest pixel of 6 images is 4,095 of 65,535"),
        (1000, "use 10 of them"),
        (16383, "multiply the values in the files by up to 4"),
        (40000, ""),
        (20000, ""),
    ],
)
def test_deep_images_that_use_few_bits_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, brightest: int, told: str
) -> None:
    folder = write_deep(tmp_path / "train", brightest)
    custom = CustomDataset(folder, [{"type": "LoadImageFromFile"}])
    for dataset in (
        ImageNetDataset(folder, False),
        custom,
        SubsetDataset(ConcatDataset([custom, custom]), 6),
    ):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            warn_of_values(dataset)
        assert len(caplog.records) == bool(told)
        assert told in caplog.text


def test_ordinary_images_are_not_told(picture_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_values(ImageNetDataset(picture_folder / "train", False))
    assert caplog.text == ""
