"""Images that cannot be read: found before anything trains, and left out for the whole of a run."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.cli import main
from ding_cls.errors import CheckpointError, ConfigError, DataError, RunStopped
from ding_cls.pipeline import evaluate, kfold, train
from ding_cls.pipeline import image_check as image_check
from ding_cls.pipeline.dry_run.run import dry_run
from tests.conftest import TinyNet
from tests.harness import SETTINGS, assert_same, outcome, run_tiny

KEY = "policy.learn.learner.dataloader.max_bad"
ALONE = "policy.learn.learner.dataloader.num_workers=0"
BAD = ("train/ash/003.png", "train/cedar/000.png", "val/ash/000.png")
DESCRIBED = tuple(
    f"policy.collect.{split}={{'type': 'CustomDataset', 'pipeline': [{{'type': 'LoadImageFromFile'}}, "
    "{'type': 'Resize', 'size': 8}, {'type': 'Normalize', 'mean': [123.675, 116.28, 103.53], "
    "'std': [58.395, 57.12, 57.375]}]}"
    for split in ("train", "val")
)


def spoil(root: Path, names: tuple[str, ...] = BAD) -> None:
    for name in names:
        (root / name).write_bytes(b"\x89PNG and no more")


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise AssertionError("the images were opened once more")

    monkeypatch.setattr(image_check, "find_bad_images", fail)


@pytest.mark.parametrize(
    "settings", [pytest.param((), marks=pytest.mark.slow), DESCRIBED], ids=["folders", "pipelines"]
)
def test_all_bad_images_are_named_before_anything_trains(
    picture_folder: Path, workdir: Path, settings: tuple[str, ...]
) -> None:
    arguments: dict[str, Any] = {"data": picture_folder, "overrides": [*SETTINGS, *settings]}
    result = train(model=TinyNet(), epochs=1, exp_name="good", check_images=True, **arguments)
    assert "n_bad" not in result.final
    assert image_check.FACT not in read_checkpoint(result.best_checkpoint)["run"]
    spoil(picture_folder)
    told = []
    for start in (
        lambda: train(model=TinyNet(), exp_name="run", check_images=True, **arguments),
        lambda: dry_run(model="squeezenet1_1", exp_name="run", check_images=True, **arguments),
    ):
        with pytest.raises(DataError) as refused:
            start()
        told.append(str(refused.value))
    first, *lines, last = told[0].splitlines()
    assert first == f"3 of 60 images cannot be read, and {KEY} is 0:"
    assert [line.partition("' ")[0] for line in lines] == [f"  '{picture_folder / name}" for name in BAD]
    assert all("is truncated or damaged in its header (16 bytes)" in line for line in lines)
    assert last == f"mend or delete them, or leave them out: {KEY}=3"
    assert told[1] == told[0]
    assert sorted(each.name for each in workdir.iterdir()) == ["good"]


def test_the_command_line_ends_with_2_and_the_list(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "train",
        "--data",
        str(picture_folder),
        "--model",
        "squeezenet1_1",
        "--epochs",
        "1",
        "--check-images",
    ]
    sizes = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.learn.batch_size=8"]
    assert main([*words, "--dry-run", *sizes, ALONE]) == 0
    assert main([*words, *sizes, ALONE, "exp_name=good"]) == 0
    assert "opened 60 images in 0 s: all can be read" in capsys.readouterr().out
    spoil(picture_folder)
    for more in ([], ["--dry-run"]):
        assert main([*words, *more, *sizes, ALONE, "exp_name=run"]) == 2
        text = capsys.readouterr().err
        assert text.startswith(f"error: 3 of 60 images cannot be read, and {KEY} is 0:\n")
        assert all(name in text for name in BAD)
    assert main([*words, "--dry-run", *sizes, ALONE, "exp_name=run", f"{KEY}=3"]) == 0
    text = capsys.readouterr().out
    assert text.count("look at this:  left out: ") == 3
    assert sorted(each.name for each in workdir.iterdir()) == ["good"]


def test_without_the_check_a_bad_image_ends_training_by_its_name(picture_folder: Path, workdir: Path) -> None:
    spoil(picture_folder, BAD[:1])
    with pytest.raises(DataError, match=r"train/ash/003\.png' \(class 'ash', index 3\) is truncated"):
        run_tiny(picture_folder, "run", ALONE)


def without_counts(tree: Any) -> Any:
    """Return what a run left behind, less what says how many images it is without."""
    if isinstance(tree, dict):
        names = {"n_bad", "train_n_bad", "val_n_bad", image_check.FACT}
        return {name: without_counts(value) for name, value in tree.items() if name not in names}
    return [without_counts(each) for each in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("settings", [(), DESCRIBED], ids=["folders", "pipelines"])
def test_a_run_without_bad_images_is_bit_equal_to_one_on_the_others(
    picture_folder: Path, workdir: Path, settings: tuple[str, ...]
) -> None:
    # The first of each set: what looks at one image of it takes another.
    bad = ("train/ash/000.png", *BAD)
    spoil(picture_folder, bad)
    result = run_tiny(picture_folder, "run", ALONE, f"{KEY}=4", *settings)
    assert result.final["n_bad"] == result.best["n_bad"] == 1
    assert [(row["train_n_bad"], row["val_n_bad"]) for row in result.history] == [(3, 1)] * 2
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert {row["n_bad"] for row in rows if row["kind"] == "eval"} == {1}
    text = Path("run/log/evaluator/evaluator.txt").read_text()
    assert text.count("19 samples") == text.count("n_bad: 1") == 3
    lines = Path("run/bad_images.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["train"] * 3 + ["val"]
    assert all(name in line for name, line in zip(bad, lines, strict=True))
    saved = read_checkpoint(result.best_checkpoint)["run"]
    assert [index for index, _, _ in saved[image_check.FACT]["train"]] == [0, 3, 20]
    assert saved["num_train_samples"] == 37

    assert evaluate(result.best_checkpoint, model=TinyNet()) == {**result.best, "num_samples": 19}
    found = evaluate(result.best_checkpoint, model=TinyNet(), split="train")
    assert (found["n_bad"], found["num_samples"]) == (3, 37)

    for name in bad:
        (picture_folder / name).unlink()
    run_tiny(picture_folder, "others", ALONE, *settings)
    assert_same(without_counts(outcome("run")), without_counts(outcome("others")), where="left out")


def test_a_resume_leaves_out_the_same_without_looking_again(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = (picture_folder / BAD[0]).read_bytes()
    spoil(picture_folder)
    limit = f"{KEY}=9"
    run_tiny(picture_folder, "whole", ALONE, limit)
    stops = (1, 5, 7)
    for stop_at in stops:
        with pytest.raises(RunStopped):
            run_tiny(picture_folder, f"run_{stop_at}", ALONE, limit, stop_at=stop_at)
    # Mended or not: the run goes on with the images it was begun with.
    (picture_folder / BAD[0]).write_bytes(clean)
    forbid(monkeypatch)
    for stop_at in stops:
        run_tiny(
            picture_folder, f"run_{stop_at}", ALONE, *([f"{KEY}=0"] if stop_at == 7 else []), resume=True
        )
        assert_same(outcome(f"run_{stop_at}"), outcome("whole"), where=f"stopped after update {stop_at}")
        assert len(Path(f"run_{stop_at}/bad_images.txt").read_text().splitlines()) == 3


def test_more_than_allowed_end_the_run_and_no_images_are_left(picture_folder: Path, workdir: Path) -> None:
    spoil(picture_folder)
    with pytest.raises(DataError, match=rf"3 of 60 images cannot be read, and {KEY} is 2:\n") as refused:
        run_tiny(picture_folder, "run", ALONE, f"{KEY}=2")
    assert all(name in str(refused.value) for name in BAD)
    spoil(
        picture_folder,
        tuple(str(each.relative_to(picture_folder)) for each in picture_folder.glob("val/*/*")),
    )
    with pytest.raises(DataError, match="none of 20 images can be read"):
        run_tiny(picture_folder, "run", ALONE, f"{KEY}=99")
    with pytest.raises(ConfigError, match="cross-validation predicts every sample"):
        kfold(data=picture_folder, model="squeezenet1_1", overrides=[f"{KEY}=1"])
    assert list(workdir.iterdir()) == []


def test_which_are_left_out_is_settled_at_the_start(picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, stop_at=3)
    spoil(picture_folder)
    with pytest.raises(ConfigError, match=rf"{KEY} is 3, and this run was begun with 0"):
        run_tiny(picture_folder, "run", ALONE, f"{KEY}=3", resume=True)
    with pytest.raises(DataError, match="3 of 60 images cannot be read"):
        train(data=picture_folder, model=TinyNet(), exp_name="run", resume=True, check_images=True)
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "other", ALONE, f"{KEY}=3", stop_at=3)
    (picture_folder / "train/fir/009.png").rename(picture_folder / "train/ash/0000.png")
    with pytest.raises(CheckpointError, match=r"training data have changed: 1 added, 1 removed, 0 moved"):
        run_tiny(picture_folder, "other", ALONE, resume=True)


def test_changed_data_that_are_allowed_are_opened_anew(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = f"{KEY}=3"
    spoil(picture_folder)
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, limit, stop_at=3)
    before = read_checkpoint("run/ckpt/iteration_3.pth.tar")["run"]
    assert before["data"]["train"]["num_samples"] == 38
    (picture_folder / "train/fir/009.png").rename(picture_folder / "train/ash/009_.png")
    spoil(picture_folder, ("train/birch/002.png",))
    spoiled = ("train/ash/003.png", "train/birch/002.png", "train/cedar/000.png", "val/ash/000.png")
    words = ["policy.learn.learner.hook.stop_here=False", f"{KEY}=4", ALONE]
    capsys.readouterr()
    result = train(
        data=picture_folder,
        model=TinyNet(),
        epochs=2,
        exp_name="run",
        resume=True,
        allow_changed_data=True,
        overrides=[*SETTINGS, *words],
    )
    text = capsys.readouterr().out
    assert text.count("the training data have changed: 1 added, 1 removed, 0 moved") == 1
    lines = Path("run/bad_images.txt").read_text().splitlines()
    assert all(name in line for name, line in zip(spoiled, lines, strict=True))
    after = read_checkpoint(result.best_checkpoint)["run"]
    assert after["data"]["train"]["num_samples"] == after["num_train_samples"] == 37


def test_evaluation_of_other_data_looks_at_them(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", str(picture_folder), "--model", "squeezenet1_1", "--epochs", "1"]
    sizes = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.learn.batch_size=8"]
    assert main([*words, *sizes, ALONE, "exp_name=run"]) == 0
    spoil(picture_folder, BAD[2:])
    with pytest.raises(DataError, match=r"val/ash/000\.png"):
        evaluate("run")
    assert evaluate("run", max_bad=1)["n_bad"] == 1
    capsys.readouterr()
    assert main(["eval", "run", "--max-bad", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["n_bad", "1"] in lines
    assert ["size:", "19", "images,"] in [line[:3] for line in lines]


def test_a_file_that_comes_several_times_is_one_image(picture_folder: Path, workdir: Path) -> None:
    spoil(picture_folder, BAD[:1])
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": 8}]
    inner = {"type": "CustomDataset", "pipeline": pipeline}
    repeated = f"policy.collect.train={ {'type': 'RepeatDataset', 'times': 2, 'dataset': inner} }"
    result = run_tiny(picture_folder, "run", ALONE, f"{KEY}=1", repeated)
    assert [row["train_n_bad"] for row in result.history] == [2, 2]
    assert "n_bad" not in result.final
    assert torch.isfinite(torch.tensor([row["train_loss"] for row in result.history])).all()
