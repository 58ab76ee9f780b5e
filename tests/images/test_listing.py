import os
from collections import Counter

import pytest

from ding_cls.errors import DataError
from ding_cls.images.decoding.formats import INSTALL
from ding_cls.images.left_out import LeftOut
from ding_cls.images.listing import (
    check_classes,
    find_split,
    has_splits,
    list_classes,
    list_images,
    list_samples,
)


def touch(folder, *relative):
    for name in relative:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_pictures_are_found_at_any_depth_in_bytewise_order(tmp_path):
    touch(tmp_path, "b.JPG", "a/z.png", "a.png", "a-b/c.TIFF", "A.webp", "é.gif", "10.bmp", "9.jpeg", "x.tif")
    expected = ["10.bmp", "9.jpeg", "A.webp", "a-b/c.TIFF", "a.png", "a/z.png", "b.JPG", "x.tif", "é.gif"]
    assert list_images(str(tmp_path)) == expected


def test_hidden_and_other_files_are_left_out(tmp_path):
    touch(tmp_path, "a.jpg", ".b.jpg", ".hidden/c.jpg", "Thumbs.db", "notes.txt", "jpg", "d.jpg.part")
    assert list_images(str(tmp_path)) == ["a.jpg"]


def test_links_to_files_count_and_special_files_do_not(tmp_path):
    touch(tmp_path, "real.jpg")
    (tmp_path / "link.jpg").symlink_to("real.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert list_images(str(tmp_path)) == ["link.jpg", "real.jpg"]


def test_loops_of_links_end_and_show_each_picture_once_under_its_real_folder(tmp_path):
    touch(tmp_path, "b/one.jpg", "b/deep/two.jpg")
    (tmp_path / "b" / "self").symlink_to(".")
    (tmp_path / "b" / "deep" / "up").symlink_to("../..")
    (tmp_path / "a").symlink_to("b")
    assert list_images(str(tmp_path)) == ["b/deep/two.jpg", "b/one.jpg"]


def test_a_link_out_of_the_folder_is_followed(tmp_path):
    touch(tmp_path, "elsewhere/one.jpg")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "more").symlink_to("../elsewhere")
    assert list_images(str(tmp_path / "here")) == ["more/one.jpg"]


def test_classes_are_the_visible_folders_in_bytewise_order(tmp_path):
    names = [
        "cat",
        "Cat",
        "class_1",
        "class_01",
        "x1²",
        "-rf",
        "; rm -rf ~",
        "a\nb",
        "\N{CAT FACE}",
        "Zebra",
        "'",
    ]
    for name in [*names, ".git"]:
        (tmp_path / name).mkdir()
    touch(tmp_path, "readme.jpg")
    (tmp_path / "loop").symlink_to(".")
    assert list_classes(str(tmp_path)) == tuple(sorted(names, key=str.encode))


def test_names_that_are_not_utf8_are_ordinary_names(tmp_path):
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(raw)
    with open(raw + b"/\xe9.jpg", "wb"):
        pass
    (name,) = list_classes(str(tmp_path))
    assert os.fsencode(name) == b"\xff\xfe"
    assert [os.fsencode(each) for each in list_images(os.path.join(tmp_path, name))] == [b"\xe9.jpg"]


def test_a_root_that_cannot_serve_is_named_with_the_form_it_should_have(tmp_path):
    touch(tmp_path, "file", "flat/a.jpg")
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("missing", "does not exist"),
        ("file", "is not a folder"),
        ("empty", r"has no class folders \(it is empty\)"),
        ("flat", r"has no class folders \(it has 'a.jpg'\)"),
    ):
        root = str(tmp_path / name)
        with pytest.raises(
            DataError, match=f"'{root}' {reason}; it should look like {root}/CLASS/picture.jpg"
        ):
            list_classes(root)


def test_the_folder_above_the_splits_is_told_from_a_split(tmp_path):
    touch(tmp_path, "train/cat/a.jpg", "val/cat/b.jpg")
    with pytest.raises(DataError, match=f"holds splits, not classes; pass '{tmp_path}/train'"):
        list_classes(str(tmp_path))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_has_three_names(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "train").mkdir()
    assert find_split(tmp_path, "val") == tmp_path / name
    assert find_split(tmp_path, "train") == tmp_path / "train"
    assert find_split(tmp_path, ("other", name)) == tmp_path / name


def test_two_folders_for_one_split_are_an_error(tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "validation").mkdir()
    with pytest.raises(DataError, match="has 'val' and 'validation', which mean the same split"):
        find_split(tmp_path, "val")


def test_two_names_of_one_folder_are_no_error(tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "valid").symlink_to("val")
    assert find_split(tmp_path, "val") == tmp_path / "val"


def test_a_missing_split_says_what_is_there(tmp_path):
    for name in "gfedcba":
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as caught:
        find_split(tmp_path, "val")
    assert str(caught.value) == (
        f"'{tmp_path}' has no folder 'val', 'valid' or 'validation' "
        f"(it has 'a', 'b', 'c', 'd', 'e' and 2 more); it should look like {tmp_path}/val/CLASS/picture.jpg"
        "; to divide one folder of classes: "
        f"ding-cls split {tmp_path} {tmp_path}_split --fractions 0.8,0.1,0.1"
    )
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"picture\.jpg; to train without: --no-validate$"):
        find_split(tmp_path, "val")
    with pytest.raises(DataError, match=r"has no folder 'train' \(it does not exist\)"):
        find_split(tmp_path / "gone", "train")


RARE = ["a.jfif", "b.JPE", "c.Jfif", "d.jp2", "e.ppm", "f.mpo", "g.PGM", "h.apng"]


def test_rare_endings_in_any_case_are_images(tmp_path):
    touch(tmp_path, *RARE)
    assert list_images(str(tmp_path)) == sorted(RARE)


SYSTEM = [
    "@eaDir/one.jpg/SYNOPHOTO_THUMB_M.jpg",
    "deep/@eaDir/two.jpg/SYNOFILE_THUMB_S.jpg",
    "#recycle/one.jpg",
    "$RECYCLE.BIN/one.jpg",
    "__MACOSX/one.jpg",
    "__MACOSX/deep/._one.jpg",
    ".ipynb_checkpoints/one-checkpoint.jpg",
    "System Volume Information/one.jpg",
    "lost+found/one.jpg",
    ".Trash-1000/files/one.jpg",
    ".Trashes/one.jpg",
    "@Recycle/one.jpg",
    "deep/#snapshot/one.jpg",
    ".git/one.jpg",
    ".@__thumb/one.jpg",
]
SYSTEM_FILES = ["._one.jpg", "Thumbs.db", "deep/.DS_Store", "SYNOPHOTO_THUMB_XL.jpg", "deep/desktop.ini"]


def test_what_systems_leave_behind_is_no_image_at_any_depth(tmp_path):
    touch(tmp_path, "one.jpg", "deep/two.jpg", *SYSTEM, *SYSTEM_FILES)
    left_out = LeftOut()
    assert list_images(str(tmp_path), left_out=left_out) == ["deep/two.jpg", "one.jpg"]
    assert left_out == LeftOut(
        folders=Counter(
            {
                "@eaDir": 2,
                **dict.fromkeys(("#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"), 1),
                **dict.fromkeys(("lost+found", "@Recycle", "#snapshot"), 1),
            }
        )
    )


def test_folders_of_systems_are_no_classes(tmp_path):
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "readme.md", "5.jpg", "6.JFIF", "._7.jpg", *SYSTEM)
    left_out = LeftOut()
    assert list_classes(str(tmp_path), left_out=left_out) == ("cat", "deep", "dog")
    assert left_out.num_beside == 2
    assert left_out.folders.total() == 7
    # Not told of a folder of classes without splits either.
    with pytest.raises(DataError, match="to divide one folder of classes"):
        find_split(tmp_path, "train")


def test_what_is_left_out_is_counted_by_the_reason(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.psd", "a/3.PSD", "a/4", "a/5.jpg.part", "a/.6.jpg", "b/1.jpg", "b/2.xml")
    (tmp_path / "b" / "gone.jpg").symlink_to("nowhere")
    left_out = LeftOut()
    samples = list_samples(str(tmp_path), ["a", "b"], {"a": 0, "b": 1}, refuse_empty=True, left_out=left_out)
    assert samples == [("a/1.jpg", 0), ("b/1.jpg", 1)]
    endings = Counter({".psd": 2, "": 1, ".part": 1, ".xml": 1})
    assert left_out == LeftOut(endings, num_hidden=1, num_broken=1)


def test_other_endings_that_the_caller_names_leave_out_the_rest(tmp_path):
    touch(tmp_path, "a.jpg", "b.png")
    left_out = LeftOut()
    assert list_images(str(tmp_path), (".png",), left_out) == ["b.png"]
    assert dict(left_out.endings) == {".jpg": 1}


def test_a_class_of_such_files_alone_says_which_they_are_and_what_reads_them(tmp_path, monkeypatch):
    monkeypatch.setitem(INSTALL, ".heic", "pip install pillow-heif")
    touch(tmp_path, "cat/1.jpg", "dog/1.xheic", "dog/2.xheic", "emu/.DS_Store", "fox/1.heic")
    numbers = {"cat": 0, "dog": 1, "emu": 2, "fox": 3}
    for name, there in (
        ("dog", " but 2 .xheic;"),
        ("emu", ";"),
        ("fox", " but 1 .heic; to read them: pip install pillow-heif;"),
    ):
        with pytest.raises(DataError) as caught:
            list_samples(str(tmp_path), [name], numbers, extensions=(".jpg",), refuse_empty=True)
        said = f"class folder '{tmp_path}/{name}' holds no pictures{there} add some or remove the folder"
        assert str(caught.value) == said
    with pytest.raises(DataError, match=r"no pictures in them \(left out: 2 .xheic\); it should look like"):
        list_samples(str(tmp_path), ["dog"], numbers, refuse_empty=False)


@pytest.mark.parametrize("name", ["Training", "TRAIN", "train_set", "train2017"])
def test_a_split_has_its_word_in_any_case_and_form(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "Testing").mkdir()
    assert find_split(tmp_path, "train") == tmp_path / name
    assert find_split(tmp_path, "test") == tmp_path / "Testing"
    assert has_splits(tmp_path)
    assert not has_splits(tmp_path, [name, "Testing"])
    (tmp_path / "Train").mkdir()
    with pytest.raises(DataError, match="which mean the same split; remove or rename one of them"):
        find_split(tmp_path, "train")


@pytest.mark.parametrize(
    "names", ["Training Testing", "Train Test", "train test", "TRAIN tests", "seg_train seg_test"]
)
def test_nothing_advises_to_mix_images_to_test_by_into_training(tmp_path, names):
    for name in names.split():
        touch(tmp_path, f"{name}/cat/a.jpg", f"{name}/dog/a.jpg")
    with pytest.raises(DataError) as caught:
        find_split(tmp_path, "val")
    assert "ding-cls split" not in str(caught.value)
    with pytest.raises(DataError, match=f"holds splits, not classes; pass '{tmp_path}/{names.split()[0]}'"):
        list_classes(str(tmp_path))
    with pytest.raises(DataError) as caught:
        find_split(tmp_path / names.split()[1], "train")
    assert "ding-cls split" not in str(caught.value)


def test_the_test_split_is_named_where_validation_is_missing(tmp_path):
    touch(tmp_path, "Training/cat/a.jpg", "Testing/cat/a.jpg")
    with pytest.raises(DataError) as caught:
        find_split(tmp_path, "val")
    assert str(caught.value) == (
        f"'{tmp_path}' has no folder 'val', 'valid' or 'validation' (it has 'Testing', 'Training'); "
        f"to take 'Testing', the test split, set policy.collect.eval_data_path={tmp_path}/Testing; "
        f"it should look like {tmp_path}/val/CLASS/picture.jpg; to train without: --no-validate"
    )


def test_splits_below_what_looks_like_classes_are_found(tmp_path):
    touch(tmp_path, "brain/Training/a/1.jpg", "brain/Testing/a/1.jpg", "other/readme.txt")
    with pytest.raises(DataError, match=f"did you mean '{tmp_path}/brain', which has splits?"):
        find_split(tmp_path, "train")
    with pytest.raises(
        DataError, match=r"brain' holds splits \('Testing', 'Training'\), .*; pass '.*/brain'$"
    ):
        list_samples(str(tmp_path), ["brain"], {"brain": 0}, refuse_empty=False)
    touch(tmp_path, "other/train/1.jpg", "other/test/1.jpg")
    with pytest.raises(DataError, match="'brain' and 1 more hold splits: put these above the classes"):
        find_split(tmp_path, "train")


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    for name in ("train", "test"):
        touch(tmp_path, f"{name}/a.jpg")
    assert list_classes(str(tmp_path), ["car", "train", "test"]) == ("test", "train")
    touch(tmp_path, "car/a.jpg")
    with pytest.raises(DataError, match="holds splits, not classes"):
        list_classes(str(tmp_path))
    (tmp_path / "test" / "a.jpg").unlink()
    (tmp_path / "test").rmdir()
    assert list_classes(str(tmp_path)) == ("car", "train")


def test_classes_in_a_split_may_have_names_of_splits(tmp_path):
    # Names of vehicles, of stages of software: in the folder of a split they are classes among others.
    for split in ("Training", "val"):
        touch(tmp_path, *(f"{split}/{name}/a.jpg" for name in ("car", "train", "dev")))
        assert list_classes(str(tmp_path / split)) == ("car", "dev", "train")
    touch(tmp_path, "val/train/cat/a.jpg")
    with pytest.raises(DataError, match=r"holds splits, not classes; pass '.*val/train' "):
        list_classes(str(tmp_path / "val"))


def test_splits_without_class_folders_are_not_advised(tmp_path):
    touch(tmp_path, "train/cat.1.jpg", "test/1.jpg", "other/1.jpg")
    with pytest.raises(
        DataError, match=r"put the images of each into class folders: .*/train/CLASS/picture.jpg"
    ):
        list_classes(str(tmp_path))


@pytest.mark.parametrize("name", ["seg_train", "images"])
def test_one_folder_above_the_classes_is_no_class(tmp_path, name):
    touch(tmp_path, f"{name}/cat/a.jpg", f"{name}/dog/a.jpg")
    remedy = rf"has one folder, '{name}', with folders in it \('cat', 'dog'\); pass '{tmp_path}/{name}'"
    with pytest.raises(DataError, match=remedy):
        list_classes(str(tmp_path))
    with pytest.raises(DataError, match=f"has one folder, with the classes in it; pass '{tmp_path}/{name}'"):
        check_classes(list_classes(str(tmp_path), ["cat", "dog"]), ["cat", "dog"], str(tmp_path))
    touch(tmp_path, f"{name}/b.jpg")
    assert list_classes(str(tmp_path)) == (name,)


def test_one_class_may_have_a_folder_in_it(tmp_path):
    touch(tmp_path, "cat/2017/a.jpg")
    assert list_classes(str(tmp_path)) == ("cat",)


def test_a_test_split_is_offered_by_a_word_in_its_name(tmp_path):
    touch(tmp_path, "seg_train/cat/a.jpg", "seg_test/cat/b.jpg")
    with pytest.raises(
        DataError, match=r"to take 'seg_test', the test split, set policy.collect.eval_data_path="
    ):
        find_split(tmp_path, "val")


def test_links_to_nowhere_in_circles_and_upwards(tmp_path):
    touch(tmp_path, "cat/a.jpg", "dog/a.jpg")
    for link, target in {
        "bird": tmp_path / "unmounted",
        "circle": "circle",
        "cat/circle": "circle",
        "cat/above": "..",
        "cat/more": tmp_path / "unmounted",
    }.items():
        (tmp_path / link).symlink_to(target)
    left_out = LeftOut()
    assert list_classes(str(tmp_path), left_out=left_out) == ("cat", "dog")
    assert str(left_out) == "2 broken links"
    assert list_images(str(tmp_path / "cat"), left_out=left_out) == ["a.jpg"]
    assert str(left_out) == "4 broken links"


def test_a_split_among_the_classes_is_no_class(tmp_path):
    touch(tmp_path, "cat/a.jpg", "dog/a.jpg", "test/cat/b.jpg", "test/dog/b.jpg")
    with pytest.raises(
        DataError, match=r"/test' is a split among the classes, for it has 'cat' too; move it"
    ):
        list_classes(str(tmp_path))
    assert list_classes(str(tmp_path), ["cat", "dog", "test"]) == ("cat", "dog", "test")
    (tmp_path / "test").rename(tmp_path / "pets")
    assert list_classes(str(tmp_path)) == ("cat", "dog", "pets")


def test_a_folder_with_the_classes_of_a_split_is_one_too(tmp_path):
    touch(tmp_path, "Train/cat/a.jpg", "Train/dog/a.jpg", "Holdout/cat/b.jpg")
    with pytest.raises(
        DataError, match=f"not classes; pass '{tmp_path}/Train' \\('Holdout' has 'cat' too\\)"
    ):
        list_classes(str(tmp_path))
    (tmp_path / "Holdout" / "cat").rename(tmp_path / "Holdout" / "owl")
    assert list_classes(str(tmp_path)) == ("Holdout", "Train")


def test_a_remedy_can_be_typed(tmp_path):
    touch(tmp_path, "Training Set/cat/a.jpg", "Test Set/cat/a.jpg")
    with pytest.raises(
        DataError, match=f"set 'policy.collect.eval_data_path={tmp_path}/Test Set'; it should"
    ):
        find_split(tmp_path, "val")


def test_folders_beside_labels_that_are_numbers_are_told_to_be_named() -> None:
    with pytest.raises(
        DataError, match=r"'val' has the class folder 'a', .* numbers 0 to 1; name the classes in"
    ):
        check_classes(["a", "b"], ("0", "1"), "val")
    with pytest.raises(DataError, match="2 folders that are none of the 2 classes"):
        check_classes(["a", "b"], ("x1", "1"), "val")
    with pytest.raises(DataError, match="a' is none of the 2 classes; rename the folder or remove it"):
        check_classes(["0", "a"], ("0", "1"), "val")


def test_a_class_in_another_unicode_form_is_called_so(tmp_path):
    with pytest.raises(DataError, match=r"in another Unicode form; rename one of the two") as raised:
        check_classes(["cafe\u0301", "tea"], ["caf\u00e9", "tea"], str(tmp_path))
    assert r"('caf\xe9')" in str(raised.value)
