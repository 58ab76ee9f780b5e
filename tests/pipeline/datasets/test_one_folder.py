"""Published data sets hold all splits in one folder: ``--data`` and a config's paths name that folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.data import MNIST
from ding_cls.errors import DataError
from ding_cls.pipeline import evaluate, train
from ding_cls.pipeline.dry_run.run import dry_run
from tests.harness import SETTINGS, tiny_parts

GREY = {"type": "Normalize", "mean": [99.0] * 3, "std": [50.0] * 3, "to_rgb": False}
HALF = {"fractions": [0.5, 0.5], "seed": 0}


def write_idx(folder: Path, *, num_test: int, kind: int = 0) -> Path:
    """Write a training part of 24 pictures and a test part."""
    folder.mkdir(parents=True)
    draws = np.random.default_rng(kind)
    for part, count in (("train", 24), ("t10k", num_test)):
        images = draws.integers(255, size=(count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            (folder / name).write_bytes(head + array.tobytes())
    return folder


def config(folder: str = "") -> dict[str, Any]:
    """Return half of the training part to train on, half to judge by, and the test part."""
    digits = {"type": "MNIST", "pipeline": [GREY]}
    sections = {
        "train": {"type": "SplitDataset", "part": 0, "dataset": digits, **HALF},
        "val": {"type": "SplitDataset", "part": 1, "dataset": digits, **HALF},
        "test": {**digits, "test_mode": True},
    }
    return {"policy": {"collect": {"learn_data_path": folder, "eval_data_path": folder, **sections}}}


def run(cfg: dict[str, Any], function: Any = train, **arguments: Any) -> Any:
    words = [
        *SETTINGS,
        "policy.learn.learner.dataloader.num_workers=0",
        tiny_parts("LinearClsHead", in_channels=8),
    ]
    return function(cfg, epochs=1, exp_name="run", overrides=words, **arguments)


@pytest.mark.parametrize("is_in_config", [True, False])
def test_one_folder_serves_all_splits(tmp_path: Path, workdir: Path, is_in_config: bool) -> None:
    folder = write_idx(tmp_path / "digits", num_test=7)
    result = run(config(str(folder))) if is_in_config else run(config("elsewhere"), data=folder)
    assert result.has_test_split
    checkpoint = result.best_checkpoint
    assert evaluate(checkpoint, split="test")["num_samples"] == 7
    both = [evaluate(checkpoint, split=split)["num_samples"] for split in ("train", "val")]
    assert sum(both) == 24
    assert min(both) > 0


@pytest.mark.parametrize(
    ("shares", "told"),
    [([0.5, 0.5], None), ([0.25, 0.75], None), ([0.75, 0.25], "of the 12 samples of val are trained on too")],
)
def test_shares_that_are_changed_for_one_part_alone_are_told(
    tmp_path: Path, workdir: Path, capsys: pytest.CaptureFixture[str], shares: list[float], told: str | None
) -> None:
    cfg = config(str(write_idx(tmp_path / "digits", num_test=7)))
    cfg["policy"]["collect"]["train"]["fractions"] = shares
    run(cfg)
    out = capsys.readouterr()
    remarks = run(cfg, function=dry_run).remarks
    assert any("are trained on too" in remark for remark in remarks) == (told is not None)
    assert ("are trained on too" in out.out + out.err) == (told is not None)
    assert told is None or told in out.out + out.err


def test_another_folder_is_divided_as_the_runs_own_was(tmp_path: Path, workdir: Path) -> None:
    result = run(config(str(write_idx(tmp_path / "digits", num_test=7))))
    other = write_idx(tmp_path / "other", num_test=9, kind=1)
    found = {
        split: evaluate(result.run_folder, data=other, split=split) for split in ("train", "val", "test")
    }
    assert found["test"]["num_samples"] == 9
    assert found["train"]["num_samples"] + found["val"]["num_samples"] == 24


def test_a_folder_without_the_files_is_named(tmp_path: Path, workdir: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"empty' has no file 'train-images-idx3-ubyte' of MNIST"):
        run(config("elsewhere"), data=empty)
    assert MNIST(write_idx(tmp_path / "digits", num_test=7), [GREY]).holds_every_split
