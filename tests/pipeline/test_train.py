"""The one-line run: its result, its files, and what it refuses."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.config import read_config
from ding_cls.errors import ConfigError, DataError
from ding_cls.models import build_model
from ding_cls.pipeline import evaluate, train
from tests.conftest import TinyNet
from tests.harness import SETTINGS, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"


def test_the_result_says_what_the_files_say(picture_folder: Path, workdir: Path) -> None:
    result = run_tiny(picture_folder, "run", ALONE)
    assert result.run_folder == Path("run")
    assert not result.was_complete
    assert [(row["epoch"], row["train_iter"]) for row in result.history] == [(0, 5), (1, 10)]
    assert list(result.history[0]) == [
        "epoch",
        "train_iter",
        "lr",
        "train_loss",
        "train_acc1",
        "val_loss",
        "val_acc1",
        "val_acc5",
        "seconds",
    ]
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    epochs = [{k: v for k, v in row.items() if k != "kind"} for row in rows if row["kind"] == "epoch"]
    assert epochs == result.history
    kinds = [(row["kind"], row["train_iter"]) for row in rows]
    steps = [("train", number) for number in range(1, 11)]
    first, second = (
        [("eval", 5), ("epoch", 5)],
        [("eval", 10), ("epoch", 10)],
    )
    assert kinds == [("eval", 0), *steps[:5], *first, *steps[5:], *second]

    # The final and the best numbers are those of the files.
    last = evaluate(Path("run/ckpt/iteration_10.pth.tar"), model=TinyNet())
    assert {k: last[k] for k in result.final} == result.final
    assert last["num_samples"] == 20
    best = evaluate(result.best_checkpoint, model=TinyNet())
    assert {k: best[k] for k in result.best} == result.best
    assert result.best_epoch is not None
    assert result.history[result.best_epoch]["val_loss"] == result.best["loss"]
    saved = read_checkpoint("run/ckpt/iteration_10.pth.tar")["model"]
    assert all(torch.equal(each, saved[name]) for name, each in result.model.state_dict().items())
    assert result.images_per_s > 0
    assert 0 < result.minutes < 10


def test_a_runs_files(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "run", ALONE)
    names = sorted(str(each.relative_to("run")) for each in Path("run").rglob("*") if each.is_file())
    events = [name for name in names if "tfevents" in name]
    assert len(events) == 1
    assert [name for name in names if name not in events] == [
        "ckpt/ckpt_best.pth.tar",
        "ckpt/iteration_10.pth.tar",
        "ckpt/iteration_5.pth.tar",
        "log/evaluator/evaluator.txt",
        "log/learner/learner.txt",
        "log/metrics.jsonl",
        "total_config.py",
    ]
    config = read_config("run/total_config.py")
    assert config.exp_name == "run"
    assert config.policy.learn.batch_size == 8
    assert config.seed == 5


def test_a_checkpoint_says_what_it_was_made_for(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "run", ALONE)
    run = read_checkpoint("run/ckpt/ckpt_best.pth.tar")["run"]
    assert run["class_names"] == ["ash", "birch", "cedar", "fir"]
    assert (run["num_train_samples"], run["global_batch_size"], run["seed"]) == (40, 8, 5)
    assert run["config"]["policy"]["learn"]["batch_size"] == 8
    assert set(run["preprocessing"]) >= {"image_size", "resize_size", "mean", "std"}


def test_only_the_newest_three_stay_by_default(picture_folder: Path, workdir: Path) -> None:
    run_tiny(
        picture_folder,
        "run",
        ALONE,
        "policy.learn.learner.hook.save_ckpt_after_iter=1",
        "policy.learn.learner.keep_checkpoints=3",
    )
    numbers = sorted(int(each.name[10:-8]) for each in Path("run/ckpt").glob("iteration_*"))
    assert numbers == [8, 9, 10]
    assert Path("run/ckpt/ckpt_best.pth.tar").is_file()


@pytest.mark.parametrize("workers", [0, 2])
def test_no_process_is_left(picture_folder: Path, workdir: Path, workers: int) -> None:
    run_tiny(picture_folder, "run", f"policy.learn.learner.dataloader.num_workers={workers}")
    assert multiprocessing.active_children() == []


def test_no_process_is_left_after_unreadable_data(picture_folder: Path, workdir: Path) -> None:
    (picture_folder / "train" / "fir" / "003.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"003\.png") as caught:
        run_tiny(picture_folder, "run", "policy.learn.learner.dataloader.num_workers=2")
    assert multiprocessing.active_children() == []
    assert "\n" not in str(caught.value)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(picture_folder: Path, workdir: Path) -> None:
    def weights(seed: int, workers: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        network = TinyNet()
        torch.manual_seed(seed + 99)
        overrides = [*SETTINGS, f"policy.learn.learner.dataloader.num_workers={workers}"]
        return train(
            data=picture_folder, model=network, epochs=1, seed=seed, exp_name="r", overrides=overrides
        ).model.state_dict()

    first, second, other = weights(1, 0), weights(1, 2), weights(2, 0)
    assert all(torch.equal(each, second[name]) for name, each in first.items())
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_a_config_file_and_its_overrides(workdir: Path) -> None:
    Path("tiny.py").write_text(
        "exp_name = 'from_file'\n"
        "policy = dict(cuda=False, model=dict(name='squeezenet1_1', num_classes=3),\n"
        "    learn=dict(train_epoch=1, batch_size=2, learner=dict(dataloader=dict(num_workers=0))),\n"
        "    collect=dict(synthetic=True, synthetic_samples=4, synthetic_eval_samples=2, image_size=32,\n"
        "        resize_size=32))\n"
    )
    result = train("tiny.py", overrides=["policy.learn.batch_size=4"], exp_name="named")
    assert result.run_folder == Path("named")
    assert [row["train_iter"] for row in result.history] == [1]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "say what to train on: a config file, --data DIR, or --synthetic"),
        ({"config": "nowhere.py"}, r"nowhere\.py"),
        ({"data": "nowhere"}, "nowhere"),
        ({"synthetic": True, "overrides": ["policy.learn.lr_rate=1"]}, "learning_rate"),
        ({"synthetic": True, "resume": True, "exp_name": "never"}, "there is no run 'never' to resume here"),
    ],
)
def test_what_cannot_be_used_is_one_line(workdir: Path, arguments: dict[str, Any], match: str) -> None:
    with pytest.raises((ConfigError, DataError), match=match) as caught:
        train(**arguments)
    assert "\n" not in str(caught.value).strip()
    assert list(workdir.iterdir()) == []


def test_a_resume_does_not_need_the_file_of_weights_it_began_with(
    picture_folder: Path, workdir: Path
) -> None:
    small = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.learn.batch_size=8"]
    torch.save(build_model("squeezenet1_1", num_classes=1000).state_dict(), "weights.pth")
    arguments: dict[str, Any] = {
        "data": picture_folder,
        "model": "squeezenet1_1",
        "exp_name": "run",
        "overrides": small,
    }
    train(pretrained="weights.pth", epochs=1, **arguments)
    Path("weights.pth").unlink()
    assert train(resume=True, epochs=2, **arguments).history[-1]["epoch"] == 1
