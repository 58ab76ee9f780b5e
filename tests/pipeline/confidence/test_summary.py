"""What ``ding-cls calibrate`` prints and writes: each number is that of the calibration."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from ding_cls.answers.proportions import wilson
from ding_cls.data import SyntheticDataset
from ding_cls.metrics.analysis.temperature import Temperature
from ding_cls.pipeline.confidence.calibrate import CalibrationReport
from ding_cls.pipeline.confidence.measure import measured
from ding_cls.pipeline.confidence.summary import print_calibration, write_calibration
from ding_cls.pipeline.evaluation.report import EvaluationReport
from tests.pipeline.confidence.test_answers import answers_of
from tests.pipeline.confidence.test_measure import FITTED_ON, overconfident

ODD = ("[red]a", "b, c", "line\nbreak")


def report_of(count: int, *, classes: tuple[str, ...] = ODD, kind: str = "one") -> CalibrationReport:
    logits, targets = overconfident(count)
    if kind == "several":
        targets = torch.nn.functional.one_hot(targets, 3)
    answers = answers_of(kind, logits, targets)
    calibration, temperatures = measured(answers, {**FITTED_ON, "num_samples": count}, precision=80.0)
    evaluation = EvaluationReport(
        result={},
        num_samples=count,
        records=answers.records,
        dataset=SyntheticDataset(count, len(classes), 8),
        split="val",
        classes=classes,
        checkpoint=Path("run/ckpt/ckpt_best.pth.tar"),
        train_iter=1200,
        cfg=None,
        seconds=1.0,
        is_other_loss=False,
    )
    return CalibrationReport(calibration, temperatures, evaluation)


def printed(report: CalibrationReport, capsys: pytest.CaptureFixture[str]) -> str:
    print_calibration(report, checkpoint="runs/a b")
    return capsys.readouterr().out


def test_temperature_errors_risks_and_classes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(400)
    out, found = printed(report, capsys), report.calibration
    (temperature,) = report.temperatures
    low, high = temperature.interval
    assert f"temperature {temperature.value:.4g}, 95 % interval {low:.3g} to {high:.3g}\n" in out
    rows = {line.split("  ")[0]: line.split()[-2:] for line in out.splitlines() if line.strip()}
    for name, values in (
        ("as they are", found.before),
        ("calibrated", found.after),
        ("calibrated, on held-out halves", found.held_out),
    ):
        assert rows[name] == [f"{values['ece']:.4f}", f"{values['nll']:.4f}"]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert [row[0] for row in cells[:4]] == ["100.0", "95.0", "90.0", "80.0"]
    whole = wilson(found.curve.wrong[-1], 400)
    assert cells[0][1:] == [
        "0.0000",
        f"{found.curve.wrong[-1] / 4:.2f}",
        f"{whole[0]:.2f} to {whole[1]:.2f}",
    ]
    assert [row[0] for row in cells[11:]] == ["[red]a", "b, c", "line\\nbreak"]
    assert "precision 80 %: 3 of 3 classes reach it\n" in out
    counts = found.precision_held_out
    assert f"{100 * counts['right'] / counts['kept']:.1f} % (" in out
    assert "to use it: ding-cls predict 'runs/a b' IMAGES --calibrated" in out
    assert max(map(len, out.splitlines())) < 110


def test_a_temperature_that_is_not_expected_to_help_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(30)
    shown = Temperature(1.1, "", (0.9, 1.3), -0.5)
    out = printed(dataclasses.replace(report, temperatures=[shown]), capsys)
    words = (
        "the best one of these images, 1.1 (95 % interval 0.9 to 1.3), is not expected to be better on others"
    )
    assert f"temperature 1: {words}\n" in out


def test_what_few_images_cannot_show_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report_of(3), capsys)
    assert "precision 80 %: 0 of 3 classes reach it; never named: [red]a, b, c, line\\nbreak" in out
    assert "temperature 1: none of 3 labels is wrong, so no temperature is the best" in out
    out = printed(report_of(400, kind="several"), capsys)
    assert "coverage" not in out


def test_many_classes_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    logits = torch.eye(1000)[torch.arange(50)]
    answers = answers_of("one", logits, torch.arange(50))
    calibration, temperatures = measured(answers, FITTED_ON, precision=90.0)
    evaluation = report_of(3, classes=tuple(f"class {each}" for each in range(1000))).evaluation
    out = printed(CalibrationReport(calibration, temperatures, evaluation), capsys)
    assert "precision 90 %: 0 of 1,000 classes reach it; never named: class 0, class 1, " in out
    assert out.count("class 9") < 3


def test_the_file_has_every_number(tmp_path: Path) -> None:
    report = report_of(400)
    write_calibration("c.json", report)
    written, found = json.loads(Path("c.json").read_text()), report.calibration
    assert written["temperature"] == list(found.temperatures)
    assert written["fitted_on"] == {**FITTED_ON, "num_samples": 400}
    assert len(written["curve"]) == 100
    point = found.curve.at_coverage(95)
    assert written["curve"][94] == {
        "threshold": point.threshold,
        "coverage": point.coverage,
        "coverage_interval": list(point.coverage_interval),
        "risk": point.risk,
        "risk_interval": list(point.risk_interval),
    }
    assert [each["name"] for each in written["precision"]["classes"]] == list(ODD)
    assert written["precision"]["classes"][1]["threshold"] == found.precision.thresholds[1]
