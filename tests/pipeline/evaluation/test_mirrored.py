"""Evaluation with mirror images, against plain PyTorch and against prediction."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

import ding_cls
from ding_cls.cli import main
from ding_cls.pipeline import evaluate
from ding_cls.pipeline.evaluation.mirrored import with_mirrored
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained


def test_the_metric_gets_the_logits_of_the_mean_at_any_batch_size(trained: Path, images: Path) -> None:
    results = [evaluate(trained, tta=True, batch_size=size, out=f"{size}.npz") for size in (1, 7, 20)]
    predictor = ding_cls.load(trained, device="cpu")
    paths = [record.path for record in predictor(images / "val")]
    batch = torch.stack([predictor.preprocess(path) for path in paths])
    with torch.no_grad():
        mean = (predictor.model(batch).softmax(1) + predictor.model(batch.flip(3)).softmax(1)) / 2
    targets = torch.arange(4).repeat_interleave(5)
    own = mean[torch.arange(20), targets]
    for result, size in zip(results, (1, 7, 20), strict=True):
        logits = torch.from_numpy(np.load(f"{size}.npz")["logits"])
        assert torch.allclose(logits.softmax(1), mean, rtol=0, atol=1e-6)
        assert result["acc1"] == 100 * float((mean.argmax(1) == targets).double().mean())
        assert result["loss"] == pytest.approx(-float(own.double().log().mean()), abs=1e-6)
    assert evaluate(trained)["loss"] != pytest.approx(results[0]["loss"], abs=1e-6)


@pytest.mark.parametrize("name", ["several", "tasks"])
def test_of_labels_and_tasks_the_mean_is_that_of_prediction(
    request: pytest.FixtureRequest, name: str, workdir: Path
) -> None:
    run = request.getfixturevalue(name)
    evaluate(run, tta=True, out="a.npz")
    assert main(["predict", str(run), "--split", "val", "--tta", "--out", "p.json", "--probabilities"]) == 0
    logits = torch.from_numpy(np.load("a.npz")["logits"]).double()
    expected = logits.sigmoid() if name == "several" else logits.softmax(-1)
    found = [list(row.values())[-expected[0].numel() :] for row in json.loads(Path("p.json").read_text())]
    assert np.allclose(found, expected.flatten(1), rtol=0, atol=1e-6)


def test_it_is_said_in_what_is_printed_and_written(
    trained: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(trained), "--tta", "--out", "a.json"]) == 0
    assert capsys.readouterr().out.splitlines()[3] == (
        "tta:        mean probabilities of each image and its mirror image"
    )
    found = json.loads(Path("a.json").read_text())
    assert (found["tta"], found["num_samples"]) == (True, 20)
    evaluate(trained, tta=True, out="a.parquet")
    table = parquet.read_table("a.parquet")
    assert table.to_pylist() == found["rows"]
    assert [str(each) for each in table.schema.types] == [
        *("string", "int64", "string", "int64", "string", "double", "bool"),
    ]


def test_rows_of_several_labels_are_lists(several: Path, workdir: Path) -> None:
    for name in ("a.json", "a.parquet"):
        evaluate(several, out=name)
    rows = json.loads(Path("a.json").read_text())["rows"]
    assert parquet.read_table("a.parquet").to_pylist() == rows
    assert all(isinstance(row["target"], list) for row in rows)


@pytest.mark.parametrize("is_float", [False, True])
def test_both_forms_of_a_batch_are_mirrored(is_float: bool) -> None:
    shape = (2, 3, 4, 5) if is_float else (2, 4, 5, 3)
    images = torch.arange(120).reshape(shape)
    images = images.float() if is_float else images.to(torch.uint8)
    seen: list[torch.Tensor] = []

    def forward(batch: Batch) -> torch.Tensor:
        seen.append(batch.images)
        return torch.zeros(2, 3)

    def nothing(*args: object) -> None:
        return None

    mode = with_mirrored(
        EvalMode(forward, nothing, nothing, nothing, dict, nothing), has_several_labels=False
    )
    batch = Batch(images=images, targets=torch.zeros(2, dtype=torch.int64), sample_ids=torch.arange(2))
    assert mode.forward(batch).shape == (2, 3)
    assert torch.equal(seen[0], images)
    assert torch.equal(seen[1], images.flip(3 if is_float else 2))
