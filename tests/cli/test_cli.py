"""The verbs do what they print, and what they write can be read and used again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ding_cls
from ding_cls.cli import main, run_program
from ding_cls.config import read_config
from ding_cls.worker.learner.hooks.builtin import LogRowHook
from ding_cls.worker.learner.learner_hook import ImageClsLogShowHook
from dizoo.image_classification.entry import imagenet_res18_main as zoo
from dizoo.image_classification.entry.digits_res18_config import digits_res18_config
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config

SMALL = [
    "policy.cuda=False",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=32",
    "policy.learn.batch_size=8",
    "policy.learn.learner.dataloader.num_workers=0",
]
ROW = {
    "epoch",
    "train_iter",
    "lr",
    "train_loss",
    "train_acc1",
    "val_loss",
    "val_acc1",
    "val_acc5",
    "seconds",
}


def train_small(data: Path, *words: str) -> int:
    argv = ["train", "--data", str(data), "--model", "squeezenet1_1", "--epochs", "1", "--seed", "3"]
    return main([*argv, *SMALL, *words])


def epoch_rows(folder: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in Path(folder, "log", "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in row.items() if k != "seconds"} for row in rows if row["kind"] == "epoch"]
    assert kept
    return kept


def contents(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_run_without_a_config_returns_what_it_came_to(picture_folder: Path, workdir: Path) -> None:
    result = ding_cls.train(data=picture_folder, model="squeezenet1_1", epochs=2, seed=0, overrides=SMALL)
    assert result.run_folder == Path("runs/pictures_squeezenet1_1")
    assert [set(row) for row in result.history] == [ROW, ROW]
    assert [(row["epoch"], row["train_iter"]) for row in result.history] == [(0, 5), (1, 10)]
    assert result.final == {name: result.history[-1][f"val_{name}"] for name in ("loss", "acc1", "acc5")}
    assert result.best_epoch in (None, 0, 1)
    if result.best_epoch is not None:
        assert result.best["acc1"] == result.history[result.best_epoch]["val_acc1"]
    assert isinstance(result.model, nn.Module)
    assert result.best_checkpoint.is_file()
    last = torch.load(result.run_folder / "ckpt" / "iteration_10.pth.tar", weights_only=True)
    for name, weight in result.model.state_dict().items():
        assert torch.equal(weight, last["model"][name]), name
    expected = [{k: v for k, v in row.items() if k != "seconds"} for row in result.history]
    written = epoch_rows(str(result.run_folder))
    assert [{k: v for k, v in row.items() if k != "kind"} for row in written] == expected


def test_a_network_of_ones_own_trains_and_is_evaluated(picture_folder: Path, workdir: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4))
    result = ding_cls.train(data=picture_folder, model=network, epochs=1, seed=0, overrides=SMALL)
    assert result.model is network
    assert result.run_folder == Path("runs/pictures_sequential")
    last = result.run_folder / "ckpt" / "iteration_5.pth.tar"
    judged = ding_cls.evaluate(last, model=network)
    assert judged == {**result.final, "num_samples": 20}


def test_a_second_run_takes_the_next_name_and_repeats_the_first(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_small(picture_folder) == 0
    name = "runs/pictures_squeezenet1_1"
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "To type next" in printed.out
    assert f"eval {name}\n" in printed.out
    before = contents(name)

    assert train_small(picture_folder) == 0
    assert contents(name) == before
    assert epoch_rows(f"{name}_2") == epoch_rows(name)

    # What was compiled is itself a config: a third run from it repeats the first.
    config = read_config(f"{name}/total_config.py")
    assert (config.exp_name, config.seed, config.policy.model.name) == (name, 3, "squeezenet1_1")
    assert main(["train", f"{name}/total_config.py"]) == 0
    assert contents(name) == before
    assert epoch_rows(f"{name}_3") == epoch_rows(name)
    assert read_config(f"{name}_3/total_config.py") == {**config, "exp_name": f"{name}_3"}


def test_resuming_a_finished_run_says_so(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_small(picture_folder) == 0
    rows = epoch_rows("runs/pictures_squeezenet1_1")
    capsys.readouterr()
    assert train_small(picture_folder, "--resume") == 0
    printed = capsys.readouterr().out
    assert "already complete" in printed
    assert "this run is complete: nothing is left to train\n" in printed.partition("already complete")[0]
    assert os.listdir("runs") == ["pictures_squeezenet1_1"]
    assert epoch_rows("runs/pictures_squeezenet1_1") == rows


def test_eval_prints_and_writes_what_a_recount_gives(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_small(picture_folder) == 0
    checkpoint = "runs/pictures_squeezenet1_1/ckpt/ckpt_best.pth.tar"
    capsys.readouterr()
    assert main(["eval", checkpoint, "--batch-size", "7", "--out", "predictions.npz"]) == 0
    printed = capsys.readouterr().out
    assert main(["eval", checkpoint, "--batch-size", "7", "--out", "results.json"]) == 0
    values = json.loads(Path("results.json").read_text())
    capsys.readouterr()

    saved = np.load("predictions.npz")
    assert list(saved["sample_ids"]) == list(range(20))
    assert list(saved["targets"]) == [number // 5 for number in range(20)]
    hits = (saved["logits"].argmax(1) == saved["targets"]).sum()
    logits = torch.from_numpy(saved["logits"]).double()
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(saved["targets"])).item()
    assert values["num_samples"] == 20
    assert values["results"] == {"loss": pytest.approx(loss, rel=1e-5), "acc1": 5.0 * hits, "acc5": 100}
    assert re.search(rf"^loss +{loss:.4f} +\(.* to .*\) *$", printed, re.MULTILINE)
    assert re.search(rf"^acc1 +{5.0 * hits:.2f} +% +\(.* to .*\) *$", printed, re.MULTILINE)
    assert "acc5" not in printed

    # The training split by name, and the same answer from the folder named outright.
    assert main(["eval", checkpoint, "--split", "train"]) == 0
    own = re.sub(r", [\d,]+ images/s", "", capsys.readouterr().out)
    assert "size:       40 images, 4 classes\n" in own
    assert main(["eval", checkpoint, "--split", "train", "--data", str(picture_folder)]) == 0
    assert re.sub(r", [\d,]+ images/s", "", capsys.readouterr().out) == own


def test_the_main_falls_back_to_the_digits_and_says_so(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DING_CLS_CACHE", str(workdir / "cache"))
    argv = [
        *SMALL,
        "policy.model.name=squeezenet1_1",
        "policy.learn.train_epoch=0",
        "policy.eval.batch_size=180",
    ]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == (
        "No --data was given and there is no ImageNet at 'data/imagenet/train': training on the embedded set "
        "of 1,797 handwritten digits."
    )
    assert second.startswith(f"Its images are in {workdir / 'cache'}")
    assert second.endswith("--data DIR trains on your own.")
    assert any(line.startswith("Untrained  loss ") for line in rest)
    assert (
        "Evaluation after 0 updates, 180 samples"
        in Path("digits_res18/log/evaluator/evaluator.txt").read_text()
    )
    assert read_config("digits_res18/total_config.py").policy.collect.hflip is False


def test_the_main_takes_a_folder_and_keeps_its_own_recipe(picture_folder: Path, workdir: Path) -> None:
    (picture_folder / "val").rename(picture_folder / "validation")
    argv = ["--data", str(picture_folder), "--seed", "5", *SMALL]
    argv += ["policy.model.name=squeezenet1_1", "policy.learn.train_epoch=1"]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 0
    config = read_config("imagenet_res18/total_config.py")
    assert config.policy.collect.eval_data_path == str(picture_folder / "validation")
    assert (config.seed, config.policy.learn.decay_epoch, config.policy.collect.hflip) == (5, 30, True)


def test_synthetic_reads_no_files(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    argv = ["train", "--synthetic", "--model", "squeezenet1_1", "--epochs", "1", *SMALL, *words]
    assert main([*argv, "policy.model.num_classes=3"]) == 0
    assert "8 training and 4 evaluation images, 3 classes" in capsys.readouterr().out
    assert os.listdir("runs") == ["synthetic_squeezenet1_1"]


def test_the_time_of_a_single_update_counts(workdir: Path) -> None:
    words = ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    result = ding_cls.train(
        synthetic=True,
        model="squeezenet1_1",
        epochs=1,
        overrides=[*SMALL, *words, "policy.model.num_classes=3"],
    )
    assert 0 < 8 / result.images_per_s <= 60 * result.minutes


def test_a_histogram_of_a_policy_reaches_the_log_hook(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config's own log_show hook, whose line never comes, must not clear the buffer before it."""
    seen: list[set[str]] = []

    class Watching(ImageClsLogShowHook):
        def __call__(self, engine: Any) -> None:
            seen.append(set(engine.log_buffer["scalar"]))
            super().__call__(engine)

    class WatchingRows(LogRowHook):
        def __call__(self, engine: Any) -> None:
            seen.append(set(engine.log_buffer["scalar"]))
            super().__call__(engine)

    monkeypatch.setattr(zoo, "ImageClsLogShowHook", Watching)
    monkeypatch.setattr(sys.modules["ding_cls.pipeline.hooks"], "LogRowHook", WatchingRows)
    words = ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    words += ["policy.model.num_classes=3", "policy.model.name=squeezenet1_1", "policy.learn.train_epoch=1"]
    assert main(["train", "--synthetic", *SMALL, *words]) == 0
    assert run_program(zoo.main, imagenet_res18_config, argv=["--synthetic", *SMALL, *words]) == 0
    assert len(seen) == 2
    assert all("total_loss" in names for names in seen)


def test_help_names_every_verb_and_python_m_is_the_same_door() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ding_cls", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("usage: ding-cls")
    for verb in ("train", "eval", "env"):
        assert f"\n    {verb} " in done.stdout


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"ding-cls {ding_cls.__version__}\n"


def test_a_resume_takes_the_runs_own_config_and_what_is_typed_on_top(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_small(picture_folder) == 0
    name = "runs/pictures_squeezenet1_1"
    typed = read_config(f"{name}/total_config.py")
    capsys.readouterr()
    assert main(["train", "--data", str(picture_folder), "--model", "squeezenet1_1", "--resume"]) == 0
    assert "already complete" in capsys.readouterr().out
    assert read_config(f"{name}/total_config.py") == typed
    more = f"policy.learn.train_epoch={typed.policy.learn.train_epoch + 1}"
    assert main(["train", "--data", str(picture_folder), "--model", "squeezenet1_1", "--resume", more]) == 0
    assert f"is {typed.policy.learn.train_epoch + 1} now" in capsys.readouterr().out
    assert read_config(f"{name}/total_config.py").policy.collect.image_size == typed.policy.collect.image_size


@pytest.mark.slow
def test_the_main_resumes_with_the_runs_own_config(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.model.num_classes=4"]
    sizes = ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    argv = ["--synthetic", *small, *sizes, "policy.learn.batch_size=4", "policy.learn.train_epoch=1"]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 0
    capsys.readouterr()
    argv = ["--synthetic", "--resume"]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 0
    assert "already complete" in capsys.readouterr().out


TINY = [
    "policy.collect.synthetic_samples=8",
    "policy.collect.synthetic_eval_samples=4",
    "policy.model.num_classes=3",
    "policy.model.name=squeezenet1_1",
]


def test_a_dry_run_prints_what_a_run_would_be_like_and_writes_nothing(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--synthetic", "--epochs", "3", "--work-dir", "mine", "--dry-run", *SMALL, *TINY]
    assert main(argv) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = dict(line.split(":", 1) for line in printed.out.splitlines() if not line.startswith("look"))
    assert lines["run folder"].strip() == "mine (nothing is written to it now)"
    assert lines["samples"].strip() == "8 to train on, 4 to evaluate, 3 classes"
    assert lines["logits"].strip() == "float32 (8, 3)"
    assert lines["updates"].strip() == "3, 1 an epoch with 8 images each"
    assert os.listdir() == []


def test_a_dry_run_looks_at_beginnings_only(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--synthetic", "--dry-run", "--resume"]) == 2
    assert capsys.readouterr().err == (
        "error: --dry-run looks at the beginning of a new run; leave out --resume\n"
    )


@pytest.mark.parametrize("words", [["--cfg-options", "runner.max_epochs=0"], ["runner.max_epochs=0"]])
def test_train_takes_words_of_the_second_spelling(workdir: Path, words: list[str]) -> None:
    Path("theirs.py").write_text(
        "data = dict(samples_per_gpu=4)\nrunner = dict(type='EpochBasedRunner', max_epochs=7)\n"
        "work_dir = 'given'\n"
    )
    small = [word for word in SMALL if "learn.batch_size" not in word]
    argv = ["train", "--synthetic", *small, *TINY, "--work-dir", "runs/typed", *words, "theirs.py"]
    assert main(argv) == 0
    config = read_config("runs/typed/total_config.py")
    assert (config.policy.learn.train_epoch, config.policy.learn.batch_size) == (0, 4)


def test_a_main_takes_cfg_options_and_imports_with_leave(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--synthetic", *SMALL, *TINY, "--cfg-options", "policy.learn.train_epoch=0", "seed=5"]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 0
    config = read_config("imagenet_res18/total_config.py")
    assert (config.policy.learn.train_epoch, config.seed) == (0, 5)
    capsys.readouterr()
    argv = ["--synthetic", *SMALL, *TINY, "policy.learn.train_epoch=0", "exp_name=other"]
    assert run_program(zoo.main, imagenet_res18_config, argv=argv) == 0
    assert read_config("other/total_config.py").policy.learn.train_epoch == 0
    argv = ["--synthetic", "runner.max_epochs=0", "work_dir=third"]
    assert run_program(zoo.main, imagenet_res18_config, argv=argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("; write policy.learn.train_epoch (override runner.max_epochs=0)")
    assert lines[1].endswith("; write exp_name (override work_dir=third)")
    capsys.readouterr()
    argv = ["--synthetic", "custom_imports.imports=not_there_at_all"]
    assert run_program(zoo.main, imagenet_res18_config, argv=argv) == 2
    assert "code runs only with --allow-code" in capsys.readouterr().err
    assert run_program(zoo.main, imagenet_res18_config, argv=[*argv, "--allow-code"]) == 2
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["imagenet_res18", "other"]
