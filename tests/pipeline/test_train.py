"""The one-line run: its result, its files, and what it refuses."""

import json
import math
import multiprocessing
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.cli import main
from ding_cls.config import read_config
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import METRICS, IMetric
from ding_cls.models import build_model
from ding_cls.pipeline import evaluate, print_summary, train
from ding_cls.pipeline.train import resumed_config
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
    data = read_checkpoint("run/ckpt/ckpt_best.pth.tar")["run"]["data"]
    assert [name for name in names if name not in events] == [
        "ckpt/ckpt_best.pth.tar",
        "ckpt/iteration_10.pth.tar",
        "ckpt/iteration_5.pth.tar",
        *(f"data_index/{split}-{data[split]['digest'][:16]}.gz" for split in ("train", "val")),
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


def test_a_run_without_evaluation_needs_no_data_for_it(picture_folder: Path, workdir: Path) -> None:
    (picture_folder / "val").rename(workdir / "away")
    words = ["policy.eval.evaluator.validate=False"]
    overrides = [*SETTINGS, ALONE, *words]
    result = train(data=picture_folder, model=TinyNet(), epochs=1, exp_name="run", overrides=overrides)
    assert (result.best, result.best_epoch, result.final) == ({}, None, {})
    assert result.best_checkpoint == Path("run/ckpt/iteration_5.pth.tar")
    assert [name for name in result.history[0] if name.startswith("val_")] == []
    rows = [json.loads(line)["kind"] for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert set(rows) == {"train", "epoch"}
    print_summary(result)


def test_no_validate_on_the_command_line(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (picture_folder / "val").rename(workdir / "away")
    words = [
        "train",
        "--data",
        str(picture_folder),
        "--model",
        "squeezenet1_1",
        "--epochs",
        "1",
        "--no-validate",
    ]
    sizes = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.learn.batch_size=8"]
    assert main([*words, *sizes, ALONE, "exp_name=run"]) == 0
    assert "Evaluation" not in capsys.readouterr().out


def test_a_run_counted_in_updates_ends_with_its_schedule(picture_folder: Path, workdir: Path) -> None:
    schedule = "policy.learn.lr_schedule={'type': 'CosineAnnealing', 'min_lr': 0.0, 'by_epoch': False}"
    result = run_tiny(picture_folder, "run", ALONE, "policy.learn.max_iters=7", schedule)
    assert [(row["epoch"], row["train_iter"]) for row in result.history] == [(0, 5), (1, 7)]
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    found = [row["cur_lr_avg"] * min(row["train_iter"], 10) for row in rows if row["kind"] == "train"]
    rates = [total - before for total, before in zip(found, [0.0, *found], strict=False)]
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * k / 7)) for k in range(7)])


@pytest.mark.parametrize(("start_epoch", "num_averaged"), [(0, 1), (1, 0)])
def test_an_average_that_begins_behind_the_last_update_is_told(
    picture_folder: Path,
    workdir: Path,
    capsys: pytest.CaptureFixture[str],
    start_epoch: int,
    num_averaged: int,
) -> None:
    average = f"policy.learn.swa={{'start_epoch': {start_epoch}}}"
    run_tiny(picture_folder, "run", ALONE, "policy.learn.max_iters=7", average)
    told = f"policy.learn.swa.start_epoch: the run ends before the end of epoch {start_epoch}"
    assert (told in capsys.readouterr().out) == (not num_averaged)
    state = read_checkpoint("run/ckpt/iteration_7.pth.tar")
    assert state["averaged"]["num_averaged"] == num_averaged


def test_the_policys_summary_may_be_left_out(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for choice, count in (("True", 1), ("False", 0)):
        run_tiny(picture_folder, "run", ALONE, f"policy.learn.learner.log_policy={choice}")
        assert capsys.readouterr().out.count("TinyNet, 276 parameters") == count


def test_a_log_level_hides_lines(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_tiny(picture_folder, "run", ALONE, "policy.learn.learner.log_level=WARNING")
    assert "Epoch: 0" not in capsys.readouterr().out
    assert Path("run/log/metrics.jsonl").stat().st_size > 0


def test_the_training_loss_of_the_evaluation_data(picture_folder: Path, workdir: Path) -> None:
    smoothing = ("policy.learn.label_smoothing=0.3", "policy.eval.evaluator.loss_interval=1")
    result = run_tiny(picture_folder, "run", ALONE, *smoothing)
    with np.load(_predicted(result.best_checkpoint.parent / "iteration_10.pth.tar")) as arrays:
        logits, targets = torch.from_numpy(arrays["logits"]), torch.from_numpy(arrays["targets"])
    expected = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.3).item()
    assert result.history[-1]["val_total_loss"] == pytest.approx(expected, abs=1e-6)
    assert result.history[-1]["val_loss"] != pytest.approx(expected, abs=1e-2)


def _predicted(checkpoint: Path) -> Path:
    evaluate(checkpoint, model=TinyNet(), out="predictions.npz")
    return Path("predictions.npz")


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


def test_a_config_file_and_its_overrides(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.py").write_text(
        "exp_name = 'from_file'\n"
        "policy = dict(cuda=False, model=dict(name='squeezenet1_1', num_classes=3),\n"
        "    learn=dict(train_epoch=1, batch_size=2, learner=dict(dataloader=dict(num_workers=0))),\n"
        "    collect=dict(synthetic=True, synthetic_samples=4, synthetic_eval_samples=2, image_size=32,\n"
        "        resize_size=32))\n"
    )
    scaled = "policy.learn.auto_scale_lr={'enable': True, 'base_batch_size': 2}"
    result = train("tiny.py", overrides=["policy.learn.batch_size=4", scaled], exp_name="named")
    # What a part says through Python's logging is seen.
    assert "learning rate 0.02: 0.01 by auto_scale_lr, for a global batch of 4" in capsys.readouterr().out
    assert result.run_folder == Path("named")
    assert [row["train_iter"] for row in result.history] == [1]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "say what to train on: a config file, --data DIR or --synthetic"),
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


@pytest.mark.slow
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


def test_another_metric_fills_rows_results_and_the_choice_of_the_best(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = "policy.eval.metric={'type': 't_worst_guess', 'offset': 2}"
    result = run_tiny(picture_folder, "run", ALONE, setting)
    print_summary(result)
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    judged = [row for row in rows if row["kind"] == "eval"]
    assert [list(row) for row in judged] == 3 * [["kind", "train_iter", "share", "class", "counts"]]
    assert all(row["share"] > 2 for row in judged)
    assert [row["val_share"] for row in result.history] == [row["share"] for row in judged[1:]]
    assert result.final == {name: judged[-1][name] for name in ("share", "class", "counts")}
    # Its own gt prefers the larger share.
    assert result.best["share"] == max(row["share"] for row in judged)
    printed = capsys.readouterr().out
    header, *lines = printed[printed.index("epoch  train loss") :].splitlines()
    assert header.split("  ")[3:5] == ["val share", "val class"]
    last = next(line for line in lines if line.startswith("    1  "))
    assert last.split()[3:5] == [f"{result.final['share']:.4f}", str(result.final["class"])]
    line = f"share: {judged[0]['share']:.4f}\tclass: {judged[0]['class']}\tin log/metrics.jsonl: counts"
    assert line in Path("run/log/evaluator/evaluator.txt").read_text()
    assert re.search(rf"│ final +│ {result.final['share']:.4f} │ {result.final['class']} +│", printed)
    judged_again = evaluate(result.best_checkpoint, model=TinyNet())
    assert judged_again == {**result.best, "num_samples": 20}


def test_a_result_that_is_no_number_is_printed_by_eval(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [*TINY_PICTURES, ALONE, "policy.eval.metric={'type': 't_worst_guess', 'offset': 2}"]
    result = train(data=picture_folder, model="squeezenet1_1", epochs=0, exp_name="run", overrides=small)
    capsys.readouterr()
    assert main(["eval", "run", "--out", "results.json"]) == 0
    share, name, counts = (result.best[each] for each in ("share", "class", "counts"))
    printed = capsys.readouterr().out
    assert re.search(
        rf"^share +{share:.4f} *\nclass +{name} *\nas lists, in --out FILE.json: counts$", printed, re.M
    )
    found = json.loads(Path("results.json").read_text())["results"]
    assert found == {"share": share, "class": name, "counts": counts}


@METRICS.register_module("t_worst_guess")
class WorstGuess(IMetric):
    """A user's metric: how many guesses fall on the most frequent class; the more, the better."""

    def __init__(self, offset: float) -> None:
        self.offset = offset

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
        return {"counts": inputs.argmax(1).bincount(minlength=4)}

    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        counts = sum(each["counts"] for each in inputs)
        share = self.offset + (counts.max() / counts.sum()).item()
        return {"share": share, "class": "abcd"[int(counts.argmax())], "counts": counts}

    def gt(self, metric1: dict[str, Any], metric2: dict[str, Any] | None) -> bool:
        return metric2 is None or metric1["share"] > metric2["share"]


def test_an_unknown_metric_is_one_line_and_costs_no_folder(picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(
        ConfigError, match="there is no metric named 't_worst_gess'; did you mean t_worst_guess"
    ):
        run_tiny(picture_folder, "run", ALONE, "policy.eval.metric={'type': 't_worst_gess'}")
    with pytest.raises(
        ConfigError, match=r"custom_hooks\.0: there is no hook named 'save_cktp'; did you mean save_ckpt"
    ):
        run_tiny(picture_folder, "run", ALONE, "policy.learn.learner.custom_hooks=[{'type': 'save_cktp'}]")
    assert list(workdir.iterdir()) == []


SECOND_SPELLING = """
model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=4, in_channels=512))
data = dict(samples_per_gpu=8, workers_per_gpu=0)
optimizer = dict(type='SGD', lr=0.05, momentum=0.9)
runner = dict(type='EpochBasedRunner', max_epochs=3)
checkpoint_config = dict(interval=1)
log_config = dict(interval=2)
work_dir = 'from_file'
"""
TINY_PICTURES = ("policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.cuda=False")


def test_the_second_spelling_trains_with_the_arguments_of_ours(picture_folder: Path, workdir: Path) -> None:
    Path("mm.py").write_text(SECOND_SPELLING)
    # A network's name replaces the one that is put together; the file's words are set before ours.
    words = (*TINY_PICTURES, "data.samples_per_gpu=20", "optimizer.lr=0.25")
    result = train("mm.py", data=picture_folder, model="squeezenet1_1", epochs=1, overrides=words)
    assert result.run_folder == Path("from_file")
    assert [(row["epoch"], row["train_iter"], row["lr"]) for row in result.history] == [(0, 2, 0.25)]
    saved = read_config("from_file/total_config.py").policy
    assert (saved.learn.batch_size, saved.eval.batch_size, saved.learn.learner.log_show_freq) == (20, 20, 2)
    assert saved.model == {"name": "squeezenet1_1", "num_classes": None, "pretrained": False}
    assert saved.collect.learn_data_path == str(picture_folder / "train")


@pytest.mark.slow
def test_a_network_that_is_put_together_trains_and_is_judged(picture_folder: Path, workdir: Path) -> None:
    Path("mm.py").write_text(SECOND_SPELLING)
    result = train("mm.py", data=picture_folder, epochs=1, exp_name="named", overrides=TINY_PICTURES)
    assert result.run_folder == Path("named")
    assert type(result.model).__name__ == "ImageClassifier"
    judged = evaluate(result.best_checkpoint)
    assert {name: judged[name] for name in result.best} == result.best


def test_what_is_wrong_in_either_spelling_is_told_together(workdir: Path) -> None:
    Path("mm.py").write_text(SECOND_SPELLING + "optimizer_config = dict(update_interval=2)\n")
    with pytest.raises(ConfigError) as caught:
        train("mm.py", synthetic=True, overrides=["policy.learn.lr_rate=1", "policy.learn.batch_size=0"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for start in ("optimizer_config.update", "policy.learn.lr_rate", "policy.learn.batch_size"):
        assert any(line.startswith(start) for line in lines), lines
    assert sorted(each.name for each in workdir.iterdir()) == ["mm.py"]


@pytest.mark.parametrize("word", ["exp_name=begun", " exp_name = begun"])
def test_a_resume_finds_its_config_by_the_name_of_the_folder(
    picture_folder: Path, workdir: Path, word: str
) -> None:
    small = [*TINY_PICTURES, ALONE, "policy.learn.batch_size=20"]
    train(
        data=picture_folder, model="squeezenet1_1", epochs=1, exp_name="begun", overrides=[*small, "seed=3"]
    )
    again = train(data=picture_folder, model="squeezenet1_1", epochs=2, resume=True, overrides=[word])
    assert again.run_folder == Path("begun")
    assert [(row["epoch"], row["train_iter"]) for row in again.history] == [(0, 2), (1, 4)]
    assert read_config("begun/total_config.py").seed == 3
    assert resumed_config({"work_dir": "begun"}, ())["seed"] == 3
    assert resumed_config({"exp_name": "elsewhere"}, (word,))["exp_name"] == "begun"
    assert resumed_config({"exp_name": "elsewhere"}, ()) == {"exp_name": "elsewhere"}


def test_the_recipes_warm_up_gives_way_to_a_schedule_by_name(picture_folder: Path, workdir: Path) -> None:
    schedule = "policy.learn.lr_schedule={'type': 'Step', 'step': [1], 'gamma': 0.5}"
    result = run_tiny(picture_folder, "run", ALONE, schedule)
    assert [row["lr"] for row in result.history] == [0.1, 0.05]
    with pytest.raises(ConfigError, match=r"policy\.learn\.warmup_epoch .* contradict each other"):
        run_tiny(picture_folder, "other", ALONE, schedule, "policy.learn.warmup_epoch=1")


def test_a_config_with_code_of_its_own_needs_leave(picture_folder: Path, workdir: Path) -> None:
    folder = workdir / "configs"
    folder.mkdir()
    (folder / "t_own_parts.py").write_text(
        "from ding_cls.worker import HOOKS, Hook\n"
        "HOOKS.register('t_own_hook')(type('OwnHook', (Hook,), {'before_run': lambda self, engine: "
        "engine.logger.info('it runs')}))\n"
    )
    (folder / "own.py").write_text(
        SECOND_SPELLING
        + "custom_imports = dict(imports=['t_own_parts'])\ncustom_hooks = [dict(type='t_own_hook')]\n"
    )
    with pytest.raises(ConfigError, match="custom_imports wants to import t_own_parts"):
        train("configs/own.py", data=picture_folder, model="squeezenet1_1", epochs=0, overrides=TINY_PICTURES)
    assert not Path("from_file").exists()
    result = train(
        "configs/own.py",
        data=picture_folder,
        model="squeezenet1_1",
        epochs=0,
        overrides=TINY_PICTURES,
        allow_code=True,
    )
    assert result.needs_code
    assert "it runs" in Path("from_file/log/learner/learner.txt").read_text()


def test_training_tells_of_known_traps_and_of_none_where_there_are_none(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["policy.cuda=False", *SETTINGS]
    train(data=picture_folder, model=TinyNet(), epochs=2, exp_name="fine", overrides=first)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("policy.")] == []
    traps = [
        "policy.learn.warmup_epoch=2",
        "policy.learn.freeze={patterns: [stem], until_epoch: 9}",
        "policy.eval.evaluator.stop_value=0.9",
    ]
    train(data=picture_folder, model=TinyNet(), epochs=2, exp_name="traps", overrides=[*first, *traps])
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("policy.")]
    assert told == [
        "policy.learn.warmup_epoch: warm-up takes 2 epochs and the run has 2: it ends before the rate is "
        "reached; shorten it to a tenth of the run, or train longer",
        "policy.learn.freeze.until_epoch: layers stay frozen for 9 epochs and the run has 2: they never train"
        "; set it lower, or train longer (None freezes for good)",
        "policy.eval.evaluator.stop_value: accuracies are percentages: 0.9 is reached by 0.9 % and stops the "
        "run early; for 90 % set policy.eval.evaluator.stop_value=90",
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in fp16")
def test_fp16_on_a_cpu_is_refused_unless_the_cpu_is_asked_for(picture_folder: Path, workdir: Path) -> None:
    half = [*SETTINGS, "policy.learn.precision=fp16"]
    with pytest.raises(ConfigError) as error:
        train(data=picture_folder, model=TinyNet(), epochs=1, exp_name="half", overrides=half)
    assert str(error.value) == (
        "policy.learn.precision is 'fp16', and there is no GPU here: on a CPU it is ten times slower than "
        "fp32; use policy.learn.precision=bf16 or fp32, or force it with policy.cuda=False"
    )
    assert not Path("half").exists()
    for allowed in (["policy.cuda=False"], ["policy.learn.precision=bf16"]):
        train(data=picture_folder, model=TinyNet(), epochs=1, overrides=[*half, *allowed])
