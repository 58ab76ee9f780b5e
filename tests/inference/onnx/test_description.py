"""What an exported file says of itself is read as it was written, and nothing else is."""

import json
import os
from dataclasses import replace
from typing import Any

import pytest

from ding_cls.errors import CheckpointError
from ding_cls.inference.onnx.description import ModelDescription

DESCRIPTION = ModelDescription(
    ("ash", "Eiche \u00f6"),
    24,
    32,
    layout="float",
    preprocessing={"steps": [{"op": "crop", "height": 24, "width": 32}], "mean": [0.5] * 3, "std": [0.5] * 3},
    num_tasks=2,
    calibration={"temperature": [1.5, 2.0]},
    run={"name": "flowers"},
)


def test_what_is_written_is_read() -> None:
    assert ModelDescription.from_json(DESCRIPTION.to_json(), "a.onnx") == DESCRIPTION


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "another version of ding_cls"),
        ({"classes": []}, "cannot be used: classes"),
        ({"classes": [1, 2]}, "cannot be used: classes"),
        ({"classes": "ab"}, "cannot be used: classes"),
        ({"classes": {"a": 0, "b": 1}}, "cannot be used: classes"),
        ({"classes": ["\ud800", "b"]}, "cannot be used: classes"),
        ({"calibration": {"temperature": [10**400]}}, r"cannot be read \(the number 10+\.\.\. is too large"),
        ({"height": 0}, "cannot be used: sizes"),
        ({"width": "32"}, "cannot be used: sizes"),
        ({"width": 10**9}, "cannot be used: sizes"),
        ({"num_tasks": True}, "cannot be used: sizes"),
        ({"layout": "bytes"}, "cannot be used: layout"),
        ({"threshold": 2}, "cannot be used: threshold"),
        ({"topk": 0}, "cannot be used: topk"),
        ({"has_several_labels": 1}, "cannot be used: has_several_labels"),
        ({"run": []}, "cannot be used: preprocessing, calibration or run"),
        ({"colour": 1}, "cannot be read"),
    ],
)
def test_another_entry_is_an_error(changes: dict[str, Any], message: str) -> None:
    entry = json.dumps({**json.loads(DESCRIPTION.to_json()), **changes})
    with pytest.raises(CheckpointError, match=message):
        ModelDescription.from_json(entry, "a.onnx")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1, "classes": 3}', "[" * 100_000])
def test_what_is_no_entry_is_an_error(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"'a\.onnx' says of itself cannot be read"):
        ModelDescription.from_json(text, "a.onnx")


def test_bytes_of_a_name_that_are_no_text_stay() -> None:
    name = os.fsdecode(b"\xff\xfe")
    entry = replace(DESCRIPTION, classes=(name, "b")).to_json()
    assert ModelDescription.from_json(entry, "a.onnx").classes == (name, "b")
