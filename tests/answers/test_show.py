"""Results as text."""

from typing import Any

import pytest

from ding_cls.answers.show import (
    digits_of,
    fits_a_line,
    is_percentage,
    show_results,
    show_value,
    shown_name,
    shown_results,
    where_lists_are,
)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.12344, 4, "0.1234"),
        (98.7654, 2, "98.77"),
        (100.0, 2, "100.00"),
        (0.0, 4, "0.0000"),
        (-1.5, 2, "-1.50"),
        (3.21e-7, 4, "3.21e-07"),
        (0.00005, 4, "0.0001"),
        (0.004, 2, "4.00e-03"),
        (float("nan"), 4, "nan"),
        (float("inf"), 4, "inf"),
        (12, 4, "12"),
        (True, 4, "True"),
        (None, 4, "None"),
        ("a\nb", 4, "a b"),
        ([1, 2.5], 4, "[1, 2.5]"),
        ("x" * 61, 4, "x" * 60 + "..."),
    ],
)
def test_every_kind_of_result_is_one_short_line(value: Any, digits: int, text: str) -> None:
    assert show_value(value, digits) == text


def test_four_digits_are_the_rule() -> None:
    assert show_value(1.0) == "1.0000"


@pytest.mark.parametrize(
    "name", ["acc1", "acc5", "acc10", "val_acc1", "train_acc1", "raw_acc1", "val_0_acc1"]
)
def test_accuracies_of_ours_are_percentages(name: str) -> None:
    assert is_percentage(name)


@pytest.mark.parametrize("name", ["loss", "acc", "accuracy", "acc1_std", "macc1", "errors", "val_loss"])
def test_other_results_are_what_their_metric_means(name: str) -> None:
    assert not is_percentage(name)


def test_lists_fit_no_line_and_are_named() -> None:
    results = {"mAP": 1.0, "AP_per_class": [1.0, None], "word": "a", "none": None, "table": {"a": 1}}
    assert [name for name, value in results.items() if fits_a_line(value)] == ["mAP", "word", "none"]
    assert where_lists_are(results) == "in log/metrics.jsonl: AP_per_class, table"
    assert where_lists_are({"mAP": 1.0}) == ""


@pytest.mark.parametrize(
    ("num_classes", "shown"),
    [
        (None, ["loss", "acc1", "acc5", "val_acc5", "0_raw_acc5", "acc3_thr0.5", "my_acc5", "mAP"]),
        (6, ["loss", "acc1", "acc5", "val_acc5", "0_raw_acc5", "acc3_thr0.5", "my_acc5", "mAP"]),
        (5, ["loss", "acc1", "acc3_thr0.5", "my_acc5", "mAP"]),
        (2, ["loss", "acc1", "my_acc5", "mAP"]),
        (1, ["loss", "acc1", "my_acc5", "mAP"]),
    ],
)
def test_an_accuracy_that_is_certain_is_not_shown(num_classes: int | None, shown: list[str]) -> None:
    names = ["loss", "acc1", "acc5", "val_acc5", "0_raw_acc5", "acc3_thr0.5", "my_acc5", "mAP"]
    results = dict.fromkeys(names, 1.0)
    assert list(shown_results(results, num_classes)) == shown
    assert list(results) == names


def test_of_several_labels_no_class_is_the_right_one() -> None:
    results = {"train_loss": 1.0, "train_acc1": 2.0, "val_mAP": 3.0, "acc_string": 4.0}
    assert list(shown_results(results, 20, has_one_label=False)) == ["train_loss", "val_mAP", "acc_string"]


def test_two_losses_of_different_functions_have_two_names() -> None:
    names = ["train_loss", "val_loss", "loss", "raw_loss", "val_raw_loss", "val_total_loss", "val_acc1"]
    same = ["train loss", "val loss", "loss", "raw_loss", "val raw_loss", "val total_loss", "val acc1"]
    assert [shown_name(name) for name in names] == same
    assert [shown_name(name, is_other_loss=True) for name in names] == [
        "train loss",
        "val cross-entropy",
        "cross-entropy",
        "raw_cross-entropy",
        "val raw_cross-entropy",
        "val total_loss",
        "val acc1",
    ]


def test_results_in_one_line() -> None:
    results = {"loss": 0.53104, "val_acc1": 80.104, "mAP": 5.0, "hits": 3, "per_class": [1, 2]}
    assert show_results(results) == "loss 0.5310, val_acc1 80.10, mAP 5.00, hits 3"
    assert show_results(results, "  ") == "loss 0.5310  val_acc1 80.10  mAP 5.00  hits 3"
    assert show_results({}) == ""
    assert (digits_of("acc1"), digits_of("loss")) == (2, 4)
