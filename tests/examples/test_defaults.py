"""The script that measures the recipes: both its programs, and the table it draws."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import write_pictures

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "defaults.py"


@pytest.fixture
def script(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("defaults_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "defaults_benchmark", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", workdir / "defaults.jsonl")
    monkeypatch.setattr(module, "PAGE", workdir / "defaults.md")
    return module


@pytest.mark.slow
def test_both_programs_train_a_case_and_are_not_repeated(script: ModuleType, workdir: Path) -> None:
    for part in ("train", "valid", "test"):
        write_pictures(workdir / "d" / part, classes=("ash", "fir"), per_class=4, size_px=40)
    first = script.Case("first", "d", "resnet18", 1, size_px=32, seeds=(0, 1), plain_seeds=(0,))
    second = script.Case("second", "d", "resnet18", 2, "first", size_px=32, seeds=(0,), plain_seeds=(0,))
    script.measure(workdir, (first, second), workers=0)
    found = [json.loads(line) for line in (workdir / "defaults.jsonl").read_text().splitlines()]
    assert [(row["case"], row["who"], row["seed"], len(row["valid"])) for row in found] == [
        ("first", "ding_cls", 0, 1),
        ("first", "ding_cls", 1, 1),
        ("first", "plain loop", 0, 1),
        ("second", "ding_cls", 0, 2),
        ("second", "plain loop", 0, 2),
    ]
    assert all(row["num_test"] == 8 and row["test"] % 12.5 == 0 for row in found)
    script.measure(workdir, (first, second), workers=0)
    assert len((workdir / "defaults.jsonl").read_text().splitlines()) == len(found)


def test_the_table_stands_between_its_marks(script: ModuleType, workdir: Path) -> None:
    case = script.CASES[0]
    row = {"case": case.name, "seed": 0, "who": "ding_cls", "num_test": 250, "wall_s": 9, "where": "here"}
    results = [
        {**row, "valid": [50.0, 80.0, 76.0], "test": 88.0, "cpu_s": 100},
        {**row, "valid": [60.0, 70.0, 80.0], "test": 90.0, "cpu_s": 200},
        {**row, "valid": [60.0, 50.0, 80.0], "test": 70.0, "cpu_s": 90, "who": "plain loop"},
    ]
    (workdir / "defaults.jsonl").write_text("".join(json.dumps(each) + "\n" for each in results))
    page = workdir / "defaults.md"
    page.write_text(f"before\n\n{script.BEGIN}\nold\n{script.END}\n\nafter\n")
    script.write_table()
    lines = page.read_text().splitlines()
    assert (lines[0], lines[2], lines[-3], lines[-1]) == ("before", script.BEGIN, script.END, "after")
    assert "old" not in lines
    assert lines[6] == (
        "| MobileNetV2, flowers | 5 | 2 | 55.0, 75.0, 78.0 | 4.0 | 89.0 ± 1.4 | 1: 70.0 | 150, 90 |"
    )
    assert any("--data flowers5 --model mobilenet_v2 --pretrained" in each for each in lines)
    assert "Measured on here." in lines


def test_without_the_data_it_says_so(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DING_TEST_DATA", raising=False)
    script.main([])
    assert capsys.readouterr().out.startswith("not run: DING_TEST_DATA is not set; it names the folder of ")
