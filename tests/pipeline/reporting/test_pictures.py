"""Thumbnails are what the network saw."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import PipelinePreprocessing, SyntheticDataset
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting import pictures
from ding_cls.pipeline.reporting.pictures import (
    LARGE_SIDE_PX,
    SIDE_PX,
    encoded,
    seen_pixels,
    thumbnails,
)

NORMALIZE = {"type": "Normalize", "mean": [120.0, 110.0, 100.0], "std": [50.0, 60.0, 70.0]}


def test_the_pixels_are_those_of_the_evaluation(found: EvaluationReport) -> None:
    pixels = seen_pixels(found.dataset, 3, PipelinePreprocessing([]))

    assert np.array_equal(pixels, found.dataset.load(3)[0].numpy())


class _Floats(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """One image, normalised already."""

    def __init__(self, image: torch.Tensor) -> None:
        self.image = image

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.image, 0


@pytest.mark.parametrize("to_rgb", [True, False])
def test_normalised_images_are_brought_back(to_rgb: bool) -> None:
    pixels = torch.arange(4 * 5 * 3, dtype=torch.uint8).reshape(4, 5, 3)
    preprocessing = PipelinePreprocessing([{**NORMALIZE, "to_rgb": to_rgb}])
    image = preprocessing.normalize(pixels[None])[0]

    seen = seen_pixels(_Floats(image), 0, preprocessing)

    assert np.array_equal(seen, pixels.numpy())


def test_more_images_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "NUM_LARGE", 2)
    dataset = SyntheticDataset(2, 2, 200)
    few = thumbnails(dataset, [(0, 1)], PipelinePreprocessing([]))
    many = thumbnails(dataset, [(each, 0) for each in range(3)], PipelinePreprocessing([]))

    assert Image.open(io.BytesIO(few[0])).size == (LARGE_SIDE_PX, LARGE_SIDE_PX)
    assert Image.open(io.BytesIO(many[0])).size == (SIDE_PX, SIDE_PX)


def test_few_pixels_are_kept_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(256, size=(8, 9, 3), dtype=np.uint8)

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded(pixels, SIDE_PX)))), pixels)


def test_an_image_that_is_gone_has_no_thumbnail(tmp_path: Path) -> None:
    from ding_cls.data import ImageNetDataset

    for name in ("a", "b"):
        (tmp_path / "c").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "c" / f"{name}.png")
    dataset = ImageNetDataset(tmp_path, False)
    (tmp_path / "c" / "a.png").unlink()

    assert list(thumbnails(dataset, [(0, 0), (1, 1)], PipelinePreprocessing([]))) == [1]
