"""What a file says of itself, from the checkpoint."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError
from ding_cls.export import description
from ding_cls.export.description import check_weights, described, run_name
from ding_cls.export.network import example_image
from ding_cls.inference.onnx.description import ModelDescription
from tests.export.graphs import tiny_predictor
from tests.inference.conftest import CLASSES
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import trained as trained

CALIBRATION = {
    "temperature": [1.5],
    "fitted_on": {"split": "val", "digest": "d", "num_samples": 20},
    "before": {"ece": 1.0, "nll": 1.0},
    "after": {"ece": 0.5, "nll": 0.9},
    "held_out": {},
    "curve": {"thresholds": [0.5], "kept": [20], "wrong": [1]},
    "precision": {},
}


def description_of(run: Path) -> ModelDescription:
    predictor = ding_cls.load(run)
    return described(predictor, example_image(predictor, None), "uint8", {"steps": []})


def test_a_run_and_its_calibration_are_said_whole(trained: Path, tmp_path: Path) -> None:
    best = tmp_path / "my run" / "ckpt" / "ckpt_best.pth.tar"
    best.parent.mkdir(parents=True)
    state = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    write_checkpoint(best, {**state, "calibration": CALIBRATION})
    found = description_of(tmp_path / "my run")
    assert found.classes == CLASSES
    assert (found.height, found.width, found.layout) == (8, 8, "uint8")
    assert (found.has_several_labels, found.num_tasks, found.threshold) == (False, None, 0.5)
    assert found.calibration == CALIBRATION
    assert found.preprocessing == {"steps": []}
    assert found.run["name"] == "my run"
    assert found.run["checkpoint"] == "ckpt_best.pth.tar"
    assert found.run["sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()
    assert found.run["train_iter"] == read_checkpoint(best)["last_iter"] > 0
    assert sorted(found.run["digest"]) == ["train", "val"]
    assert found.run["ding_cls"] == ding_cls.__version__
    assert str(tmp_path) not in found.to_json()
    assert ModelDescription.from_json(found.to_json(), "x").run == json.loads(json.dumps(found.run))


@pytest.mark.parametrize("in_mid_reading", [False, True])
def test_a_checkpoint_that_was_replaced_is_not_taken_for_the_networks(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_mid_reading: bool
) -> None:
    """Training has written a better one since the network was loaded."""
    best = tmp_path / "run" / "ckpt" / "ckpt_best.pth.tar"
    best.parent.mkdir(parents=True)
    state = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    write_checkpoint(best, state)
    predictor = ding_cls.load(tmp_path / "run")
    weights = {name: each + 1 for name, each in state["model"].items()}
    better = {**state, "model": weights}
    if in_mid_reading:

        def read(path: Path) -> object:
            found = read_checkpoint(path)
            write_checkpoint(best, better)
            return found

        monkeypatch.setattr(description, "read_checkpoint", read)
    else:
        write_checkpoint(best, better)
    with pytest.raises(CheckpointError, match=r"other weights now than the network: its run trains on"):
        described(predictor, example_image(predictor, None), "uint8", {})
    predictor.checkpoint = None
    assert list(described(predictor, example_image(predictor, None), "uint8", {}).run) == ["ding_cls"]


def test_a_network_may_have_a_number_for_a_weight() -> None:
    """As the gains of NFNet are, and a temperature that is learned."""
    predictor = tiny_predictor()
    predictor.model.gain = torch.nn.Parameter(torch.tensor(2.0))
    state = {"model": {name: each.clone() for name, each in predictor.model.state_dict().items()}}
    predictor.checkpoint = Path("run.pth.tar")
    check_weights(predictor, state)
    state["model"]["gain"] += 1
    with pytest.raises(CheckpointError, match="other weights now"):
        check_weights(predictor, state)


def test_a_network_of_no_run_says_so() -> None:
    predictor = tiny_predictor(has_several_labels=True, threshold=0.3)
    found = described(predictor, example_image(predictor, None), "float", {})
    assert list(found.run) == ["ding_cls"]
    assert found.has_several_labels
    assert found.threshold == 0.3


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/flowers/ckpt/iteration_9.pth.tar", "flowers"),
        ("runs/lr=0.1 ü/ckpt/ckpt_best.pth.tar", "lr=0.1 ü"),
        ("elsewhere/best of all.pth.tar", "best of all"),
    ],
)
def test_a_file_is_called_as_the_run(tmp_path: Path, path: str, name: str) -> None:
    assert run_name(Path(path)) == name


def test_labels_are_guessed_as_the_runs_metric_says(several: Path, tmp_path: Path) -> None:
    image = torch.zeros(8, 8, 3, dtype=torch.uint8)
    found = described(ding_cls.load(several), image, "uint8", {})
    assert (found.has_several_labels, found.threshold, found.topk) == (True, 0.4, None)
    best = tmp_path / "run" / "ckpt" / "ckpt_best.pth.tar"
    best.parent.mkdir(parents=True)
    state = read_checkpoint(several / "ckpt" / "ckpt_best.pth.tar")
    state["run"]["config"]["policy"]["eval"]["metric"] = {"type": "MultiLabelMetric", "topk": 2}
    write_checkpoint(best, state)
    found = described(ding_cls.load(tmp_path / "run"), image, "uint8", {})
    assert (found.threshold, found.topk) == (0.5, 2)
