"""A list of files that no dataset takes: written, read again, and left out of whatever is built on them."""

import os
from pathlib import Path

import numpy as np
import pytest

from ding_cls.data import ArrayDataset, CSVDataset, ImageNetDataset
from ding_cls.data.datasets.wrappers import ClassBalancedDataset, ConcatDataset, RepeatDataset
from ding_cls.data.tools.quarantine import (
    Quarantined,
    QuarantinedDataset,
    quarantine_line,
    read_quarantine,
    write_quarantine,
)
from ding_cls.errors import DataError
from tests.data.conftest import MakePictures

ODD = (
    "a, b.png",
    'q"uote.png',
    "line\nbreak.png",
    "carriage\rreturn.png",
    " space .png",
    "tab\x0b\u2028.png",
)
NAMES = ("ant/0.png", "ant/1.png", "ant/2.png", "bee/0.png", "bee/1.png")


@pytest.fixture
def folder(make_pictures: MakePictures) -> Path:
    return make_pictures("all", *NAMES)


def names(dataset: object) -> list[str]:
    return [os.path.relpath(name) for name in dataset.sample_names]  # type: ignore[attr-defined]


def listed(path: Path, *files: object) -> str:
    write_quarantine(path, [Quarantined(os.fspath(each), "why") for each in files])  # type: ignore[call-overload]
    return str(path)


def test_a_list_keeps_every_name(tmp_path: Path) -> None:
    given = [*(tmp_path / name for name in ODD), os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")]
    file = listed(tmp_path / "q.csv", *given)
    assert [each.path for each in read_quarantine(file)] == [os.fspath(each) for each in given]
    assert {each.reason for each in read_quarantine(file)} == {"why"}


def test_names_begin_from_the_lists_folder_so_that_both_can_move(tmp_path: Path, folder: Path) -> None:
    file = listed(folder / "q.csv", folder / "ant" / "1.png", tmp_path / "elsewhere.png")
    assert Path(file).read_text().splitlines()[1:] == ["ant/1.png,why", f"{tmp_path}/elsewhere.png,why"]
    folder.rename(tmp_path / "moved")
    moved = QuarantinedDataset(ImageNetDataset(tmp_path / "moved", False), str(tmp_path / "moved" / "q.csv"))
    assert names(moved) == [name for name in NAMES if name != "ant/1.png"]


def test_an_edited_list_may_lack_reasons_and_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_bytes("\ufeffpath\r\na.png\r\n\r\nb.png,one, two\r\n".encode())
    found = read_quarantine(tmp_path / "q.csv")
    assert found == [
        Quarantined(f"{tmp_path}/a.png", ""),
        Quarantined(f"{tmp_path}/b.png", "one, two"),
    ]


@pytest.mark.parametrize("content", ["", "a.png\n", 'path\n"open\n', None])
def test_what_is_no_list_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "q.csv").write_text(content)
    with pytest.raises(DataError, match="quarantine list"):
        read_quarantine(tmp_path / "q.csv")


def test_a_list_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("path\n")
    with pytest.raises(DataError, match="may have been edited"):
        write_quarantine(tmp_path / "q.csv", [])


def test_paths_in_any_spelling_and_through_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    file = listed(folder.parent / "q.csv", "link/ant/../bee/1.png")
    for root in ("all", "./all/", "link", folder):
        assert len(QuarantinedDataset(ImageNetDataset(root, False), file)) == 4


def test_wrappers_see_the_data_without_what_is_listed(folder: Path) -> None:
    file = listed(folder / "q.csv", folder / "ant" / "0.png", folder / "ant" / "2.png", folder / "gone.png")
    without = {"type": QuarantinedDataset, "dataset": {"type": "ImageNetDataset", "root": str(folder)}}
    without["dataset"]["is_training"] = True  # type: ignore[index]
    balanced = ClassBalancedDataset({**without, "file": file}, 0.9)
    both = ConcatDataset([RepeatDataset({**without, "file": file}, 2), balanced])
    (folder / "ant" / "0.png").unlink()
    (folder / "ant" / "2.png").unlink()
    expected = ClassBalancedDataset(ImageNetDataset(folder, True), 0.9)
    assert balanced.sample_names == expected.sample_names
    assert len(both) == 6 + len(expected)
    assert quarantine_line([both, balanced]).startswith(f"left out by {file!r}: 2 files; '")
    assert quarantine_line([both]).endswith("gone.png' of the list not there")


def test_a_table_and_arrays(folder: Path) -> None:
    table = folder / "labels.csv"
    table.write_text("path,label\n" + "".join(f"{name},{name[:3]}\n" for name in [*NAMES, "none.png"]))
    file = listed(folder / "q.csv", folder / "bee" / "0.png", folder / "none.png")
    pipeline = [{"type": "LoadImageFromFile"}]
    dataset = QuarantinedDataset(CSVDataset(pipeline=pipeline, ann_file=table), file)
    assert names(dataset) == [name for name in NAMES if name != "bee/0.png"]
    assert quarantine_line([dataset]) == f"left out by {file!r}: 2 files"
    arrays = folder / "a.npz"
    np.savez(arrays, x=np.zeros((3, 4, 4), np.uint8), y=np.arange(3))
    assert len(QuarantinedDataset(ArrayDataset(str(arrays)), file)) == 3


def test_a_class_that_loses_all_its_training_images_is_named(folder: Path) -> None:
    file = listed(folder / "q.csv", folder / "bee" / "0.png", folder / "bee" / "1.png")
    with pytest.raises(DataError, match="leaves no training image of 'bee'"):
        QuarantinedDataset(ImageNetDataset(folder, True), file, is_training=True)
    assert len(QuarantinedDataset(ImageNetDataset(folder, False), file)) == 3
    everything = listed(folder / "r.csv", *(folder / name for name in NAMES))
    with pytest.raises(DataError, match="leaves none of 5 images"):
        QuarantinedDataset(ImageNetDataset(folder, False), everything)


def test_without_a_list_there_is_no_line(folder: Path) -> None:
    assert quarantine_line([ImageNetDataset(folder, False)]) == ""
