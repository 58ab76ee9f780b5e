"""Judging a checkpoint: its own preprocessing and classes, each sample once."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError, ConfigError, DataError, DingError
from ding_cls.metrics import METRICS, IMetric
from ding_cls.pipeline import evaluate, train
from tests.conftest import TinyNet, write_pictures
from tests.harness import Finished, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
CKPT = Path("run/ckpt/ckpt_best.pth.tar")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("finished"), ALONE)


@pytest.fixture
def trained(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of the run ``run``, which lies in the current directory."""
    folder = finished.lay_out()
    monkeypatch.chdir(folder / "work")
    return folder / "pictures"


def test_results_equal_a_recount_of_the_saved_predictions(trained: Path) -> None:
    results = [
        evaluate(CKPT, model=TinyNet(), batch_size=size, out=Path(f"out_{size}.npz"))
        for size in (1, 7, 20, 64)
    ]
    saved = np.load("out_7.npz")
    assert saved["sample_ids"].tolist() == list(range(20))
    assert saved["targets"].tolist() == [number for number in range(4) for _ in range(5)]
    logits, targets = torch.from_numpy(saved["logits"]), torch.from_numpy(saved["targets"])
    acc1 = 100 * (logits.argmax(1) == targets).double().mean().item()
    loss = functional.cross_entropy(logits.double(), targets).item()
    assert len(results) == 4
    for result in results:
        assert result["num_samples"] == 20
        assert result["acc1"] == acc1
        assert result["acc5"] == 100.0
        assert result["loss"] == pytest.approx(loss, abs=1e-6)


def test_another_folder_and_split(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    # Class numbers are the checkpoint's, though 'fir' is this folder's first.
    write_pictures(other / "test", classes=("fir",), per_class=3)
    evaluate(CKPT, data=other, split="test", model=TinyNet(), out=Path("out.npz"))
    assert np.load("out.npz")["targets"].tolist() == [3, 3, 3]
    assert evaluate(CKPT, split="train", model=TinyNet())["num_samples"] == 40


def test_what_a_folder_holds_beside_images_is_told_once(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_pictures(tmp_path / "other", classes=("ash", "fir"), per_class=3)
    (other / "ash" / "000.png").rename(other / "ash" / "000.xheic")
    # Neither is a class that training lacks.
    for name in ("@eaDir", "#recycle"):
        (other / name).mkdir()
    assert evaluate(CKPT, data=other, model=TinyNet())["num_samples"] == 5
    (line,) = [each for each in caplog.messages if "left out" in each]
    assert line == f"left out of '{other}': 1 .xheic, 2 system folders ('#recycle', '@eaDir')"


def test_a_folder_with_an_unknown_class_is_an_error(trained: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "other" / "val", classes=("oak",), per_class=1)
    with pytest.raises(DataError, match="oak"):
        evaluate(CKPT, data=tmp_path / "other", model=TinyNet())


def test_what_is_no_runs_checkpoint_is_an_error(trained: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no checkpoint 'nowhere'"):
        evaluate("nowhere")
    state = read_checkpoint(CKPT)
    write_checkpoint("bare.pth.tar", {"model": state["model"]})
    with pytest.raises(CheckpointError, match=r"'bare\.pth\.tar' does not say which model and preprocessing"):
        evaluate("bare.pth.tar", model=TinyNet())
    with pytest.raises(CheckpointError, match="does not fit this TinyNet: 2 keys differ"):
        evaluate(CKPT, model=TinyNet(5))
    # A network that was handed over has no name that can be built.
    state["run"]["config"]["policy"]["model"]["name"] = "tinynet"
    write_checkpoint("own.pth.tar", state)
    with pytest.raises(DingError, match="tinynet"):
        evaluate("own.pth.tar")


def test_no_process_is_left_after_a_result_and_after_an_error(trained: Path) -> None:
    state = read_checkpoint(CKPT)
    state["run"]["config"]["policy"]["learn"]["learner"]["dataloader"]["num_workers"] = 2
    write_checkpoint("workers.pth.tar", state)
    assert evaluate("workers.pth.tar", model=TinyNet())["num_samples"] == 20
    assert multiprocessing.active_children() == []
    (trained / "val" / "fir" / "004.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"004\.png") as caught:
        evaluate("workers.pth.tar", model=TinyNet())
    # The traceback, which keeps the loader's frame, still lives here.
    assert caught.tb is not None
    assert multiprocessing.active_children() == []


def test_the_splits_of_a_synthetic_run_are_its_own(workdir: Path) -> None:
    small = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.model.num_classes=4"]
    sizes = ["policy.collect.synthetic_samples=24", "policy.collect.synthetic_eval_samples=9"]
    train(synthetic=True, model="squeezenet1_1", epochs=0, exp_name="made", overrides=[*small, *sizes, ALONE])
    best = Path("made/ckpt/ckpt_best.pth.tar")
    assert evaluate(best, split="train")["num_samples"] == 24
    assert evaluate(best, split="val")["num_samples"] == 9
    with pytest.raises(DataError, match="has no test split"):
        evaluate(best, split="test")


def test_a_network_that_was_handed_in_is_asked_for(trained: Path) -> None:
    with pytest.raises(CheckpointError, match=r"given a network of its own: TinyNet \(given\); hand it in"):
        evaluate(CKPT)


@pytest.mark.parametrize("run", [3, {"config": {"policy": 1}, "class_names": [], "preprocessing": {}}])
def test_a_strangers_description_of_a_run_is_one_line(trained: Path, run: object) -> None:
    write_checkpoint("odd.pth.tar", {**read_checkpoint(CKPT), "run": run})
    with pytest.raises(DingError, match=r"does not say which model|is malformed: run\."):
        evaluate("odd.pth.tar", model=TinyNet())


def test_the_runs_own_metric_judges(picture_folder: Path, workdir: Path) -> None:
    run_tiny(
        picture_folder,
        "run",
        ALONE,
        "policy.eval.metric={'type': 'ImageClassificationMetric', 'primary': 'loss'}",
    )
    assert set(evaluate(CKPT, model=TinyNet())) == {"loss", "acc1", "acc5", "num_samples"}
    state = read_checkpoint(CKPT)
    state["run"]["config"]["policy"]["eval"]["metric"] = {"type": "t_evaluated", "scale": 2.0}
    write_checkpoint("other.pth.tar", state)
    result = evaluate("other.pth.tar", model=TinyNet())
    assert result == {"share": 2.0 * (100 - evaluate(CKPT, model=TinyNet())["acc1"]) / 100, "num_samples": 20}


@METRICS.register_module("t_evaluated")
class ErrorShare(IMetric):
    """A user's metric with an argument."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
        return {"share": (inputs.argmax(1) != label).double().mean().item()}

    def reduce_mean(self, inputs: list[dict[str, float]], counts: list[int]) -> dict[str, float]:  # type: ignore[override]
        errors = sum(each["share"] * count for each, count in zip(inputs, counts, strict=True))
        return {"share": self.scale * errors / sum(counts)}

    def gt(self, metric1: dict[str, float], metric2: dict[str, float] | None) -> bool:
        return metric2 is None or metric1["share"] < metric2["share"]


def test_a_run_with_code_of_its_own_is_judged_only_with_leave(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("t_own_metric.py").write_text(
        "from ding_cls.metrics import METRICS, ImageClassificationMetric\n"
        "METRICS.register('t_own_metric')(type('OwnMetric', (ImageClassificationMetric,), {}))\n"
    )
    state = read_checkpoint(CKPT)
    state["run"]["config"]["custom_imports"] = {"imports": ["t_own_metric"]}
    state["run"]["config"]["policy"]["eval"]["metric"] = {"type": "t_own_metric"}
    write_checkpoint("own.pth.tar", state)
    with pytest.raises(ConfigError, match="custom_imports wants to import t_own_metric: code runs only with"):
        evaluate("own.pth.tar", model=TinyNet())
    assert "t_own_metric" not in sys.modules
    assert evaluate("own.pth.tar", model=TinyNet(), allow_code=True) == evaluate(CKPT, model=TinyNet())
