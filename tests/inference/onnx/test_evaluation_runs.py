"""An ONNX file with a run's weights has the run's numbers, and needs no torch for them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ding_cls
from ding_cls.answers.evaluation.files import write_report
from ding_cls.cli import main
from ding_cls.errors import ConfigError
from ding_cls.inference.onnx.evaluation import evaluate_onnx
from ding_cls.pipeline.confidence.calibrate import calibrate
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from tests.conftest import write_pictures
from tests.harness import run_tiny, tiny_parts
from tests.inference.onnx.tiny_network import write_file

pytestmark = pytest.mark.slow

CLASSES = ("ash", '<b>, "elm"', "cedar", "n02123045")
HEADS = {
    "one": tiny_parts("LinearClsHead", in_channels=8),
    "several": tiny_parts("MultiLabelLinearClsHead", in_channels=8),
    "tasks": tiny_parts("MultiTaskHead", in_channels=8, num_tasks=2),
}
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Blocked())
from ding_cls.cli import main
code = main(sys.argv[1:])
assert not {{"torch", "torchvision"}} & set(sys.modules)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with splits, and tables of its images with several labels and with several tasks."""
    folder = tmp_path_factory.mktemp("data")
    lines = {"several": ["path,labels,split"], "tasks": ["path,first,second,split"]}
    for split, count in (("train", 8), ("val", 5)):
        write_pictures(folder / split, classes=CLASSES, per_class=count, size_px=16)
        for number, name in enumerate(CLASSES):
            for index in range(count):
                path = f'"{split}/{name.replace(chr(34), chr(34) * 2)}/{index:03d}.png"'
                other = (number + index) % 3
                lines["several"].append(f"{path},{'|'.join({str(number), str(other)})},{split}")
                lines["tasks"].append(f"{path},{number},{other},{split}")
    for kind, rows in lines.items():
        (folder / f"{kind}.csv").write_text("\n".join(rows) + "\n")
    return folder


def trained(root: Path, folder: Path, kind: str, *, calibrates: bool = False) -> tuple[Path, Path, Path]:
    """Return a run, the ONNX file of its weights, and the data that it was trained on."""
    data = root if kind == "one" else root / f"{kind}.csv"
    words = ["policy.collect.train.label=[first,second]", "policy.collect.train.labels=tasks"]
    extra = words if kind == "tasks" else []
    run_tiny(data, str(folder / kind), HEADS[kind], *extra)
    if calibrates:
        calibrate(folder / kind, split="train")
    return folder / kind, write_file(folder / kind, folder / f"{kind}.onnx"), data


def same(first: Any, second: Any) -> Any:
    return pytest.approx(first, abs=1e-4 if second == "loss" else 1e-6)


@pytest.mark.parametrize("kind", ["one", "several", "tasks"])
def test_numbers_rows_and_files_are_those_of_the_checkpoint(
    kind: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file, data = trained(root, tmp_path, kind, calibrates=True)
    for how in ({}, {"tta": True, "calibrated": True}, {"split": "train", "batch_size": 7}):
        expected = evaluate_checkpoint(run, data=data, keep_predictions=True, **how)  # type: ignore[arg-type]
        found = evaluate_onnx(file, data=data, keep_predictions=True, **how)
        assert list(found.result) == list(expected.result)
        for name, value in expected.result.items():
            assert found.result[name] == same(value, name), name
        assert found.intervals.keys() == expected.intervals.keys()
        for name, interval in expected.intervals.items():
            assert found.intervals[name] == pytest.approx(interval, abs=1e-3), name
        assert found.per_class() == [pytest.approx(each) for each in expected.per_class()]
        rows = [[*each.records.rows(each.paths, each.classes)] for each in (found, expected)]
        assert len(rows[0]) == len(rows[1]) == (32 if "split" in how else 20)
        for ours, theirs in zip(*rows, strict=True):
            assert (ours[:5], ours[6]) == (theirs[:5], theirs[6])
            assert ours[5] == pytest.approx(theirs[5], abs=1e-5)
        assert np.allclose(found.predictions["logits"], expected.predictions["logits"], atol=1e-5)
    for name, report in (("a", found), ("b", replace(expected))):
        write_report(tmp_path / f"{name}.json", report)
    ours, theirs = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab")
    assert ours.keys() == theirs.keys()
    assert (ours["folder"], ours["split"]) == (theirs["folder"], theirs["split"])


def test_without_torch_and_without_rich_it_prints_the_same_numbers(root: Path, tmp_path: Path) -> None:
    run, file, data = trained(root, tmp_path, "one")
    out, words = tmp_path / "out.json", ["eval", str(file), "--data", str(data), "--wrong", "3"]
    printed = []
    for blocked in (
        ["torch", "torchvision"],
        ["torch", "torchvision", "rich", "yaml", "easydict", "tensorboardX"],
    ):
        program = BLOCKED.format(blocked=blocked)
        done = subprocess.run(
            [sys.executable, "-c", program, *words, "--out", str(out)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert "┃ class" in printed[0]
    assert "class" in printed[1]
    assert not any(each in printed[1] for each in "┃│")
    expected = evaluate_checkpoint(run, data=data)
    found = json.loads(out.read_text())
    for name, value in expected.result.items():
        assert found["results"][name] == same(value, name)
        if name != "acc5":
            assert f"{value:.2f}" in printed[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "knows no data; name images in class folders: ding-cls eval one.onnx --data DIR"),
        (["policy.eval.batch_size=3"], "'policy.eval.batch_size=3' is for a checkpoint; an ONNX file"),
        (["--metric", "f1"], "'f1' is for a checkpoint"),
        (["--allow-code"], "'--allow-code' is for a checkpoint"),
        (["--data", "{root}", "--calibrated"], "has no calibration"),
    ],
)
def test_what_an_onnx_file_cannot_follow_has_a_line(
    words: list[str],
    message: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tiny_file: Path,
) -> None:
    assert main(["eval", str(tiny_file), *(each.format(root=root) for each in words)]) == 2
    assert message in capsys.readouterr().err


def test_python_evaluates_a_file_as_a_checkpoint(root: Path, tmp_path: Path, tiny_file: Path) -> None:
    found = ding_cls.evaluate(tiny_file, data=root, out=tmp_path / "out.csv")
    assert found == {**evaluate_onnx(tiny_file, data=root).result, "num_samples": 20}
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 21
    with pytest.raises(ConfigError, match="'f1' is for a checkpoint; an ONNX file is evaluated as it is"):
        ding_cls.evaluate(tiny_file, data=root, metric="f1")


@pytest.fixture(scope="module")
def tiny_file(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(root, tmp_path_factory.mktemp("tiny"), "one")[1]
