"""The outcome of a cross-validation from the files of its folds; no network is trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ding_cls.common.tables import write_json
from ding_cls.config.merge import save_config
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.kfold.files import CONFIG_NAME, SETTINGS_NAME, fold_files
from ding_cls.pipeline.kfold.summary import KFoldResult, kfold_summary, mean_and_spread, print_kfold

CLASSES = ["ash", "birch", "fir"]
LOGITS = torch.tensor([[4.0, 0, 0], [0, 3, 0], [0, 2, 0], [1, 0, 0], [0, 0, 5], [0, 1, 0]])
TARGETS = torch.tensor([0, 1, 2, 0, 2, 1])
# Number of the fold of each sample.
FOLDS = (0, 1, 0, 1, 0, 1)


def write_fold(folder: Path, fold: int, *, use_last: bool = False, numbers: list[int] | None = None) -> None:
    own = [n for n in range(6) if FOLDS[n] == fold] if numbers is None else numbers
    result_file, predictions_file = fold_files(folder, fold, use_last=use_last)
    result_file.parent.mkdir(parents=True, exist_ok=True)
    hits = (LOGITS[own].argmax(1) == TARGETS[own]).double()
    write_json(
        result_file,
        {
            "fold": fold,
            "checkpoint": f"fold_{fold}/ckpt/{'iteration_4.pth.tar' if use_last else 'ckpt_best.pth.tar'}",
            "train_iter": 4 + fold,
            "num_train": 6 - len(own),
            "num_held_out": len(own),
            "result": {"loss": float(fold), "acc1": 100 * hits.mean().item(), "name": "x"},
        },
    )
    arrays: dict[str, Any] = {"sample_ids": own[::-1], "names": [f"{n}.png" for n in own[::-1]]}
    np.savez(predictions_file, **arrays, targets=TARGETS[own[::-1]], logits=LOGITS[own[::-1]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(
        tmp_path / SETTINGS_NAME,
        {"division": {"num_splits": 2, "seed": 5}, "num_samples": 6, "classes": CLASSES},
    )
    save_config({"policy": {"model": {"num_classes": 3}}}, tmp_path / CONFIG_NAME)
    write_fold(tmp_path, 0)
    return tmp_path


def test_mean_and_spread_are_of_numbers_that_all_have() -> None:
    results = [{"a": 1.0, "b": 2, "c": True, "d": "x", "e": 1.0}, {"a": 3.0, "b": 6, "c": True, "d": "x"}]
    mean, spread = mean_and_spread(results)
    assert mean == {"a": 2.0, "b": 4.0}
    assert spread == {"a": pytest.approx(2**0.5), "b": pytest.approx(8**0.5)}
    assert mean_and_spread(results[:1]) == ({"a": 1.0, "b": 2.0, "e": 1.0}, {})


def test_one_fold_of_two_has_a_mean_and_names_the_other(folder: Path) -> None:
    found = kfold_summary(folder)
    assert (found.missing, found.mean, found.spread) == (
        [1],
        {"loss": 0.0, "acc1": pytest.approx(200 / 3)},
        {},
    )
    assert found.out_of_fold is None
    assert found.folds[0].checkpoint == folder / "fold_0/ckpt/ckpt_best.pth.tar"
    assert not (folder / "out_of_fold.csv").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["n"], summary["missing"], summary["seed"]) == (1, [1], 5)
    assert summary["folds"][0]["checkpoint"] == "fold_0/ckpt/ckpt_best.pth.tar"


def test_all_folds_give_the_results_over_all_samples_in_their_order(folder: Path) -> None:
    write_fold(folder, 1)
    write_json(folder / "test_best.json", {"acc1": 50.0, "num_samples": 8})
    found = kfold_summary(folder)
    assert (found.missing, found.test) == ([], {"acc1": 50.0, "num_samples": 8})
    assert found.out_of_fold is not None
    assert found.out_of_fold["acc1"] == pytest.approx(500 / 6)
    loss = functional.cross_entropy(LOGITS.double(), TARGETS).item()
    assert found.out_of_fold["loss"] == pytest.approx(loss, abs=1e-6)
    saved = np.load(folder / "out_of_fold.npz")
    assert saved["folds"].tolist() == list(FOLDS)
    assert np.array_equal(saved["logits"], LOGITS)
    rows = (folder / "out_of_fold.csv").read_text().splitlines()
    assert rows[0] == "sample,path,label,predicted,score,fold"
    score = LOGITS[2].double().softmax(0).max().item()
    assert rows[3] == f"2,2.png,fir,birch,{score:.6f},0"


def test_the_last_weights_have_a_summary_of_their_own(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"by its last checkpoint: ding-cls kfold --resume .* --use-last"):
        kfold_summary(folder, use_last=True)
    write_fold(folder, 1, use_last=True)
    assert kfold_summary(folder, use_last=True).missing == [0]
    assert json.loads((folder / "summary_last.json").read_text())["checkpoint"] == "last"


def test_what_does_not_fit_together_is_one_line(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no cross-validation '.*/none' to sum up here"):
        kfold_summary(folder / "none")
    write_fold(folder, 1, numbers=[1, 2, 5])
    with pytest.raises(DataError, match="are not those of 6 samples, each once"):
        kfold_summary(folder)
    fold_files(folder, 1, use_last=False)[1].write_bytes(b"x")
    with pytest.raises(DataError, match=r"judged_best\.npz' cannot be read: .*; remove its folder"):
        kfold_summary(folder)


def test_the_table_fits_80_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_fold(folder, 1)
    found = kfold_summary(folder)
    print_kfold(replace(found, test={"loss": 0.5, "acc1": 50.0, "num_samples": 8}))
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line[:1] in "┏┃┡│├└"]
    assert max(map(len, table)) <= 80
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if line.startswith("│")]
    assert cells == [
        ["0", "4", "3", "3", "0.0000", "66.67"],
        ["1", "5", "3", "3", "1.0000", "100.00"],
        ["mean", "", "", "", "0.5000", "83.33"],
        ["spread", "", "", "", "0.7071", "23.57"],
        ["all, out of fold", "", "", "6", f"{found.out_of_fold['loss']:.4f}", "83.33"],  # type: ignore[index]
        ["test, averaged", "", "", "8", "0.5000", "50.00"],
    ]
    assert lines[len(table)].startswith("n = 2 folds of 2, each evaluated by its best checkpoint, chosen on")
    assert [line.split(":")[0] for line in lines[len(table) + 1 :]] == ["summary", "samples", "test"]


def test_missing_folds_are_named_below_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: KFoldResult = kfold_summary(folder)
    print_kfold(found)
    assert "missing: fold 1" in capsys.readouterr().out
