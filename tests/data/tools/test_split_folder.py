import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ding_cls.data.tools.imagenet import DEVKIT, TRAINING, VALIDATION, prepare_imagenet
from ding_cls.data.tools.split_folder import split_folder
from ding_cls.errors import DataError


@pytest.fixture
def pictures(make_pictures):
    names = [
        f"{kind}/{number:02d}.png" for kind, count in (("ant", 12), ("cat", 9)) for number in range(count)
    ]
    return make_pictures("all", *names)


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_first_next_and_rest_of_each_class(pictures, tmp_path):
    parts = split_folder(pictures, tmp_path / "out", per_class=[6, 2, "rest"])
    assert [tuple(part) for part in parts] == [
        ("train", 12, 2, 6, 6),
        ("val", 4, 2, 2, 2),
        ("test", 5, 2, 1, 4),
    ]
    assert listing(tmp_path / "out" / "val") == ["ant/06.png", "ant/07.png", "cat/06.png", "cat/07.png"]
    assert listing(tmp_path / "out" / "test")[-1] == "cat/08.png"
    source = pictures / "ant" / "06.png"
    assert (tmp_path / "out" / "val" / "ant" / "06.png").read_bytes() == source.read_bytes()
    assert len(listing(pictures)) == 21
    assert sorted(os.listdir(tmp_path)) == ["all", "out"]


def test_shares_are_drawn_by_a_seed(pictures, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_folder(pictures, tmp_path / name, fractions=[2 / 3, 1 / 3], seed=seed)
    assert listing(tmp_path / "a") == listing(tmp_path / "b") != listing(tmp_path / "c")
    assert sorted(os.listdir(tmp_path / "a")) == ["train", "val"]
    assert len(listing(tmp_path / "a" / "train")) == 14


def test_links_take_no_space(pictures, tmp_path):
    split_folder(pictures, tmp_path / "out", fractions=[0.5, 0.5], link=True, names=["one", "two"])
    path = tmp_path / "out" / "two" / "ant" / "11.png"
    assert path.is_symlink()
    assert path.resolve() == (pictures / "ant" / "11.png").resolve()


def test_pictures_of_one_person_stay_together(make_pictures, tmp_path):
    names = [
        f"{kind}/p{person}_{shot}.png" for kind in ("a", "b") for person in range(6) for shot in range(3)
    ]
    source = make_pictures("people", *names)
    split_folder(source, tmp_path / "out", fractions=[0.5, 0.5], group_pattern=r"^(p\d)_", seed=0)
    people = [
        {name.split("/")[1][:2] for name in listing(tmp_path / "out" / part)} for part in ("train", "val")
    ]
    assert not people[0] & people[1]
    assert len(people[0] | people[1]) == 6
    with pytest.raises(DataError, match=r"'q\(' is no regular expression"):
        split_folder(source, tmp_path / "o", fractions=[1], group_pattern="q(")
    with pytest.raises(DataError, match=r"'q' finds nothing in 'a/p0_0\.png'"):
        split_folder(source, tmp_path / "o", fractions=[1], group_pattern="q")


def test_a_folder_that_is_there_is_never_written_into(pictures, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="out' is there already"):
        split_folder(pictures, tmp_path / "out", fractions=[0.5, 0.5])
    assert os.listdir(tmp_path / "out") == ["mine.txt"]


def test_after_an_error_nothing_is_left(pictures, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="class 'cat' has 9 samples, fewer than 10"):
        split_folder(pictures, tmp_path / "out", per_class=[10, "rest"])
    with pytest.raises(DataError, match="4 parts need as many different names"):
        split_folder(pictures, tmp_path / "out", per_class=[1, 1, 1, "rest"])

    def full(source, target):
        Path(target).write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(DataError, match="out' cannot be made: No space left on device"):
        split_folder(pictures, tmp_path / "out", per_class=[6, "rest"])
    assert sorted(os.listdir(tmp_path)) == ["all"]


def tar(path, members):
    with tarfile.open(path, "w:gz" if str(path).endswith("gz") else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def packed(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archives(tmp_path):
    folder = tmp_path / "tars"
    folder.mkdir()
    outer = {
        "n00000001.tar": packed({"n00000001_1.JPEG": b"one", "n00000001_2.JPEG": b"two"}),
        "n00000002.tar": packed({"n00000002_5.JPEG": b"five", "../../evil.JPEG": b"x", "notes.txt": b"y"}),
    }
    tar(folder / TRAINING, outer)
    tar(folder / VALIDATION, {f"ILSVRC2012_val_{n:08d}.JPEG": b"v%d" % n for n in (2, 1, 3)})
    (folder / "labels.txt").write_text("n00000002\nn00000001\nn00000002\n")
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_imagenets_archives_become_class_folders(archives, tmp_path):
    counts = prepare_imagenet(archives, tmp_path / "out", val_labels=archives / "labels.txt")
    assert counts == {"train": 4, "val": 3}
    assert contents(tmp_path / "out") == {
        "train/n00000001/n00000001_1.JPEG": b"one",
        "train/n00000001/n00000001_2.JPEG": b"two",
        "train/n00000002/n00000002_5.JPEG": b"five",
        # A name in an archive chooses no path.
        "train/n00000002/evil.JPEG": b"x",
        "val/n00000002/ILSVRC2012_val_00000001.JPEG": b"v1",
        "val/n00000001/ILSVRC2012_val_00000002.JPEG": b"v2",
        "val/n00000002/ILSVRC2012_val_00000003.JPEG": b"v3",
    }
    assert not list(tmp_path.glob("*.JPEG"))


def test_the_devkit_tells_what_validation_pictures_show(archives, tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    rows = np.array([(2, "n00000001"), (1, "n00000002")], [("ILSVRC2012_ID", int), ("WNID", object)])
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, {"synsets": rows})
    data = "ILSVRC2012_devkit_t12/data"
    truth = f"{data}/ILSVRC2012_validation_ground_truth.txt"
    tar(archives / DEVKIT, {f"{data}/meta.mat": buffer.getvalue(), truth: b"1\n2\n1\n"})
    (archives / TRAINING).unlink()
    assert prepare_imagenet(archives, tmp_path / "out") == {"val": 3}
    assert sorted(contents(tmp_path / "out"))[0] == "val/n00000001/ILSVRC2012_val_00000002.JPEG"
    tar(archives / DEVKIT, {"readme.txt": b""})
    with pytest.raises(DataError, match="is not ImageNet's devkit"):
        prepare_imagenet(archives, tmp_path / "other")


def test_it_goes_on_after_an_interruption(archives, tmp_path):
    (archives / VALIDATION).unlink()
    whole = (archives / TRAINING).read_bytes()
    (archives / TRAINING).write_bytes(whole[: whole.index(b"n00000002.tar") + 600])
    with pytest.raises(DataError, match="is damaged or cut short"):
        prepare_imagenet(archives, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out" / "train")) == ["n00000001"]
    written = (tmp_path / "out" / "train" / "n00000001" / "n00000001_1.JPEG").stat().st_mtime_ns
    (archives / TRAINING).write_bytes(whole)
    assert prepare_imagenet(archives, tmp_path / "out") == {"train": 4}
    assert (tmp_path / "out" / "train" / "n00000001" / "n00000001_1.JPEG").stat().st_mtime_ns == written
    assert prepare_imagenet(archives, tmp_path / "out") == {"train": 4}


def test_what_is_missing_is_named(archives, tmp_path):
    with pytest.raises(DataError, match=r"has neither 'ILSVRC2012_img_train\.tar' nor"):
        prepare_imagenet(tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match=r"devkit_t12\.tar\.gz' is not there"):
        prepare_imagenet(archives, tmp_path / "out")
    for text, reason in (
        ("cat\n", "holds 'cat'; a label is a synset"),
        ("n00000001\n" * 4, "there are 4 labels"),
    ):
        (archives / "labels.txt").write_text(text)
        with pytest.raises(DataError, match=reason):
            prepare_imagenet(archives, tmp_path / "out", val_labels=archives / "labels.txt")
    assert not (tmp_path / "out" / "val").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", ".hidden"])
def test_a_part_stays_in_its_folder(pictures, tmp_path, name):
    with pytest.raises(DataError, match="cannot name a part: it is one folder"):
        split_folder(pictures, tmp_path / "out", fractions=[0.5, 0.5], names=[name, "val"])
    assert sorted(os.listdir(tmp_path)) == ["all"]


def test_the_source_stays_as_it_is(pictures):
    with pytest.raises(DataError, match="where it would be a class; name a folder beside it"):
        split_folder(pictures, pictures / "out", fractions=[0.5, 0.5])
    assert sorted(os.listdir(pictures)) == ["ant", "cat"]
    (pictures / "empty").mkdir()
    with pytest.raises(DataError, match=r"class folder '.*empty' holds no pictures"):
        split_folder(pictures, pictures.with_name("out"), fractions=[0.5, 0.5])
