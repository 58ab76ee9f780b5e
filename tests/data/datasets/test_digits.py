import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.data.datasets.digits import load_digits, write_digits
from ding_cls.data.datasets.folder import ImageNetDataset
from ding_cls.errors import DataError


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_digits(tmp_path_factory.mktemp("digits") / "set")


def test_the_asset_is_exactly_scikit_learns():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    digits = load_digits()
    assert digits.images.shape == (1797, 8, 8)
    assert np.array_equal(digits.images, theirs.images)
    assert np.array_equal(digits.targets, theirs.target)


def test_the_split_is_stratified():
    digits = load_digits()
    assert np.bincount(digits.splits).tolist() == [1437, 180, 180]
    for split, share in ((0, 0.8), (1, 0.1), (2, 0.1)):
        counts = np.bincount(digits.targets[digits.splits == split], minlength=10)
        assert np.abs(counts - share * np.bincount(digits.targets)).max() <= 1


def test_the_folders_hold_every_digit_once(written):
    digits = load_digits()
    seen = []
    for split, name in enumerate(("train", "val", "test")):
        dataset = ImageNetDataset(written / name, is_training=False)
        assert dataset.classes == tuple("0123456789")
        for relative, target in dataset.samples:
            number = int(Path(relative).stem)
            assert (digits.targets[number], digits.splits[number]) == (target, split)
            with Image.open(written / name / relative) as picture:
                assert picture.mode == "L"
                assert np.array_equal(np.asarray(picture), np.rint(digits.images[number] * 15.9375))
            seen.append(number)
    assert sorted(seen) == list(range(1797))


def test_a_folder_that_is_there_is_left_as_it_is(written):
    before = os.stat(written / "train" / "0").st_mtime_ns
    assert write_digits(written) == written
    assert os.stat(written / "train" / "0").st_mtime_ns == before
    assert os.listdir(written.parent) == [written.name]


def test_the_cache_folder_follows_the_environment(written, monkeypatch, tmp_path):
    # Links to a complete set, so that nothing is written.
    for place in ("own", "xdg/ding_cls", "home/.cache/ding_cls"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "digits-v1").symlink_to(written)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("DING_CLS_CACHE", str(tmp_path / "own"))
    assert write_digits() == tmp_path / "own" / "digits-v1"
    monkeypatch.delenv("DING_CLS_CACHE")
    assert write_digits() == tmp_path / "xdg" / "ding_cls" / "digits-v1"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert write_digits() == tmp_path / "home" / ".cache" / "ding_cls" / "digits-v1"


def test_a_folder_with_other_things_is_neither_used_nor_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match=f"'{tmp_path}' lacks 1797 of the 1797 digits; remove the folder"):
        write_digits(tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"the digits cannot be written to .*set DING_CLS_CACHE to another folder"
    ):
        write_digits(tmp_path / "file" / "digits")


def _write_at_once(folder: Path, barrier, results) -> None:
    barrier.wait()
    results.put(str(write_digits(folder)))


def test_processes_that_write_at_once_all_get_the_whole_set(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    folder = tmp_path / "set"
    writers = [context.Process(target=_write_at_once, args=(folder, barrier, results)) for _ in range(3)]
    for writer in writers:
        writer.start()
    assert [results.get(timeout=60) for _ in writers] == [str(folder)] * 3
    for writer in writers:
        writer.join()
    assert os.listdir(tmp_path) == ["set"]
    assert len(list(folder.rglob("*.png"))) == 1797
