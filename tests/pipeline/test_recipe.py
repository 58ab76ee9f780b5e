"""One recipe for a folder: however a run that says nothing of how to train is described, it is the same."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.cli import main
from ding_cls.config import read_config
from ding_cls.config.reader.files import RECIPES
from ding_cls.config.recipe import FINE_TUNE, FROM_SCRATCH
from ding_cls.config.tree import at, leaves
from ding_cls.pipeline import train
from ding_cls.pipeline.dry_run.run import dry_run
from ding_cls.pipeline.train import read_run

SMALL = (
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=36",
)
NETWORK = "policy = dict(model=dict(name='resnet18'))\n"
OTHER_SPELLING = """\
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=4, in_channels=512),
)
"""


def described(config: Any = None, **settings: Any) -> dict[str, Any]:
    """Return what a run of these arguments begins with, less its name."""
    usual = {
        "data": None,
        "model": None,
        "epochs": None,
        "pretrained": False,
        "synthetic": True,
        "resume": False,
        "exp_name": None,
        "overrides": SMALL,
    }
    cfg = read_run(config, **{**usual, **settings}).cfg
    return {key: value for key, value in cfg.items() if key != "exp_name"}


def test_a_config_of_a_network_alone_is_the_one_liner(workdir: Path) -> None:
    Path("net.py").write_text(NETWORK)
    one_liner = described(model="resnet18")
    assert described("net.py") == one_liner
    assert described(read_config("net.py")) == one_liner
    assert described({"policy": {"model": {"name": "resnet18"}}}, epochs=3) == described(
        model="resnet18", epochs=3
    )
    Path("weights.py").write_text(NETWORK.replace("resnet18'", "resnet18', pretrained='w.pth'"))
    tuned = described(model="resnet18", pretrained="w.pth")
    assert described("weights.py") == tuned
    assert described("net.py", pretrained="w.pth") == tuned
    for config, recipe in ((one_liner, FROM_SCRATCH), (tuned, FINE_TUNE)):
        for path, value in leaves(read_config(RECIPES / recipe)):
            assert at(config, path) == value, path


def test_a_network_alone_in_the_other_spelling_is_trained_the_same(workdir: Path) -> None:
    Path("mm.py").write_text(OTHER_SPELLING)
    ours, theirs = described(model="resnet18"), described("mm.py")
    for config in (ours, theirs):
        del config["policy"]["model"]
    assert theirs == ours
    Path("whole.py").write_text(OTHER_SPELLING + "runner = dict(type='EpochBasedRunner', max_epochs=3)\n")
    learn = described("whole.py")["policy"]["learn"]
    assert (learn["train_epoch"], learn["lr_schedule"]) == (3, "constant")


@pytest.mark.slow
def test_the_same_weights_come_of_each_way_to_say_it(picture_folder: Path, workdir: Path) -> None:
    Path("net.py").write_text(NETWORK)
    runs = [
        train(config, data=picture_folder, epochs=1, exp_name=name, overrides=SMALL, model=model)
        for name, config, model in (
            ("one_liner", None, "resnet18"),
            ("file", "net.py", None),
            ("dict", {"policy": {"model": {"name": "resnet18"}}}, None),
        )
    ]
    first, *others = (run.model.state_dict() for run in runs)
    for other in others:
        assert all(torch.equal(value, other[name]) for name, value in first.items())


@pytest.mark.slow
def test_the_first_lines_name_the_recipe(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data", str(picture_folder), "--model", "resnet18", "--epochs", "1", *SMALL]
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (each for each in lines if each.startswith("recipe "))
    assert lines.index(line) < 5
    assert line.startswith("recipe ding_cls::from_scratch.py: all layers; ")
    assert line.endswith("; 1 epoch")
    assert main([*argv, "policy.learn.learning_rate=0.125"]) == 0
    assert "learning rate 0.125, " in capsys.readouterr().out
    report = dry_run(None, data=picture_folder, model="resnet18", epochs=1, overrides=SMALL)
    assert f"recipe {report.recipe}" == line
    Path("own.py").write_text("policy = dict(learn=dict(train_epoch=1))\n")
    assert main(["train", "own.py", "--data", str(picture_folder), *SMALL]) == 0
    told = "recipe none, since own.py:1 sets policy.learn.train_epoch: "
    assert told in capsys.readouterr().out
    Path("own.py").write_text("policy = dict(learn=dict(train_epoch=1, learning_rate=0.1))\n")
    assert main(["train", "own.py", "--data", str(picture_folder), *SMALL]) == 0
    assert "recipe" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_is_resumed_by_what_it_saved_of_its_recipe(picture_folder: Path, workdir: Path) -> None:
    begun = train(None, data=picture_folder, model="resnet18", epochs=2, exp_name="run", overrides=SMALL)
    saved = read_config("run/total_config.py")
    for path, value in leaves(read_config(RECIPES / FROM_SCRATCH)):
        assert at(saved, path) == (2 if path.endswith("train_epoch") else value), path
    again = train(None, data=picture_folder, model="resnet18", exp_name="run", resume=True)
    assert again.was_complete
    assert [row["epoch"] for row in again.history] == [row["epoch"] for row in begun.history]


@pytest.mark.slow
def test_cross_validation_trains_by_the_same_recipe(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["kfold", "--data", str(picture_folder), "--model", "resnet18", "--epochs", "1", *SMALL]
    assert main([*argv, "--num-splits", "2", "--work-dir", "folds", "--fold", "0"]) == 0
    out = capsys.readouterr().out
    assert out.count("recipe ding_cls::from_scratch.py: all layers; ") == 1
    fold = read_config("folds/fold_0/total_config.py")
    for path, value in leaves(read_config(RECIPES / FROM_SCRATCH)):
        assert at(fold, path) == (1 if path.endswith("train_epoch") else value), path


def test_config_show_prints_the_recipe_with_its_lines(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its size is the network's own, which a run would tell: here only the config is printed.
    argv = ["config", "show", "--data", str(picture_folder), "--model", "efficientnet_b1"]
    assert main([*argv, "--pretrained", "--epochs", "3"]) == 0
    out = capsys.readouterr().out
    Path("shown.py").write_text(out)
    shown = read_config("shown.py")
    assert shown.policy.model == {"name": "efficientnet_b1", "pretrained": True}
    assert shown.policy.learn.train_epoch == 3
    assert shown.exp_name == "runs/pictures_efficientnet_b1"
    for path, value in leaves(read_config(RECIPES / FINE_TUNE)):
        assert at(shown, path) == (3 if path.endswith("train_epoch") else value), path
    places = [line.partition("  # ")[2] for line in out.splitlines()]
    assert any(place.startswith("ding_cls::fine_tune.py:") for place in places)
    assert any(place.startswith("ding_cls::from_scratch.py:") for place in places)
    # What is shown is a config that trains the same.
    assert main(["config", "show", "shown.py", "--full"]) == 0
    of_file = capsys.readouterr().out
    assert main([*argv, "--pretrained", "--epochs", "3", "--full"]) == 0
    of_words = capsys.readouterr().out
    assert [line.partition("  # ")[0].rstrip() for line in of_file.splitlines()] == [
        line.partition("  # ")[0].rstrip() for line in of_words.splitlines()
    ]


def test_config_show_takes_a_file_and_trains_words_together(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.py").write_text("policy = dict(learn=dict(train_epoch=1))\n")
    assert main(["config", "show", "own.py", "--data", str(picture_folder), "--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert "ding_cls::" not in out
    Path("shown.py").write_text(out)
    assert read_config("shown.py") == {
        "policy": {
            "learn": {"train_epoch": 1},
            "collect": {
                "learn_data_path": str(picture_folder / "train"),
                "eval_data_path": str(picture_folder / "val"),
            },
        },
        "exp_name": "own",
        "seed": 7,
    }
    assert main(["config", "show", "--model", "resnet18"]) == 2
    assert "say what to train on" in capsys.readouterr().err
