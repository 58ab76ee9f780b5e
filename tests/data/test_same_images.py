"""The same image under another path, and in another file."""

import os

import numpy as np
import pytest

from ding_cls.data import (
    ArrayDataset,
    ConcatDataset,
    CSVDataset,
    ImageNetDataset,
    RepeatDataset,
    SubsetDataset,
    same_images,
)
from ding_cls.data.same_images import SharedImages, image_numbers, shared_images, sources_of

LOAD = [{"type": "LoadImageFromFile"}]


class Files:
    """A dataset of files that nobody opens."""

    def __init__(self, *names):
        self.samples = [(str(name), 0) for name in names]

    def __len__(self):
        return len(self.samples)

    def image_file(self, index):
        return self.samples[index][0]


def write(folder, **contents):
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, a=b"first", b=b"other", c=b"the third")


@pytest.mark.parametrize("spelling", ["a.jpg", "./a.jpg", "x/../a.jpg", "link/a.jpg", "to_a.jpg", "hard.jpg"])
@pytest.mark.parametrize("most", [100_000, 0])
def test_a_path_has_many_spellings(folder, monkeypatch, spelling, most):
    (folder / "x").mkdir()
    (folder / "link").symlink_to(".")
    (folder / "to_a.jpg").symlink_to("a.jpg")
    os.link(folder / "a.jpg", folder / "hard.jpg")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(same_images, "_MOST_FILES", most)
    # Among very many files links to single ones are not followed.
    is_found = most > 0 or spelling not in ("to_a.jpg", "hard.jpg")
    found = SharedImages(1, 2, spelling, str(folder / "a.jpg"))
    trained = Files(folder / "a.jpg", folder / "b.jpg")
    assert shared_images(Files(spelling, "c.jpg"), trained) == (found if is_found else None)
    assert image_numbers(Files("c.jpg", spelling, folder / "a.jpg")) == [0, 1, 1 if is_found else 2]


def test_a_copy_under_another_name_is_the_same_image(folder):
    large = bytes(range(256)) * 200
    write(folder, copy=b"first", big=large, big_copy=large, big_other=large[:-1] + b"x", empty=b"", void=b"")
    trained = Files(*(folder / f"{name}.jpg" for name in ("a", "b", "big", "empty")))
    names = [folder / f"{name}.jpg" for name in ("copy", "c", "big_other", "big_copy", "void")]
    found = shared_images(Files(*names, names[0]), trained)
    assert found == (2, 5, str(folder / "copy.jpg"), str(folder / "a.jpg"))
    assert shared_images(Files(folder / "c.jpg"), trained) is None


def test_only_files_of_one_size_are_read_and_no_more_than_a_bound(folder, monkeypatch):
    read = []
    digest = same_images._Clock.digest

    def watched(self, path, size, *, is_whole):
        read.append(os.path.basename(path))
        return digest(self, path, size, is_whole=is_whole)

    monkeypatch.setattr(same_images._Clock, "digest", watched)
    write(folder, copy=b"first")
    trained = Files(folder / "a.jpg", folder / "b.jpg", folder / "c.jpg")
    assert shared_images(Files(folder / "copy.jpg"), trained).number == 1
    assert sorted(read) == ["a.jpg", "b.jpg", "copy.jpg"]
    monkeypatch.setattr(same_images, "_MOST_BYTES", 9)
    assert shared_images(Files(folder / "copy.jpg"), trained) is None
    monkeypatch.setattr(same_images, "_MOST_SECONDS", -1)
    assert shared_images(Files(folder / "copy.jpg"), trained) is None
    # By the path alone it is found at once.
    assert shared_images(Files(folder / "a.jpg"), trained).number == 1


def test_names_of_files_that_are_not_there_say_nothing():
    assert shared_images(Files("gone/a.jpg"), Files("gone/a.jpg")) is None
    assert shared_images([1, 2], [1, 2]) is None


def test_pixels_in_memory_are_compared():
    images = np.random.default_rng(0).integers(255, size=(6, 4, 4, 3), dtype=np.uint8)
    parts = (
        ArrayDataset(images=images[part], labels=np.zeros(len(images[part]), int))
        for part in (slice(0, 4), slice(3, 6))
    )
    trained, evaluated = parts
    assert shared_images(evaluated, trained) == (1, 3, "image 0", "image 3")
    assert shared_images(SubsetDataset(evaluated, 0), trained).number == 1
    assert image_numbers(trained) == [0, 1, 2, 3]


def test_sources_are_seen_through_wrappers(picture_folder):
    inner = ImageNetDataset(picture_folder / "val", False)
    whole = RepeatDataset(ConcatDataset([inner, inner]), 2)
    files = [inner.image_file(index) for index in range(len(inner))]
    assert list(sources_of(whole)) == files * 4
    assert image_numbers(whole) == [*range(20)] * 4
    table = picture_folder / "all.csv"
    table.write_text("path,label\nval/ash/000.png,1\ntrain/ash/000.png,0\n")
    assert shared_images(inner, CSVDataset(ann_file=table, pipeline=LOAD))[:2] == (1, 20)
