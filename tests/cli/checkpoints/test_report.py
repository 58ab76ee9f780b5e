"""What is typed behind ``ding-cls report``."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.cli import main
from ding_cls.pipeline.reporting import report as reporting


def test_options_are_those_of_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def report(checkpoint: str, **settings: Any) -> Path:
        given.update(settings, checkpoint=checkpoint)
        return Path("run/report.html")

    monkeypatch.setattr(reporting, "report", report)
    words = ["--split", "valid", "--data", "d", "--out", "o.html", "--batch-size", "8", "--max-bad", "2"]

    assert main(["report", "run", *words]) == 0

    assert capsys.readouterr().out == "report: run/report.html\n"
    assert given == {
        "checkpoint": "run",
        "split": "val",
        "data": "d",
        "out": "o.html",
        "batch_size": 8,
        "max_bad": 2,
        "allow_code": False,
    }
