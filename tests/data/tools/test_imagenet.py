import io
import os
import tarfile

import numpy as np
import pytest

from ding_cls.data.tools.imagenet import DEVKIT, TRAINING, VALIDATION, prepare_imagenet
from ding_cls.errors import DataError


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
