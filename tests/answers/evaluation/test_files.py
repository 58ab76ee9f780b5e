"""An evaluation as files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.files import plain, write_arrays, write_report
from ding_cls.answers.evaluation.records import COLUMNS
from ding_cls.errors import ConfigError
from tests.answers.evaluation.test_summary import report_of


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    report = replace(report_of(2, [0, 1, 1], [0, 1, 0], {"acc1": np.float64(66.5)}), tta=True)
    write_report(tmp_path / "a.csv", report)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[3] == "2,1,class_1,0,class_0,0.99,0"
    write_report(tmp_path / "a.json", report)
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["results"], found["tta"], found["split"]) == ({"acc1": 66.5}, True, "val")
    assert [each["correct"] for each in found["rows"]] == [True, True, False]
    write_report(tmp_path / "a.npz", report)
    assert np.load(tmp_path / "a.npz")["targets"].tolist() == [0, 1, 1]
    with pytest.raises(ConfigError, match=r"must end in .csv, .json, .parquet or .npz"):
        write_report(tmp_path / "a.txt", report)


def test_tensors_become_arrays_and_plain_values(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"one": torch.arange(3), "two": np.zeros(2)})
    assert np.load(tmp_path / "a.npz")["one"].tolist() == [0, 1, 2]
    found = plain({"a": torch.ones(2), "b": (np.float32(0.5), [np.arange(2)])})
    assert found == {"a": [1.0, 1.0], "b": [0.5, [[0, 1]]]}
