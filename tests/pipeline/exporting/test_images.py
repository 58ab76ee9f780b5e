"""The images of the comparison are those of ``eval``; where there are none a line says why."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ding_cls.errors import DataError
from ding_cls.inference.images import DatasetImage
from ding_cls.pipeline.exporting.images import evaluation_images
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import trained as trained


def test_the_evaluation_set_in_its_order(trained: Path, images: Path) -> None:
    found = evaluation_images(trained)
    assert found.reason == ""
    assert found.sources == sorted(map(str, (images / "val").glob("*/*.png")))
    assert list(found.targets or ()) == [number for number in range(4) for _ in range(5)]
    assert evaluation_images(trained, split="train").sources == sorted(
        map(str, (images / "train").glob("*/*.png"))
    )


def test_other_data(trained: Path, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "val", tmp_path / "other")
    found, *_ = evaluation_images(trained, data="other")
    assert found is not None
    assert len(found) == 20
    assert str(found[0]).startswith("other/ash/")


def test_so_many_unreadable_images_are_left_out(trained: Path, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "val", tmp_path / "other")
    Path("other/ash/000.png").write_bytes(b"\x89PNG")
    found, _, targets = evaluation_images(trained, data="other", max_bad=1)
    assert found is not None
    assert len(found) == len(targets or ()) == 19
    Path("other/ash/001.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"2 of 20 images cannot be read"):
        evaluation_images(trained, data="other", max_bad=1)


def test_images_in_no_file(several: Path) -> None:
    found, reason, _ = evaluation_images(several)
    assert reason == ""
    assert found is not None
    assert len(found) == 8
    assert all(isinstance(each, DatasetImage) for each in found)
    pixels = found[0].pixels()  # type: ignore[union-attr]
    assert isinstance(pixels, np.ndarray)


def test_missing_data_is_a_reason_unless_it_was_asked_for(
    trained: Path, images: Path, tmp_path: Path
) -> None:
    images.rename(images.with_name("moved"))
    try:
        found, reason, _ = evaluation_images(trained)
        assert found is None
        assert "does not exist" in reason
        assert "\n" not in reason
        for asked in ({"split": "val"}, {"data": str(images)}):
            with pytest.raises(DataError, match=r"does not exist|no folder"):
                evaluation_images(trained, **asked)
    finally:
        images.with_name("moved").rename(images)
