"""Which images cannot be read, in datasets of all kinds, and a dataset without them."""

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.data import (
    ArrayDataset,
    ConcatDataset,
    CSVDataset,
    CustomDataset,
    ImageNetDataset,
    RepeatDataset,
    SubsetDataset,
    SyntheticDataset,
    build_eval_loader,
    build_train_loader,
)
from ding_cls.data.image_check import (
    BadImage,
    ReadableDataset,
    find_bad_images,
    image_file,
    missing_images,
)
from ding_cls.errors import DataError
from tests.conftest import write_pictures
from tests.distributed.ranks import run_ranks

CLASSES = ("ash", "birch")
PIPELINE = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": 8}]
# Cut short, no image, and gone.
BAD = {
    "ash/001.png": "is truncated",
    "birch/000.png": "is text, not a picture",
    "birch/003.png": "does not exist",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "images", classes=CLASSES, per_class=4)


def spoil(root: Path) -> None:
    file = root / "ash" / "001.png"
    file.write_bytes(file.read_bytes()[:-200])
    (root / "birch" / "000.png").write_text("hello")
    (root / "birch" / "003.png").unlink()


def folder(root: Path) -> Any:
    return ImageNetDataset(root, is_training=True)


def custom(root: Path) -> Any:
    return CustomDataset(root, PIPELINE)


def listed(root: Path) -> Any:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    (root / "list.txt").write_text("".join(f"{name} {int('birch' in name)}\n" for name in names))
    return CustomDataset(root, PIPELINE, ann_file=root / "list.txt")


def table(root: Path) -> Any:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    with open(root / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *((name, Path(name).parent) for name in names)])
    return CSVDataset(root, PIPELINE, ann_file=root / "table.csv")


class UsersOwn:
    """A dataset of somebody else's make, which says neither files nor classes."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.rglob("*.png"))
        self.classes = CLASSES

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        with Image.open(self.paths[index]) as image:
            image.load()
            pixels = torch.rand(3, 4, 4) + torch.tensor(image.size[0])
        return pixels, index // 4


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", [folder, custom, listed, table])
def test_every_bad_file_is_found_with_its_path_and_reason(root: Path, kind: Any, num_workers: int) -> None:
    dataset = kind(root)
    assert find_bad_images(dataset, num_workers=num_workers) == []
    spoil(root)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    counts: list[int] = []
    bad = find_bad_images(dataset, num_workers=num_workers, advance=counts.append)
    assert sum(counts) == 8
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert [each.sample_id for each in bad] == [1, 4, 7]
    assert [each.name for each in bad] == list(BAD)
    for each, (name, reason) in zip(bad, BAD.items(), strict=True):
        assert each.reason.startswith(f"{str(root / name)!r} {reason}")
        assert "\n" not in each.reason


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_dataset_that_names_no_files_is_loaded(root: Path, num_workers: int) -> None:
    dataset = UsersOwn(root)
    spoil(root)
    before = torch.get_rng_state()
    bad = find_bad_images(dataset, num_workers=num_workers)
    assert torch.equal(torch.get_rng_state(), before)
    assert [(each.sample_id, each.name) for each in bad] == [(1, "1"), (4, "4"), (7, "7")]
    assert bad[2].reason.startswith("sample 7 cannot be read (FileNotFoundError: ")
    assert find_bad_images(SyntheticDataset(5, 2, 8)) == []


def test_wrappers_are_looked_through_and_a_file_is_opened_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ding_cls.data import image_check

    whole = RepeatDataset(ConcatDataset([SubsetDataset(custom(root), 4, seed=None), custom(root)]), 2)
    assert image_file(whole, 0) == str(root / "ash" / "000.png") == image_file(whole, 4)
    spoil(root)
    opened: list[str] = []
    load = image_check.load_rgb
    monkeypatch.setattr(image_check, "load_rgb", lambda path: opened.append(path) or load(path))
    bad = find_bad_images(whole)
    assert len(opened) == len(set(opened)) == 8
    # The first two of each class; then all eight; and the same again.
    assert [each.sample_id for each in bad] == [1, 2, 5, 8, 11, 13, 14, 17, 20, 23]
    assert len({each.reason for each in bad}) == 3
    good = ReadableDataset(whole, bad)
    assert (len(good), good.n_bad) == (14, 10)
    assert {good.sample_names[index] for index in range(14)}.isdisjoint(BAD)


def test_the_rest_is_what_it_was_in_its_order(root: Path) -> None:
    whole = custom(root)
    expected = [whole.load(index) for index in (0, 2, 3, 5, 6)]
    spoil(root)
    good = ReadableDataset(whole, find_bad_images(whole))
    assert (len(good), good.n_bad, good.classes) == (5, 3, CLASSES)
    assert good.targets == [0, 0, 0, 1, 1]
    for index, (pixels, target) in enumerate(expected):
        assert torch.equal(good.load(index)[0], pixels)
        assert good.load(index)[1] == target
    shown = torch.cat([batch.sample_ids for batch in build_eval_loader(good, 2)])
    assert shown.tolist() == list(range(5))
    assert sum(len(batch) for batch in build_train_loader(good, 2, seed=0)) == 5


def test_parts_that_are_judged_by_themselves_stay_parts(root: Path) -> None:
    joined = ConcatDataset([custom(root), custom(root)])
    bad = [BadImage(index, name, "bad") for index, name in ((0, "ash/000.png"), (9, "ash/001.png"))]
    good = ReadableDataset(joined, bad)
    assert (good.separate_eval, good.cumulative_sizes) == (True, [7, 14])
    assert ReadableDataset(joined, bad[:1]).cumulative_sizes == [7, 15]
    alone = ReadableDataset(custom(root), bad[:1])
    assert (alone.separate_eval, alone.cumulative_sizes) == (False, [])


def test_other_files_and_no_files_are_errors(root: Path) -> None:
    dataset = custom(root)
    for bad in (BadImage(2, "ash/001.png", "bad"), BadImage(99, "ash/001.png", "bad")):
        with pytest.raises(DataError, match=rf"image {bad.sample_id} of the data is no longer 'ash/001.png'"):
            ReadableDataset(dataset, [bad])
    every = [
        BadImage(index, name, "why") for index, name in enumerate(RepeatDataset(dataset, 1).sample_names)
    ]
    with pytest.raises(DataError, match="none of 8 images can be read, the first being: why"):
        ReadableDataset(dataset, every)


def found_here(root: str) -> list[Any]:
    return [tuple(each) for each in find_bad_images(custom(Path(root)))]


@pytest.mark.dist
def test_processes_share_the_work_and_agree(root: Path) -> None:
    dataset = custom(root)
    (root / "ash" / "001.png").write_text("hello")
    (root / "birch" / "002.png").write_text("hello")
    expected = [tuple(each) for each in find_bad_images(dataset)]
    assert [index for index, _, _ in expected] == [1, 6]
    assert run_ranks(found_here, 3, str(root)) == [expected] * 3


def test_images_that_are_not_there_are_named_once_each(make_pictures):
    root = make_pictures("d", "a.png", "b.png")
    (root / "own.csv").write_text("path,label\na.png,x\ngone.png,x\nb.png,y\nimg/gone.png,y\ngone.png,x\n")
    dataset = CSVDataset(ann_file=root / "own.csv", pipeline=[{"type": "LoadImageFromFile"}])
    assert missing_images(dataset) == [str(root / "gone.png"), str(root / "img/gone.png")]
    assert missing_images(SubsetDataset(dataset, 5, seed=0)) == missing_images(dataset)
    in_memory = ArrayDataset(images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 1]))
    assert missing_images(in_memory) == []
