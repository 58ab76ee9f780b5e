"""Whole runs on two and three real processes: the same samples, the same weights, one end."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from ding_cls.checkpoint import read_checkpoint
from ding_cls.distributed import dist_init, get_rank
from ding_cls.errors import RankLostError, RunStopped
from ding_cls.pipeline import train
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet, write_pictures
from tests.distributed.ranks import free_port, run_ranks
from tests.harness import SETTINGS, assert_same
from tests.harness import _without_clocks as without_clocks

WORLDS = pytest.mark.parametrize("world_size", [2, 3])
# 40 pictures in global batches of 12 at most, which makes 10: four updates an epoch, eight in all. Three
# ranks get 4, 3 and 3 of each.
GLOBAL_BATCH, UPDATES = 12, 8


class Normless(nn.Module):
    """Nothing couples its samples, nothing is random: a batch may be shared out at will."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.hidden = nn.Linear(8, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.hidden(torch.relu(self.stem(images)).mean((2, 3)))))


class Run(NamedTuple):
    """One run of all ranks."""

    exp_name: str
    settings: tuple[str, ...] = ()
    kind: type[nn.Module] = TinyNet
    resume: bool = False


class SignalAt(LearnerHook):
    """Sends SIGTERM to its own process, on one rank, after one update."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._rank = ext_args["at"], ext_args["rank"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == self._at and engine.rank == self._rank:
            os.kill(os.getpid(), signal.SIGTERM)


register_learner_hook("signal_at", SignalAt)


def rank_run(
    folder: Path,
    exp_name: str,
    kind: type[nn.Module],
    world_size: int,
    settings: tuple[str, ...],
    resume: bool,
) -> dict[str, Any]:
    """Train in this process as one rank of a run; return what it saw and came to."""
    os.chdir(folder)
    ids: list[list[int]] = []
    original = BaseLearner.train

    def recording(self: BaseLearner, data: Batch, *args: Any, **kwargs: Any) -> None:
        ids.append(data.sample_ids.tolist())
        original(self, data, *args, **kwargs)

    BaseLearner.train = recording  # type: ignore[method-assign]
    rank = get_rank()
    torch.manual_seed(rank)  # rank 0's weights count
    network = kind()
    try:
        result = train(
            data=folder / "pictures",
            model=network,
            epochs=2,
            seed=5,
            exp_name=exp_name,
            resume=resume,
            overrides=[
                *SETTINGS,
                "policy.cuda=False",
                f"policy.learn.batch_size={GLOBAL_BATCH // world_size}",
                "policy.learn.learner.dataloader.num_workers=0",
                *settings,
            ],
        )
    except RunStopped as stop:
        return {"ids": ids, "code": stop.code, "message": stop.message, "rank": rank}
    finally:
        BaseLearner.train = original  # type: ignore[method-assign]
    return {
        "ids": ids,
        "code": 0,
        "rank": rank,
        "weights": {name: each.numpy().copy() for name, each in result.model.state_dict().items()},
        "history": result.history,
    }


def rank_runs(folder: Path, runs: list[tuple[Any, ...]], ports: list[int]) -> list[dict[str, Any]]:
    """Train one run after the other in this process, each with a process group of its own."""
    found = []
    for port, arguments in zip(ports, runs, strict=True):
        if found:
            os.environ["MASTER_PORT"] = str(port)
            dist_init("gloo", timeout=60)
        found.append(rank_run(folder, *arguments))
    return found


def run_all(folder: Path, world_size: int, *runs: Run) -> list[list[dict[str, Any]]]:
    """Return, for each run, what every rank came to."""
    arguments = [(each.exp_name, each.kind, world_size, each.settings, each.resume) for each in runs]
    ranks = run_ranks(rank_runs, world_size, folder, arguments, [free_port() for _ in runs])
    return [list(each) for each in zip(*ranks, strict=True)]


# A resumed run begins with the config it was started with, the signal included.
NO_SIGNAL = "policy.learn.learner.hook.signal=False"


def signal_at(update: int, rank: int) -> str:
    hook = {"type": "signal_at", "position": "after_iter", "priority": 99}
    return f"policy.learn.learner.hook.signal={hook | {'ext_args': {'at': update, 'rank': rank}}}"


def outcome(folder: Path, exp_name: str) -> dict[str, Any]:
    ckpt = folder / exp_name / "ckpt"
    lines = (folder / exp_name / "log" / "metrics.jsonl").read_text().splitlines()
    return {
        "last": without_clocks(read_checkpoint(ckpt / f"iteration_{UPDATES}.pth.tar")),
        "best": without_clocks(read_checkpoint(ckpt / "ckpt_best.pth.tar")),
        "rows": without_clocks([json.loads(line) for line in lines]),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    classes = ("ash", "birch", "cedar", "fir")
    write_pictures(tmp_path / "pictures" / "train", classes=classes, per_class=10)
    write_pictures(tmp_path / "pictures" / "val", classes=classes, per_class=5)
    return tmp_path


@pytest.mark.dist
@pytest.mark.slow
@WORLDS
def test_all_ranks_end_with_the_same_bits_and_one_writes(folder: Path, world_size: int) -> None:
    (ranks,) = run_all(folder, world_size, Run("run"))
    assert [each["rank"] for each in ranks] == list(range(world_size))
    saved = read_checkpoint(folder / "run" / "ckpt" / f"iteration_{UPDATES}.pth.tar")
    for each in ranks:
        assert each["weights"].keys() == saved["model"].keys()
        for name, weight in each["weights"].items():
            assert torch.equal(torch.from_numpy(weight), saved["model"][name]), name
        assert without_clocks(each["history"]) == without_clocks(ranks[0]["history"])
    assert saved["environment"]["world_size"] == world_size
    assert saved["run"]["global_batch_size"] == GLOBAL_BATCH

    assert sorted(each.name for each in folder.iterdir()) == ["pictures", "run"]
    (serial,) = (folder / "run" / "log" / "serial").iterdir()
    assert serial.name.startswith("events.out.tfevents")
    text = (folder / "run" / "log" / "learner" / "learner.txt").read_text()
    assert text.count("Epoch 0 1/4") == 1
    rows = [json.loads(line) for line in (folder / "run" / "log" / "metrics.jsonl").read_text().splitlines()]
    assert [row["train_iter"] for row in rows if row["kind"] == "train"] == list(range(1, UPDATES + 1))
    assert [row["train_iter"] for row in rows if row["kind"] == "epoch"] == [4, 8]


@pytest.mark.dist
@pytest.mark.slow
def test_a_global_batch_is_the_same_at_every_world_size(folder: Path) -> None:
    ((alone,),) = run_all(folder, 1, Run("alone", kind=Normless))
    assert len(alone["ids"]) == UPDATES
    for world_size in (2, 3):
        name = f"world_{world_size}"
        (ranks,) = run_all(folder, world_size, Run(name, kind=Normless))
        together = [[i for each in ranks for i in each["ids"][step]] for step in range(UPDATES)]
        assert together == alone["ids"]
        for key, expected in alone["weights"].items():
            found = torch.from_numpy(ranks[0]["weights"][key])
            assert (found - torch.from_numpy(expected)).abs().max().item() <= 1e-5, key
        for found_row, row in zip(ranks[0]["history"], alone["history"], strict=True):
            assert found_row["train_loss"] == pytest.approx(row["train_loss"], abs=1e-5)
            assert found_row["train_acc1"] == pytest.approx(row["train_acc1"], abs=1e-4)
            assert found_row["val_loss"] == pytest.approx(row["val_loss"], abs=1e-5)
            assert found_row["val_acc1"] == row["val_acc1"]
        # Each log line shows the mean over the ranks too.
        shown = [outcome(folder, each)["rows"] for each in (name, "alone")]
        losses = [[row["total_loss_avg"] for row in rows if row["kind"] == "train"] for rows in shown]
        assert len(losses[0]) == UPDATES
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def assert_stops_and_resumes(folder: Path, world_size: int, option: tuple[str, ...], *stops: Any) -> None:
    """Compare runs that one rank's SIGTERM stopped, and that were resumed, with one that nothing stopped.

    Args:
        stops: (the update during which the signal comes, the rank that gets it).
    """
    runs = [Run("whole", option)]
    for update, rank in stops:
        name = f"stopped_{update}"
        runs += [Run(name, (*option, signal_at(update, rank))), Run(name, (*option, NO_SIGNAL), resume=True)]
    _, *found = run_all(folder, world_size, *runs)
    # Evaluation switches the network to eval mode inside its wrapper; each update has switched it back.
    last = outcome(folder, "whole")["last"]
    # An average that is judged has counts of its own.
    batches_seen = last.get("training_model", last["model"])["norm.num_batches_tracked"].item()
    assert batches_seen % UPDATES == 0
    assert batches_seen > 0
    assert len(found) == 2 * len(stops)
    for (update, rank), stopped, resumed in zip(stops, found[::2], found[1::2], strict=True):
        # The vote is one step late, and that step is the same for all.
        stop = update + 1
        assert [each["code"] for each in stopped] == [75] * world_size
        assert [len(each["ids"]) for each in stopped] == [stop] * world_size
        assert [each["message"].partition(" ")[0] for each in stopped] == ["stopped"] * world_size
        assert all("go on from" in each["message"] for each in stopped)
        assert f"after {stop} updates" in stopped[0]["message"]
        assert "SIGTERM" in stopped[rank]["message"]
        assert "another rank" in stopped[rank - 1]["message"]
        assert [len(each["ids"]) for each in resumed] == [UPDATES - stop] * world_size
        where = f"rank {rank} signalled at update {update}"
        assert_same(outcome(folder, f"stopped_{update}"), outcome(folder, "whole"), where=where)


@pytest.mark.dist
@pytest.mark.slow
def test_one_signal_stops_three_ranks_and_a_resume_is_bit_equal(folder: Path) -> None:
    assert_stops_and_resumes(folder, 3, (), (1, 2))


@pytest.mark.dist
@pytest.mark.slow
@WORLDS
@pytest.mark.parametrize("option", ["", "policy.learn.accumulation_steps=2", "policy.learn.precision=fp16"])
def test_every_stop_at_several_ranks_is_bit_equal(folder: Path, world_size: int, option: str) -> None:
    settings = (option,) if option else ()
    assert_stops_and_resumes(folder, world_size, settings, (1, 0), (2, 1), (3, 1), (4, 0), (5, 1))


@pytest.mark.dist
@pytest.mark.slow
@WORLDS
def test_layers_freed_in_mid_run_are_reduced_and_resume_bit_equal(folder: Path, world_size: int) -> None:
    freeze = "policy.learn.freeze={'patterns': ['stem'], 'until_epoch': 1}"
    assert_stops_and_resumes(folder, world_size, (freeze,), (1, 0), (2, 1), (3, 1), (4, 0))
    (ranks,) = run_all(folder, world_size, Run("ranks", (freeze,)))
    (frozen,) = run_all(folder, world_size, Run("frozen", (freeze.replace("1}", "2}"),)))
    for name in ("stem.weight", "head.weight"):
        weights = [each["weights"][name] for each in ranks]
        assert all((each == weights[0]).all() for each in weights)
    assert not (ranks[0]["weights"]["stem.weight"] == frozen[0]["weights"]["stem.weight"]).all()


_JUDGE = "policy.eval.evaluator"
_INSIDE = (f"{_JUDGE}.eval_interval=2", f"{_JUDGE}.by_epoch=False", f"{_JUDGE}.loss_interval=1")


@pytest.mark.dist
@pytest.mark.slow
@WORLDS
def test_evaluations_inside_epochs_are_bit_equal_at_several_ranks(folder: Path, world_size: int) -> None:
    settings = (*_INSIDE, f"{_JUDGE}.save_best=loss", f"{_JUDGE}.early_stop_patience=9")
    assert_stops_and_resumes(folder, world_size, settings, (1, 0), (2, 1), (4, 0))


@pytest.mark.dist
@pytest.mark.slow
def test_patience_ends_all_ranks_at_one_update(folder: Path) -> None:
    settings = (*_INSIDE, f"{_JUDGE}.early_stop_patience=1", f"{_JUDGE}.early_stop_min_delta=1000000.0")
    (ranks,) = run_all(folder, 2, Run("run", settings))
    assert [each["code"] for each in ranks] == [0, 0]
    # The evaluation after two updates is the first of a trained network, the one after four no better.
    assert [len(each["ids"]) for each in ranks] == [4, 4]


@pytest.mark.dist
@pytest.mark.slow
def test_the_pass_for_the_loss_is_the_same_at_every_world_size(folder: Path) -> None:
    losses = []
    for world_size in (1, 2, 3):
        (ranks,) = run_all(folder, world_size, Run(f"world_{world_size}", _INSIDE[2:], kind=Normless))
        losses.append([row["val_total_loss"] for row in ranks[-1]["history"]])
        # Without smoothing and weights it is the metric's own loss.
        assert losses[-1] == pytest.approx([row["val_loss"] for row in ranks[0]["history"]], abs=1e-6)
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert losses[2] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.dist
@pytest.mark.slow
def test_a_stop_leaves_one_checkpoint(folder: Path) -> None:
    (ranks,) = run_all(folder, 2, Run("run", (signal_at(4, 0),)))
    assert [each["code"] for each in ranks] == [75, 75]
    files = sorted(path.name for path in (folder / "run" / "ckpt").iterdir())
    assert files == ["ckpt_best.pth.tar", "iteration_4.pth.tar", "iteration_5.pth.tar"]


def failing(folder: Path) -> str:
    """Fail on rank 1 alone; say how the run ended here."""
    os.chdir(folder)
    original = BaseLearner.train

    def broken(self: BaseLearner, data: Any, *args: Any, **kwargs: Any) -> None:
        if self.train_iter == 2 and self.rank == 1:
            raise ZeroDivisionError("rank 1 broke")
        original(self, data, *args, **kwargs)

    BaseLearner.train = broken  # type: ignore[method-assign]
    settings = [
        "policy.cuda=False",
        "policy.learn.batch_size=6",
        "policy.learn.learner.dataloader.num_workers=0",
    ]
    try:
        train(
            data=folder / "pictures",
            model=TinyNet(),
            epochs=2,
            exp_name="run",
            overrides=[*SETTINGS, *settings],
        )
    except ZeroDivisionError:
        return "own error"
    except RankLostError:
        return "lost its peer"
    return "went on"


@pytest.mark.dist
def test_an_error_on_one_rank_ends_the_other_and_saves_nothing(folder: Path) -> None:
    assert run_ranks(failing, 2, folder) == ["lost its peer", "own error"]
    assert [each.name for each in (folder / "run" / "ckpt").iterdir()] == ["ckpt_best.pth.tar"]
