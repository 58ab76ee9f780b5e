"""Load, save, log, reduce: files and lines, exactly."""

import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from torch.utils._python_dispatch import TorchDispatchMode

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.hooks.builtin import (
    ImageClsLogShowHook,
    LoadCkptHook,
    LogReduceHook,
    LogRowHook,
    LogShowHook,
    SaveCkptHook,
)
from ding_cls.worker.learner.hooks.log_rows import clock
from tests.worker.learner.parts import QUIET, Counting, Loader, Note, learner
from tests.worker.tables import scripted

pytestmark = pytest.mark.usefixtures("workdir")
BATCH = [torch.zeros(4, 1), torch.tensor([3, 1, 2, 0])]


def events(folder: str) -> list[Event]:
    """Return the events of a folder's only file: records of length, CRC, bytes, CRC."""
    (file,) = Path(folder).glob("events.out.tfevents.*")
    content, found, position = file.read_bytes(), [], 0
    while position < len(content):
        (length,) = struct.unpack_from("<Q", content, position)
        found.append(Event.FromString(content[position + 12 : position + 12 + length]))
        position += 16 + length
    assert position == len(content)
    return found


def scalars(folder: str) -> list[tuple[int, dict[str, float]]]:
    return [
        (each.step, {value.tag: value.simple_value for value in each.summary.value})
        for each in events(folder)
        if each.summary.value and each.summary.value[0].WhichOneof("value") == "simple_value"
    ]


# Log lines


LABELS = ["Epoch", "Loss", "Data Time", "Forward Time", "Backward Time", "GradSync Time", "LR"]


def test_a_line_starts_with_the_known_labels_in_the_known_order(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner(
        hook={"save_ckpt_after_run": False, "save_ckpt_after_iter": False, "log_show_after_iter": 2}
    )
    engine.start(Loader(3), max_epochs=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Epoch: ")]
    assert [line.split("\t")[0] for line in lines] == [
        "Epoch: 0 [   1/3]",
        "Epoch: 1 [   0/3]",
        "Epoch: 1 [   2/3]",
    ]
    # Averages over the last ten updates: 1.5 over two, 2.5 over four, 3.5 over six.
    assert [line.split("\t")[1] for line in lines] == ["Loss: 1.5000", "Loss: 2.5000", "Loss: 3.5000"]
    for line in lines:
        fields = line.split("\t")
        names = [each.partition(":")[0] for each in fields]
        assert names == [*LABELS, "Acc1", "Images/s", "ETA"]
        assert re.fullmatch(r"Data Time: \d+\.\d{3}", fields[2])
        assert fields[6] == "LR: 5.000e-01"
        assert fields[7] == "Acc1: 50.00"
        assert re.fullmatch(r"Images/s: \d+", fields[8])
        assert re.fullmatch(r"ETA: \d+:\d\d:\d\d", fields[9])
    assert lines[-1].endswith("ETA: 0:00:00")


def test_a_loop_of_ones_own_has_the_labels_without_eta(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner()
    engine.register_hook(ImageClsLogShowHook("show", 0, "after_iter", 1))
    engine.epoch_info, engine.data_time = (3, 7, 12345), 0.25
    engine.train(BATCH)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Epoch")]
    names = [each.partition(":")[0] for each in line.split("\t")]
    assert names == [*LABELS, "Acc1", "Images/s"]
    assert line.startswith("Epoch: 3 [   7/12345]\tLoss: 1.0000\tData Time: 0.250\tForward Time: 0.000")


def test_one_event_and_one_row_a_line_with_the_known_tags() -> None:
    engine, _ = learner(
        hook={"save_ckpt_after_run": False, "save_ckpt_after_iter": False, "log_show_after_iter": 2}
    )
    engine.start(Loader(5), max_epochs=1)
    engine.close()
    found = scalars("run/log/learner")
    assert [step for step, _ in found] == [2, 4, 0]
    assert found.pop() == (0, {"epoch/lr": 0.5, "epoch/train_loss": 3.0, "epoch/train_acc1": 50.0})
    tags = ["total_loss_avg", "cur_lr_avg", "acc1_avg", "data_time_val", "epoch_val"]
    assert all(list(values) == [f"learner/{tag}" for tag in tags] for _, values in found)
    assert [values["learner/total_loss_avg"] for _, values in found] == [1.5, 2.5]
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert [(row["kind"], row["train_iter"]) for row in rows] == [("train", 2), ("train", 4), ("epoch", 5)]
    assert list(rows[0]) == ["kind", "train_iter", "epoch", *tags, "images_per_s"]
    assert [row["total_loss_avg"] for row in rows[:2]] == [1.5, 2.5]
    assert (rows[2]["train_loss"], rows[2]["lr"], rows[2]["train_acc1"]) == (3.0, 0.5, 50.0)


def test_the_window_is_ten_updates_long() -> None:
    engine, _ = learner()
    engine.register_hook(LogShowHook("show", position="after_iter", ext_args={"freq": 25}))
    for _ in range(25):
        engine.train(BATCH)
    (row,) = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert row["total_loss_avg"] == sum(range(16, 26)) / 10


def test_a_users_writer_and_name_are_used() -> None:
    writer = SummaryWriter("elsewhere")
    engine = BaseLearner(
        {"hook": {"log_show_after_iter": 1}}, Counting().mode, writer, exp_name="run", instance_name="me"
    )
    engine.train(BATCH)
    engine.close()
    writer.close()
    ((step, values),) = scalars("elsewhere")
    assert step == 1
    assert values["me/total_loss_avg"] == 1.0
    assert list(Path("run/log").rglob("*tfevents*")) == []
    assert Path("run/log/me/me.txt").exists()


class Histogram(Note):
    def __call__(self, engine: BaseLearner) -> None:
        engine.log_buffer["histogram"]["weights"] = torch.arange(10.0)


def test_histograms_are_written_at_a_line_and_the_buffer_cleared() -> None:
    engine, _ = learner()
    engine.register_hook(Histogram([], "h", 0, position="after_iter"))
    engine.register_hook(LogShowHook("show", position="after_iter", ext_args={"freq": 2}))
    for _ in range(4):
        engine.train(BATCH)
        assert all(not each for each in engine.log_buffer.values())
    engine.close()
    histograms = [
        (each.step, value.tag)
        for each in events("run/log/learner")
        for value in each.summary.value
        if value.WhichOneof("value") == "histo"
    ]
    assert histograms == [(2, "learner/weights"), (4, "learner/weights")]
    assert len(scalars("run/log/learner")) == 2


def test_two_log_hooks_count_an_update_once() -> None:
    engine, _ = learner()
    for name in ("one", "two"):
        engine.register_hook(LogShowHook(name, position="after_iter"))
    for _ in range(3):
        engine.train(BATCH)
    assert engine.monitor.time.value == 3
    rows = Path("run/log/metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["total_loss_avg"] for row in rows] == [1.0, 1.5, 2.0]


class Reads(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_between_two_lines_no_tensor_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = learner()
    engine.register_hook(LogReduceHook("reduce", 10))
    engine.register_hook(LogShowHook("show", position="after_iter", ext_args={"freq": 5}))
    engine.train(BATCH)  # the first batch's targets are looked at once
    read: list[str] = []
    for name in ("tolist", "numpy", "cpu"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda self, *a, name=name, f=original: (read.append(name), f(self, *a))[1]
        )
    with Reads() as host:
        for _ in range(3):
            engine.train(BATCH)
        assert (host.count, read) == (0, [])
        engine.train(BATCH)
        assert host.count + len(read) > 0, "a line reads"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (59.4, "0:00:59"), (59.6, "0:01:00"), (3661, "1:01:01"), (90000, "25:00:00")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# Rows of 80 columns


class Falling(Counting):
    """Each update has a smaller rate, and a loss of its own for each batch."""

    def forward(self, data: Any, **kwargs: Any) -> dict[str, Any]:
        outputs = super().forward(data, **kwargs)
        return {**outputs, "cur_lr": 0.5 / self.count, "acc1": torch.tensor(10.0 * self.count)}


def rows_of(text: str) -> list[str]:
    return [re.sub(r"\d+ img/s", "N img/s", line) for line in text.splitlines() if line.startswith("Epoch")]


def test_a_row_has_means_since_the_row_before_and_the_last_rate(capsys: pytest.CaptureFixture[str]) -> None:
    engine = BaseLearner(QUIET, Falling().mode, exp_name="run")
    engine.register_hook(LogRowHook("log_show", 15, freq=2))
    engine.start(Loader(3), max_epochs=2)
    assert rows_of(capsys.readouterr().out) == [
        "Epoch 0 2/3  loss 1.500  acc1 15.0  lr 2.5e-01  N img/s  eta 0:00",
        "Epoch 1 1/3  loss 3.500  acc1 35.0  lr 1.2e-01  N img/s  eta 0:00",
        "Epoch 1 3/3  loss 5.500  acc1 55.0  lr 8.3e-02  N img/s  eta 0:00",
    ]
    # The rows of metrics.jsonl keep their means over ten updates.
    lines = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert [line["total_loss_avg"] for line in lines if line["kind"] == "train"] == [1.5, 2.5, 3.5]


def test_a_smaller_batch_counts_by_its_images(capsys: pytest.CaptureFixture[str]) -> None:
    engine = BaseLearner(QUIET, Counting().mode, exp_name="run")
    engine.register_hook(LogRowHook("log_show", freq=2))
    engine.epoch_info = (0, 1, 2)
    for size in (3, 1):
        engine.train([torch.zeros(size, 1), torch.zeros(size)])
    # (1 * 3 + 2 * 1) / 4; a loop of one's own has no end that is known.
    assert rows_of(capsys.readouterr().out) == ["Epoch 0 2/2  loss 1.250  acc1 50.0  lr 5.0e-01  N img/s"]


def test_after_a_resume_a_row_counts_from_there(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner()
    engine.start(Loader(3), max_epochs=1)
    engine.save_checkpoint("mine.pth.tar")
    capsys.readouterr()
    again, _ = learner()
    again.load_checkpoint("run/ckpt/mine.pth.tar")
    again.register_hook(LogRowHook("log_show", 15, freq=2))
    again.start(Loader(3), max_epochs=2)
    assert rows_of(capsys.readouterr().out) == [
        "Epoch 1 1/3  loss 4.000  acc1 50.0  lr 5.0e-01  N img/s  eta 0:00",
        "Epoch 1 3/3  loss 5.500  acc1 50.0  lr 5.0e-01  N img/s  eta 0:00",
    ]


def test_images_a_second_leave_evaluations_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    for module in ("base_learner", "loop.evaluation", "batches", "state.history", "hooks.builtin"):
        monkeypatch.setattr(f"ding_cls.worker.learner.{module}.time.perf_counter", lambda: now[0])
    policy = Counting()
    evaluator = scripted([1.0] * 9, save_best="score", rule="greater", eval_freq=1)[0]
    evaluate = evaluator.eval

    def slow_forward(data: Any, **kwargs: Any) -> Any:
        now[0] += 2.0
        return policy.forward(data, **kwargs)

    def slow_eval(*args: Any) -> Any:
        now[0] += 100.0
        return evaluate(*args)

    evaluator.eval = slow_eval  # type: ignore[method-assign]
    engine = BaseLearner(QUIET, replace(policy.mode, forward=slow_forward), exp_name="run")
    engine.register_hook(LogRowHook("log_show", freq=1))
    engine.start(Loader(2), max_epochs=2, evaluator=evaluator)
    lines = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert [line["images_per_s"] for line in lines if line["kind"] == "train"] == [2.0] * 4


# Save and load


def test_a_file_is_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner(
        hook={"save_ckpt_after_iter": 2, "save_ckpt_after_epoch": 1, "save_ckpt_after_run": True}
    )
    best, _ = scripted([1.0, 2.0, 3.0], save_best="score", rule="greater", eval_freq=1)
    engine.start(Loader(2), max_epochs=2, evaluator=best)
    engine.save_checkpoint("mine.pth.tar")
    saved = [line for line in capsys.readouterr().out.splitlines() if "saved" in line]
    assert saved == [f"saved run/ckpt/{name}.pth.tar" for name in ("iteration_2", "iteration_4", "mine")]
    assert Path("run/ckpt/ckpt_best.pth.tar").is_file()


@pytest.mark.parametrize(
    ("key", "freq", "files"),
    [
        ("save_ckpt_after_iter", 2, [2, 4, 6]),
        ("save_ckpt_after_iter", 5, [5]),
        ("save_ckpt_after_epoch", 1, [3, 6]),
        ("save_ckpt_after_epoch", 2, [6]),
        ("save_ckpt_after_run", 1, [6]),
        ("save_ckpt_after_run", True, [6]),
        ("save_ckpt_before_run", 1, [0]),
        ("save_ckpt_after_iter", False, []),
        ("save_ckpt_after_iter", 1e9, []),
        ("save_ckpt_after_iter", None, []),
    ],
)
def test_files_come_at_their_interval(key: str, freq: Any, files: list[int]) -> None:
    off = {"save_ckpt_after_iter": False, "save_ckpt_after_run": False}
    engine, _ = learner(hook={**off, key: freq}, keep_checkpoints=0)
    engine.start(Loader(3), max_epochs=2)
    found = sorted(int(each.name[10:-8]) for each in Path("run").glob("ckpt/iteration_*"))
    assert found == files
    assert all(read_checkpoint(f"run/ckpt/iteration_{n}.pth.tar")["count"] == n for n in files)


def test_a_run_begins_where_its_load_hook_says() -> None:
    engine, _ = learner()
    engine.start(Loader(3), max_epochs=1)
    engine.save_checkpoint("mine.pth.tar")
    hook = {"load_ckpt_before_run": "run/ckpt/mine.pth.tar"}
    other, policy = learner("other", hook={"save_ckpt_after_run": False, **hook})
    other.start(Loader(3), max_epochs=2)
    assert policy.count == other.train_iter == 6
    assert len(policy.seen) == 3


def test_a_file_that_is_not_there_is_an_error() -> None:
    engine, _ = learner(hook={"load_ckpt_before_run": "nowhere.pth.tar"})
    with pytest.raises(CheckpointError, match=r"there is no checkpoint 'nowhere\.pth\.tar'"):
        engine.call_hook("before_run")


def test_an_empty_path_loads_nothing() -> None:
    engine, _ = learner()
    engine.register_hook(LoadCkptHook("load", ext_args={"load_path": ""}))
    engine.call_hook("before_run")
    assert engine.train_iter == 0


# Reduce


def test_alone_a_reduction_keeps_every_value_and_drops_the_prefix() -> None:
    engine, _ = learner()
    loss = torch.tensor(2.0)
    engine.log_buffer["scalar"].update({"loss": loss, "noreduce_own": 5.0, "text": "x"})
    LogReduceHook("reduce")(engine)
    assert engine.log_buffer["scalar"] == {"loss": loss, "text": "x", "own": 5.0}


# Arguments


@pytest.mark.parametrize("hook_type", [SaveCkptHook, LogShowHook, LogReduceHook])
@pytest.mark.parametrize("freq", [0, -1, 1.5, "often", True, float("inf"), float("nan"), None])
def test_an_interval_is_a_whole_number_from_1_on(hook_type: Any, freq: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"hook 'mine' has freq=.*; it is a whole number of updates from 1 on"
    ):
        hook_type("mine", position="after_iter", ext_args={"freq": freq})


@pytest.mark.parametrize("hook_type", [SaveCkptHook, LogShowHook, LogReduceHook, LoadCkptHook])
@pytest.mark.parametrize("ext_args", [{"frequency": 3}, 5, "freq"])
def test_unknown_arguments_are_an_error(hook_type: Any, ext_args: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"hook 'mine' got ext_args=.*; it takes a dict of: (freq|load_path)"
    ):
        hook_type("mine", position="after_iter", ext_args=ext_args)


def test_a_float_interval_that_is_whole_is_taken() -> None:
    assert SaveCkptHook("s", ext_args={"freq": 1e3})._freq == 1000
