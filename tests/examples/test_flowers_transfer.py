"""The recipe for flowers: what it freezes, what it prints, and, in the long campaigns, what it reaches."""

import importlib.util
import os
from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest
import torch

import ding_cls
from ding_cls.checkpoint import read_checkpoint
from ding_cls.models import build_model
from tests.conftest import write_pictures

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "flowers_transfer.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flowers_transfer", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_early_layers_stay_to_the_last_bit_and_late_ones_learn(script: ModuleType, workdir: Path) -> None:
    torch.manual_seed(3)
    weights = build_model("mobilenet_v2", num_classes=5).state_dict()
    torch.save(weights, "weights.pth")
    for part in ("train", "valid"):
        write_pictures(workdir / "d" / part, classes=("ash", "fir"), per_class=4, size_px=40)
    small = {"image_size": 32, "resize_size": 36, "train.pipeline.1.size": 32}
    overrides = [f"policy.collect.{key}={size}" for key, size in small.items()]
    overrides += ["policy.learn.batch_size=4", "policy.learn.learner.dataloader.num_workers=0"]
    result = ding_cls.train(
        script.recipe(Path("weights.pth"), 1), data="d", overrides=[*overrides, "policy.cuda=False"]
    )
    trained = read_checkpoint(result.run_folder / "ckpt" / "iteration_2.pth.tar")["model"]
    same = {name for name, each in trained.items() if torch.equal(each, weights[name])}
    early = {name for name in weights if name.startswith(tuple(f"features.{n}." for n in range(7)))}
    assert len(early) == 108
    assert same == early


def test_the_table_has_mean_and_spread(script: ModuleType) -> None:
    row = {"epoch": 7, "valid": 94.0, "test": 88.0, "wall_s": 100.4, "cpu_s": 180.0}
    table = script.table({0: row, 1: {**row, "test": 92.0}})
    assert table.splitlines()[2:] == [
        "| 0 | 7 | 94.0 | 88.0 | 100 | 180 |",
        "| 1 | 7 | 94.0 | 92.0 | 100 | 180 |",
        "| mean | | 94.0 | 90.0 ± 2.8 | 100 | 180 |",
    ]


def test_without_the_data_it_says_so(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DING_TEST_DATA", raising=False)
    assert script.main([]) == {}
    assert capsys.readouterr().out.startswith("not run: DING_TEST_DATA is not set; it names the folder of")


@pytest.mark.campaign
@pytest.mark.data
@pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="not run: DING_TEST_DATA is unset")
@pytest.mark.timeout(3600)
def test_three_seeds_reach_88_percent_on_the_test_pictures(script: ModuleType, workdir: Path) -> None:
    rows = script.main([])
    assert len(rows) == 3
    assert mean(row["test"] for row in rows.values()) >= 88
