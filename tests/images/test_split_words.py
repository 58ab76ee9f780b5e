"""The words of splits, as people write them."""

import pytest

from ding_cls.images.split_words import (
    counterparts,
    divisions,
    is_plain,
    same_word,
    split_hinted,
    split_of,
    splits_among,
    with_word,
    words_of_split,
)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", "train Training TRAIN train_set TrainSet training-images train2017 train_224x224 01-train"),
        ("train", "data_train Train(1) Ｔrain trn"),
        (
            "val",
            "val VAL valid Validation dev DEV development eval Evaluation val2017 val_256px validation_set",
        ),
        ("test", "test Testing TESTS test_set TestData test-jpg Test_Images_100px tst"),
        (None, "trains bullet_train contest device invalid latest tester cifar10 cat 2017 trainval"),
    ],
)
def test_a_name_means_a_split_in_any_case_and_form(split, names):
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(names.split(), split)


def test_a_name_is_plain_where_nothing_is_to_be_told():
    assert all(map(is_plain, ["train", "Training", "VAL", "valid", "Validation", "test", "testing"]))
    assert not any(map(is_plain, ["val2017", "train_set", "dev", "eval", "cat"]))


def test_a_split_may_be_hinted_at():
    names = ["seg_train", "trainB", "PublicTest", "trainval", "my-Validation-2", "contest", "cat"]
    assert [split_hinted(name) for name in names] == ["train", "train", "test", "train", "val", None, None]


def test_evaluation_is_the_last_of_three():
    assert splits_among(["training", "validation", "evaluation"]) == {
        "train": ["training"],
        "val": ["validation"],
        "test": ["evaluation"],
    }
    assert splits_among(["train", "eval"])["val"] == ["eval"]
    assert splits_among(["train", "dev", "eval", "test"]) == {
        "train": ["train"],
        "val": ["dev", "eval"],
        "test": ["test"],
    }


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("Testing Training", "Testing Training"),
        ("seg_pred seg_test seg_train", "seg_test seg_train"),
        ("testA testB trainA trainB", "testA testB trainA trainB"),
        ("PrivateTest PublicTest Training", "PrivateTest PublicTest Training"),
        ("annotations test trainval", "test trainval"),
        ("test val", "test val"),
        ("train", "train"),
        ("Training train", "Training train"),
        ("cat dog test", ""),
        ("car plane train", ""),
        ("bullet_train cat crash_test", ""),
        ("test1 test2", ""),
        ("test", ""),
        ("cat", ""),
        ("", ""),
    ],
)
def test_names_together_show_that_folders_are_splits(names, found):
    assert divisions(names.split()) == found.split()


def test_one_word_has_several_cases():
    assert same_word("Val", "VAL")
    assert same_word("val_2017", "val 2017")
    assert not same_word("val", "validation")


@pytest.mark.parametrize(
    ("counts", "split", "words", "taken", "left_out"),
    [
        ({"train": 3, "val": 1}, "val", {"val"}, "", ""),
        ({"train": 3, "Val": 1}, "val", {"Val"}, "'Val' is taken as 'val'", ""),
        ({"train": 3, "validation": 1}, "val", {"validation"}, "'validation' is taken as 'val'", ""),
        ({"Training": 3, "train": 2}, "train", {"train"}, "", "lines are left out that say 'Training' (3)"),
        (
            {"Train": 3, "TRAIN": 2},
            "train",
            {"Train", "TRAIN"},
            "'Train' and 'TRAIN' are taken as 'train'",
            "",
        ),
        ({"val": 1, "dev": 2}, "dev", {"dev"}, "", "lines are left out that say 'val' (1)"),
        ({"train": 3, "": 2}, "train", {"train"}, "", "lines are left out that say '' (2)"),
        ({"0": 3, "1": 2}, "1", {"1"}, "", ""),
        ({"": 3, "held": 2}, "", {""}, "", ""),
    ],
)
def test_a_column_says_a_split_in_its_own_word(counts, split, words, taken, left_out):
    assert words_of_split(counts, split) == (words, taken, left_out)


def test_a_word_that_is_not_there_names_those_that_are():
    with pytest.raises(ValueError, match=r"^no line says 'val'; there are 'train' \(1,200\), 'test' \(7\)$"):
        words_of_split({"train": 1200, "test": 7}, "val")
    with pytest.raises(ValueError, match=r"'f5' \(1\) and 2 more$"):
        words_of_split({f"f{number}": 1 for number in range(8)}, "val")
    with pytest.raises(ValueError, match="'dev' and 'validation' mean the same split; say which one"):
        words_of_split({"train": 1, "dev": 1, "validation": 1}, "val")


def test_counterparts_differ_in_the_word_for_a_split_alone():
    names = ["train_v2", "Valid_v2", "test_v2", "test", "val_v3", "other"]
    assert counterparts("train_v2", names) == {"val": ["Valid_v2"], "test": ["test_v2"]}
    assert counterparts("trainval", ["val", "test"]) == {}
    assert counterparts("labels", names) == {}
    assert [with_word(each, "val") for each in ("Training", "cars_train", "labels")] == [
        "val",
        "cars_val",
        "labels",
    ]
