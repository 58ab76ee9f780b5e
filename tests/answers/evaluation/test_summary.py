"""What ``ding-cls eval`` prints, at 80 columns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.answers.evaluation.summary import print_evaluation, printable
from ding_cls.data import SyntheticDataset
from ding_cls.pipeline.evaluation.report import EvaluationReport


def report_of(
    num_classes: int, targets: list[int], predicted: list[int], result: dict[str, Any], **changes: Any
) -> EvaluationReport:
    given, found = np.array(targets), np.array(predicted)
    scores = np.linspace(0.5, 0.99, len(targets))
    records = SampleAnswers("one", np.arange(len(targets)), given, found, scores, given == found, np.zeros(0))
    dataset = SyntheticDataset(len(targets), num_classes, 8)
    report = EvaluationReport(
        result=result,
        num_samples=len(targets),
        records=records,
        dataset=dataset,
        split="val",
        classes=dataset.classes,
        checkpoint=Path("run/ckpt/ckpt_best.pth.tar"),
        train_iter=1200,
        cfg=None,
        seconds=0.002,
        is_other_loss=False,
    )
    return replace(report, **changes)


def test_a_small_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"loss": 0.5, "acc1": 75.0, "acc5": 100.0, "confusion": [[1, 0], [1, 2]]}
    report = report_of(2, [0, 1, 1, 1], [0, 0, 1, 1], result)
    print_evaluation(report, num_wrong=3, out="r.csv")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "checkpoint: run/ckpt/ckpt_best.pth.tar after 1,200 updates",
        "data:       SyntheticDataset, split val",
        "size:       4 images, 2 classes, 2,000 images/s",
        "",
        "loss  0.5000",
        "acc1   75.00  %",
        "as lists, in --out FILE.json: confusion",
        "",
        "┏━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━┓",
        "┃ class   ┃ images ┃ precision % ┃ recall % ┃ f1 % ┃",
        "┡━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━┩",
        "│ class_0 │      1 │        50.0 │    100.0 │ 66.7 │",
        "│ class_1 │      3 │       100.0 │     66.7 │ 80.0 │",
        "└─────────┴────────┴─────────────┴──────────┴──────┘",
        "",
        "wrong: 1 of 4 images; the surest first:",
        "  0.663  class_1 -> class_0  1",
        "",
        "written to r.csv",
    ]


def test_the_evaluations_loss_bears_its_own_name_where_training_has_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of(6, [0, 1], [0, 1], {"loss": 0.5, "acc1": 100.0, "acc5": 100.0}, is_other_loss=True)
    print_evaluation(report, num_wrong=1)
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()[4:7]] == [
        ["cross-entropy", "0.5000"],
        ["acc1", "100.00", "%"],
        ["acc5", "100.00", "%"],
    ]
    assert "│ class_5 │      0 │           - │        - │     - │" in printed
    assert printed.endswith("wrong: none\n")


def test_of_a_thousand_classes_the_worst_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    # Classes 100 to 129 are taken for class 0; class 999 has no image.
    targets = list(range(999))
    predicted = [0 if 100 <= each < 130 else each for each in targets]
    print_evaluation(report_of(1000, targets, predicted, {"acc1": 97.0}))
    printed = capsys.readouterr().out
    rows = [line.split()[1] for line in printed.splitlines() if line.startswith("│ class_")]
    assert rows == [f"class_{number}" for number in range(100, 120)]
    assert (
        "the 20 classes with the lowest f1 of 1,000; all of them: --out FILE.json, under per_class\n"
        in printed
    )


def test_of_many_classes_those_without_an_image_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(report_of(41, [3, 7], [3, 8], {"acc1": 50.0}))
    printed = capsys.readouterr().out
    rows = [line.split()[1] for line in printed.splitlines() if line.startswith("│ class_")]
    assert rows == ["class_3", "class_7"]
    assert printed.endswith("no images: the other 39 of 41 classes\n")


def test_nothing_is_wider_than_the_terminal_but_what_is_to_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ("Ein sehr langer Klassenname " * 5, "zwei\nZeilen", "[red]bold", "by\udcfftes", "貓")
    result = {"mAP": 50.0, "AP_per_class": [50.0, None, 1.0, 2.0, 3.0], "raw_acc1": 1.0}
    report = report_of(5, [0, 1, 2, 3, 4], [4, 0, 1, 2, 3], result, classes=names)
    print_evaluation(report, num_wrong=2)
    printed = capsys.readouterr().out
    table = [line for line in printed.splitlines() if line[:1] in "┏┃┡│└"]
    assert max(map(len, table)) <= 80
    assert "AP %" in printed
    assert r"zwei\nZeilen" in printed
    assert "[red]bold" in printed
    assert r"by\udcfftes" in printed
    assert "raw_acc1   1.00  %" in printed


def test_text_that_no_terminal_shows_becomes_escapes() -> None:
    assert printable("a\tb\r\x1b[31m\udc80é") == r"a\tb\r\x1b[31m\udc80é"


def test_intervals_stand_behind_the_values_and_fit_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"loss": 0.5, "acc1": 75.0, "cohen_kappa_of_a_users_own_metric": 0.25}
    found = {"loss": (0.40004, 0.61), "acc1": (30.06, 95.44)}
    report = report_of(2, [0, 1, 1, 1], [0, 0, 1, 1], result, intervals=found)
    print_evaluation(report)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[4:8] == [
        "loss                               0.5000     (0.400 to 0.610)",
        "acc1                                75.00  %  (30.1 to 95.4)",
        "cohen_kappa_of_a_users_own_metric  0.2500",
        "in brackets: 95 % intervals, for other images of the same kind",
    ]
    assert max(map(len, lines)) <= 80
