import os
from pathlib import Path

import pytest

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


def test_what_is_not_copied_is_counted_in_a_line(make_pictures, tmp_path, caplog):
    root = make_pictures("src", *[f"{name}/{number}.png" for name in "ab" for number in range(4)])
    (root / "a" / "0.png").rename(root / "a" / "0.jfif")
    (root / "b" / "1.png").rename(root / "b" / "1.xheic")
    (root / "5.png").write_bytes(b"")
    make_pictures("src", "@eaDir/a.jpg/1.jpg", "a/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg")
    parts = split_folder(root, tmp_path / "dst", fractions=[0.5, 0.5], names=["train", "val"])
    assert sum(part.num_images for part in parts) == 7
    assert caplog.messages == [
        f"left out of '{root}': 1 .xheic, 1 image beside the class folders, 2 system folders ('@eaDir')"
    ]
    assert sorted(path.name for path in (tmp_path / "dst" / "train").iterdir()) == ["a", "b"]


def test_a_folder_without_anything_else_is_divided_without_a_word(make_pictures, tmp_path, caplog):
    root = make_pictures("src", *[f"{name}/{number}.png" for name in "ab" for number in range(2)])
    split_folder(root, tmp_path / "dst", fractions=[0.5, 0.5])
    assert caplog.messages == []


@pytest.mark.parametrize("names", ["Training Testing", "train Test", "TRAIN dev", "seg_train seg_test"])
def test_folders_of_splits_are_not_divided(make_pictures, tmp_path, names):
    root = make_pictures("root", *(f"{name}/{label}/1.png" for name in names.split() for label in "ab"))
    with pytest.raises(DataError, match=f"holds splits, not classes; pass '{root}/{names.split()[0]}'"):
        split_folder(root, tmp_path / "out", fractions=[0.8, 0.2])
    assert not (tmp_path / "out").exists()


def test_classes_that_hold_splits_are_not_divided(make_pictures, tmp_path):
    root = make_pictures("root", "cat/train/1.png", "cat/test/2.png", "dog/train/1.png")
    with pytest.raises(DataError, match=r"'.*/cat' holds splits \('test', 'train'\), which would be one"):
        split_folder(root, tmp_path / "out", fractions=[0.8, 0.2])


@pytest.mark.parametrize("names", [("train", "train"), ("train", "Training"), ("a", "val", "valid")])
def test_two_parts_have_names_of_two_splits(pictures, tmp_path, names):
    with pytest.raises(DataError, match="the parts need different names"):
        split_folder(pictures, tmp_path / "out", fractions=[0.5, 0.5], names=names)
