"""Tables of predictions, and networks averaged."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline import average_predictions, evaluate
from ding_cls.pipeline.kfold.predictions import lines, logits_of, probabilities
from tests.conftest import TinyNet, write_pictures
from tests.harness import run_tiny

CLASSES = ("ash", "big birch", "fir")
ALONE = "policy.learn.learner.dataloader.num_workers=0"


def test_one_class_several_labels_and_several_tasks_are_told_by_name() -> None:
    shares = torch.tensor([[0.2, 0.7, 0.1], [0.5, 0.5, 0.0], [float("nan"), 0.2, 0.3]])
    assert list(lines(shares, torch.tensor([1, 2, 0]), CLASSES, threshold=0.5)) == [
        ("big birch", "big birch", "0.700000"),
        ("fir", "ash", "0.500000"),
        ("ash", "", "nan"),
    ]
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 1.0, 1.0]])
    assert list(
        lines(torch.tensor([[0.9, 0.5, 0.1], [0.1] * 3, [0.0, 1.0, 1.0]]), labels, CLASSES, threshold=0.5)
    ) == [
        ("ash|fir", "ash|big birch", "0.900000|0.500000"),
        ("", "", ""),
        ("ash|big birch|fir", "big birch|fir", "1.000000|1.000000"),
    ]
    (row,) = lines(torch.tensor([[0.9, 0.5, 0.1]]), labels[:1], CLASSES, threshold=0.6)
    assert row == ("ash|fir", "ash", "0.900000")
    soft = torch.tensor([[0.2, 0.8, 0.0]])
    assert list(lines(shares[:1], soft, CLASSES, threshold=0.5)) == [("big birch", "big birch", "0.700000")]
    tasks = torch.tensor([[[0.2, 0.7, 0.1], [0.8, 0.1, 0.1]]])
    assert list(lines(tasks, torch.tensor([[1, 2]]), CLASSES, threshold=0.5)) == [
        ("big birch|fir", "big birch|ash", "0.700000|0.800000")
    ]


@pytest.mark.parametrize("targets", [torch.tensor([0, 1]), torch.tensor([[1.0, 0, 1], [0, 0, 1]])])
def test_logits_of_probabilities_give_them_again(targets: torch.Tensor) -> None:
    logits = torch.tensor([[1.5, -2.0, 0.25], [30.0, -90.0, 4.0]])
    shares = probabilities(logits, targets)
    assert torch.allclose(probabilities(logits_of(shares, targets), targets), shares, atol=1e-7, rtol=1e-5)
    sure = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    assert torch.allclose(probabilities(logits_of(sure, targets), targets), sure)


@pytest.fixture
def trained(picture_folder: Path, workdir: Path) -> Path:
    run_tiny(picture_folder, "one", ALONE)
    run_tiny(picture_folder, "two", ALONE, "policy.learn.learning_rate=0.3")
    return picture_folder


def test_the_average_is_that_of_the_probabilities(trained: Path) -> None:
    averaged = average_predictions(
        ["one", "two/ckpt/iteration_10.pth.tar"], split="val", model=TinyNet(), out="a.csv"
    )
    shares = []
    import numpy as np

    for checkpoint in ("one", "two/ckpt/iteration_10.pth.tar"):
        evaluate(checkpoint, model=TinyNet(), out="one.npz")
        shares.append(torch.from_numpy(np.load("one.npz")["logits"]).double().softmax(1))
    mean = (shares[0] + shares[1]) / 2
    assert torch.equal(averaged.probabilities, mean)
    assert averaged.result["acc1"] == 100 * (mean.argmax(1) == averaged.targets).double().mean().item()
    loss = functional.nll_loss(mean.log(), averaged.targets).item()
    assert averaged.result["loss"] == pytest.approx(loss, abs=1e-6)
    assert averaged.names[:2] == ["ash/000.png", "ash/001.png"]
    assert len(Path("a.csv").read_text().splitlines()) == 21


def test_networks_that_do_not_fit_are_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name one checkpoint at least"):
        average_predictions([])
    state = read_checkpoint("two/ckpt/ckpt_best.pth.tar")
    state["run"]["class_names"] = ["ash", "birch", "cedar", "oak"]
    write_checkpoint("oak.pth.tar", state)
    write_pictures(tmp_path / "other" / "test", classes=("ash",), per_class=1)
    with pytest.raises(DataError, match=r"'oak\.pth\.tar' has other classes than 'one'"):
        average_predictions(["one", "oak.pth.tar"], data=tmp_path / "other", model=TinyNet())
    state["run"]["class_names"] = ["ash", "birch", "cedar", "fir"]
    state["run"]["config"]["policy"]["collect"]["eval_data_path"] = str(trained / "train")
    write_checkpoint("other.pth.tar", state)
    with pytest.raises(DataError, match=r"'other\.pth\.tar' was evaluated on other samples than 'one'"):
        average_predictions(["one", "other.pth.tar"], split="val", model=TinyNet())
    with pytest.raises(DataError, match=r"a\.csv' cannot be written: .* is a file$"):
        average_predictions(["one"], split="val", model=TinyNet(), out="one/ckpt/ckpt_best.pth.tar/a.csv")
