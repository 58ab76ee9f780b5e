"""Sorting images by class: where each goes, under which name, and what is left alone."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.answers.prediction import Prediction
from ding_cls.data import Preprocessing
from ding_cls.errors import ConfigError
from ding_cls.inference.images import DatasetImage
from ding_cls.inference.outputs.new_folder import OutputFolder
from ding_cls.inference.outputs.sorting import SortedImages
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source
from tests.inference.outputs.test_pictures import Bright

CLASSES = ("cat", "dog", "a/b")


def predictor_of(classes: tuple[str, ...] = CLASSES, **arguments: Any) -> Predictor:
    preprocessing = Preprocessing(image_size=8, resize_size=8)
    return Predictor(Bright(num_classes=len(classes)), preprocessing, classes, device="cpu", **arguments)


def saved(path: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (len(path), 0, 0)).save(path)
    return path


def prediction_of(source: Source, label: Any, *, error: str = "", name: str = "") -> Prediction:
    return Prediction(str(source), label, name, None, np.zeros(0, np.float32), error=error, names=CLASSES)


def sort(sources: list[Source], labels: list[Any], predictor: Predictor, **options: bool) -> str:
    writer = SortedImages(OutputFolder("out", "--sort-into"), predictor, sources, **options)
    for number, (source, label) in enumerate(zip(sources, labels, strict=True)):
        error = "'x' is truncated" if label == "error" else ""
        writer.take(number, prediction_of(source, None if error else label, error=error))
    writer.finish()
    return str(writer)


def tree() -> list[str]:
    return sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if not path.is_dir())


def test_each_image_is_copied_into_the_folder_of_its_class() -> None:
    sources = [saved(f"in/{name}.png") for name in ("x/1", "y/1", "x/2", "x/3")]
    os.utime(sources[0], (1e9, 1e9))
    before = {path: Path(path).read_bytes() for path in sources}
    said = sort([*sources, "gone.png"], [0, 0, 2, "error", "error"], predictor_of())
    assert tree() == ["a_b/2.png", "cat/1.png", "cat/1_2.png", "unreadable/3.png"]
    assert said == "4 images copied into out, 1 could not be"
    assert Path("out/cat/1.png").read_bytes() == before["in/x/1.png"]
    assert Path("out/cat/1_2.png").read_bytes() == before["in/y/1.png"]
    assert Path("out/cat/1.png").stat().st_mtime == 1e9
    assert not Path("out/cat/1.png").is_symlink()
    assert {path: Path(path).read_bytes() for path in sources} == before


def test_links_lead_to_the_images() -> None:
    sources = [saved("in/x/1.png"), saved("in/y/1.png")]
    assert sort(sources, [1, 1], predictor_of(), is_linked=True) == "2 images linked into out"
    assert [os.readlink(f"out/dog/{name}.png") for name in ("1", "1_2")] == list(
        map(os.path.abspath, sources)
    )


def test_wrong_ones_are_those_in_the_folder_of_another_class() -> None:
    names = ["cat/1", "cat/deep/2", "dog/1", "other/1", "cat/3"]
    sources = [saved(f"dog.d/val/{name}.png") for name in names]
    said = sort(sources, [1, 1, 1, 1, None], predictor_of(), is_wrong_only=True)
    assert tree() == ["cat/dog/1.png", "cat/dog/2.png", "cat/unknown/3.png"]
    assert said == "3 images copied into out, 1 in no class's folder"


def test_a_folder_above_all_images_is_none_of_theirs() -> None:
    sources = [saved("cat/photos/1.png"), saved("cat/photos/dog/1.png")]
    sort(sources, [1, 0], predictor_of(), is_wrong_only=True)
    assert tree() == ["dog/cat/1.png"]


def test_several_labels_are_several_copies() -> None:
    sources = [saved("1.png"), saved("2.png"), saved("3.png")]
    predictor = predictor_of(has_several_labels=True)
    said = sort(sources, [(0, 1), (), (2,)], predictor)
    assert tree() == ["a_b/3.png", "cat/1.png", "dog/1.png", "none/2.png"]
    assert said == "3 images copied into out"


def test_several_tasks_have_a_folder_each() -> None:
    predictor = predictor_of()
    predictor.num_tasks = 2
    sort([saved("1.png")], [(0, 1)], predictor)
    assert tree() == ["task_1/cat/1.png", "task_2/dog/1.png"]
    with pytest.raises(ConfigError, match="this network has several tasks"):
        SortedImages(OutputFolder("other", "--sort-into"), predictor, [], is_wrong_only=True)


def test_classes_whose_folders_would_be_one_are_kept_apart(caplog: pytest.LogCaptureFixture) -> None:
    classes = ("a/b", "a?b", "unreadable", "..", "")
    sources = [saved(f"{number}.png") for number in range(6)]
    sort(sources, [0, 1, 2, 3, 4, "error"], predictor_of(classes))
    assert tree() == [
        "_/4.png",
        "__/3.png",
        "a_b/0.png",
        "a_b_2/1.png",
        "unreadable/2.png",
        "unreadable_2/5.png",
    ]
    assert "'a/b' is 'a_b'" in caplog.text
    assert "'unreadable' is the folder of a class: images without one are in 'unreadable_2'" in caplog.text


def test_a_class_called_none_is_no_matter_where_each_image_has_one(caplog: pytest.LogCaptureFixture) -> None:
    sort([saved("0.png")], [0], predictor_of(("none", "unknown")))
    assert (tree(), caplog.text) == (["none/0.png"], "")


def test_a_file_that_may_not_be_read_stops_nothing_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [saved("0.png"), saved("1.png")]
    monkeypatch.setattr(os, "access", lambda path, mode: path != "0.png")
    assert sort(sources, ["error", 1], predictor_of()) == "1 image copied into out, 1 could not be"
    assert tree() == ["dog/1.png"]


def test_images_in_no_file_are_written_as_pictures() -> None:
    image = np.full((5, 6, 3), 77, np.uint8)
    writer = SortedImages(OutputFolder("out", "--sort-into"), predictor_of(), [image])
    writer.take(0, prediction_of("x", 1))
    with Image.open("out/dog/image.png") as written:
        assert np.array_equal(np.asarray(written), image)
    predictor = predictor_of()
    prepared = DatasetImage("7", [(torch.zeros(3, 8, 8), 0)] * 8, 7, predictor.preprocessing)
    writer = SortedImages(OutputFolder("prepared", "--sort-into"), predictor, [prepared])
    writer.take(0, prediction_of("7", 1))
    with Image.open("prepared/dog/7.png") as written:
        assert written.size == (8, 8)
    with pytest.raises(ConfigError, match="--link is for files"):
        SortedImages(OutputFolder("other", "--sort-into"), predictor_of(), [image], is_linked=True)
