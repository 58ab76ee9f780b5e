"""Thumbnails are what the network saw."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from ding_cls.data import PipelinePreprocessing, SyntheticDataset
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting import pictures
from ding_cls.pipeline.reporting.pictures import (
    LARGE_SIDE_PX,
    SIDE_PX,
    seen_image,
    thumbnails,
)


def test_the_image_is_that_of_the_evaluation(found: EvaluationReport) -> None:
    assert torch.equal(seen_image(found.dataset, 3), found.dataset.load(3)[0])


def test_more_images_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "NUM_LARGE", 2)
    dataset = SyntheticDataset(2, 2, 200)
    few = thumbnails(dataset, [(0, 1)], PipelinePreprocessing([]))
    many = thumbnails(dataset, [(each, 0) for each in range(3)], PipelinePreprocessing([]))

    assert Image.open(io.BytesIO(few[0])).size == (LARGE_SIDE_PX, LARGE_SIDE_PX)
    assert Image.open(io.BytesIO(many[0])).size == (SIDE_PX, SIDE_PX)


def test_an_image_that_is_gone_has_no_thumbnail(tmp_path: Path) -> None:
    from ding_cls.data import ImageNetDataset

    for name in ("a", "b"):
        (tmp_path / "c").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "c" / f"{name}.png")
    dataset = ImageNetDataset(tmp_path, False)
    (tmp_path / "c" / "a.png").unlink()

    assert list(thumbnails(dataset, [(0, 0), (1, 1)], PipelinePreprocessing([]))) == [1]
