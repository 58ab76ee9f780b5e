"""What is typed behind ``ding-cls publish``."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.cli import main
from ding_cls.pipeline.exporting import publish as publishing
from ding_cls.pipeline.exporting.publish import Published


def test_options_are_those_of_the_function(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def publish(checkpoint: str, **settings: Any) -> Published:
        given.update(settings, checkpoint=checkpoint)
        return Published(Path("o/x-0123.pth"), Path("o/x-0123.md"), "0123")

    monkeypatch.setattr(publishing, "publish", publish)
    words = ["--split", "valid", "--data", "d", "--out", "o", "--batch-size", "8", "--max-bad", "2"]

    assert main(["publish", "run", "--format", "safetensors", *words]) == 0

    lines = ["weights: o/x-0123.pth", "card:    o/x-0123.md", "sha256:  0123"]
    assert capsys.readouterr().out.splitlines() == lines
    assert given == {
        "checkpoint": "run",
        "format": "safetensors",
        "split": "val",
        "data": "d",
        "out": "o",
        "batch_size": 8,
        "max_bad": 2,
        "allow_code": False,
    }


def test_other_ranks_print_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publishing, "publish", lambda checkpoint, **settings: None)
    assert main(["publish", "run"]) == 0
    assert capsys.readouterr().out == ""
