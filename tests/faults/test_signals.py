"""Signals, kills, torn files and errors: what is on the disk afterwards continues to the last bit."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.checkpoint import keeper, read_checkpoint
from ding_cls.cli import _guarded
from ding_cls.errors import CheckpointError, ConfigError, RunStopped
from ding_cls.pipeline import train
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet, write_pictures, write_splits
from tests.harness import SETTINGS, UPDATES, assert_same, outcome, run_tiny

ROOT = Path(__file__).parents[2]
ALONE = "policy.learn.learner.dataloader.num_workers=0"
WITH_WORKERS = "policy.learn.learner.dataloader.num_workers=2"
EACH = "policy.learn.learner.hook.save_ckpt_after_iter=1"


class Act(LearnerHook):
    """Does something to its own process at one update: 'SIGTERM', 'SIGINT' to the whole group, or 'raise'."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._what = ext_args["at"], ext_args["what"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter != self._at:
            return
        if self._what == "raise":
            raise ZeroDivisionError("broken on purpose")
        # As a terminal's Ctrl-C: every process of the job gets it.
        os.killpg(os.getpgrp(), getattr(signal, self._what))


register_learner_hook("act", Act)


def act(what: str, position: str, at: int) -> str:
    hook = {"type": "act", "position": position, "priority": 98, "ext_args": {"at": at, "what": what}}
    return f"policy.learn.learner.hook.act={hook}"


def start(job: Callable[[], Any], output: Path) -> int:
    """Run a job in a child with a process group of its own, as the command line would; return its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.setpgid(0, 0)
        with open(output, "w", buffering=1) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = file, file
            # The command is this test's: what it prints to be pasted ends with the run's folder.
            code = _guarded(job, is_debugging=False, argv=None)
            multiprocessing.util._exit_function()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Return a child's exit code; negative: the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def processes_of(group: int) -> list[str]:
    """Return the living processes of a group."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:
            continue
        state, _, process_group, *_ = rest.split()
        if int(process_group) == group and state != "Z":
            found.append(name)
    return found


def signal_in(owner: Any, name: str, call: int, number: signal.Signals) -> None:
    """Send this process a signal at the n-th call of a function, before it does its work."""
    original, count = getattr(owner, name), iter(range(1, 1_000_000))

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if next(count) == call:
            os.kill(os.getpid(), number)
        return original(*args, **kwargs)

    setattr(owner, name, replaced)


def at_evaluation_batch(call: int) -> None:
    signal_in(ImageClassificationPolicy, "_forward_eval", call, signal.SIGTERM)


def at_save(call: int) -> None:
    signal_in(keeper, "write_checkpoint", call, signal.SIGTERM)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run leaves that nothing befell, of the same pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        run_tiny(write_splits(Path.cwd() / "pictures"), "whole", ALONE)
        return outcome("whole")


@pytest.fixture
def whole(finished: dict[str, Any], workdir: Path) -> dict[str, Any]:
    return finished


def assert_continues(data: Path, name: str, whole: dict[str, Any], *settings: str) -> None:
    run_tiny(data, name, *settings, resume=True)
    assert_same(outcome(name), whole, where=name)
    assert multiprocessing.active_children() == []


# name: (what happens, in the child, before the run), (settings), the update at which the run stops.
# Evaluations of three batches each come before update 1 and after updates 5 and 10; the best is saved by each
# that is the best, and an iteration file after each epoch.
MOMENTS: dict[str, tuple[Callable[[], None] | None, tuple[str, ...], int]] = {
    "before the first update": (None, (ALONE, act("SIGTERM", "before_run", 0)), 0),
    "in an update": (None, (ALONE, act("SIGTERM", "before_iter", 2)), 3),
    "Ctrl-C with workers": (None, (WITH_WORKERS, act("SIGINT", "after_iter", 3)), 3),
    "SIGTERM to all with workers": (None, (WITH_WORKERS, act("SIGTERM", "before_iter", 6)), 7),
    "in the first evaluation": (lambda: at_evaluation_batch(1), (ALONE,), 0),
    "in an evaluation": (lambda: at_evaluation_batch(5), (ALONE,), 5),
    "in an evaluation with workers": (lambda: at_evaluation_batch(5), (WITH_WORKERS,), 5),
    "in the last evaluation": (lambda: at_evaluation_batch(7), (ALONE,), 10),
    "in a save": (lambda: at_save(2), (ALONE,), 5),
    "after the last update": (None, (ALONE, act("SIGINT", "after_iter", 10)), 10),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_saves_exits_75_and_the_resume_is_bit_equal(
    picture_folder: Path, whole: dict[str, Any], moment: str
) -> None:
    prepare, settings, stop = MOMENTS[moment]

    def job() -> None:
        if prepare is not None:
            prepare()
        run_tiny(picture_folder, "stopped", *settings)

    output = Path("output.txt")
    child = start(job, output)
    assert ended(child) == 75
    assert processes_of(child) == []
    assert read_checkpoint(f"stopped/ckpt/iteration_{stop}.pth.tar")["last_iter"] == stop
    lines = output.read_text().splitlines()
    assert lines[-1].endswith(" --resume stopped")
    told = [line for line in lines if line.startswith("stopped by SIG")]
    assert told == lines[-2:-1]
    assert told[0].endswith(f"after {stop} updates; everything is saved in './stopped/ckpt'; go on with:")
    assert "Traceback" not in output.read_text()
    assert_continues(picture_folder, "stopped", whole, ALONE)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once(
    picture_folder: Path, whole: dict[str, Any], number: signal.Signals, code: int
) -> None:
    def job() -> None:
        # The fourth file is the one that the stop writes: best, epoch, best, stop.
        original = keeper.write_checkpoint

        def slow(path: Path, state: Any) -> None:
            if path.name == "iteration_7.pth.tar":
                os.kill(os.getpid(), number)
                time.sleep(60)
            original(path, state)

        keeper.write_checkpoint = slow
        run_tiny(picture_folder, "stopped", ALONE, act(number.name, "after_iter", 7))

    began = time.monotonic()
    assert ended(start(job, Path("output.txt"))) == code
    assert time.monotonic() - began < 30
    names = sorted(each.name for each in Path("stopped/ckpt").iterdir())
    assert names == ["ckpt_best.pth.tar", "iteration_5.pth.tar"]
    assert_continues(picture_folder, "stopped", whole, ALONE)


@pytest.mark.slow
def test_kills_at_ten_moments_lose_nothing(picture_folder: Path, workdir: Path) -> None:
    began = time.monotonic()
    assert ended(start(lambda: run_tiny(picture_folder, "whole", ALONE, EACH), Path("output.txt"))) == 0
    seconds, whole = time.monotonic() - began, outcome("whole")
    draw, kills, resumes, tries = random.Random(0), 0, 0, 0
    while kills < 10:
        tries += 1
        assert tries < 40, f"{kills} of {tries} runs were killed in time"
        name = f"killed_{tries}"
        child = start(lambda name=name: run_tiny(picture_folder, name, ALONE, EACH), Path("output.txt"))
        time.sleep(seconds * draw.uniform(0.1, 0.95))
        os.kill(child, signal.SIGKILL)
        code = ended(child)
        if code == 0:
            continue
        assert code == -signal.SIGKILL
        kills += 1
        if not list(Path(name).glob("ckpt/iteration_*.pth.tar")):
            with pytest.raises(ConfigError, match=r"start it anew|no run"):
                run_tiny(picture_folder, name, ALONE, EACH, resume=True)
            continue
        assert_continues(picture_folder, name, whole, ALONE, EACH)
        resumes += 1
    assert resumes >= 5


@pytest.mark.parametrize(
    "position",
    [*(pytest.param(each, marks=pytest.mark.slow) for each in ("after_iter", "after_epoch")), "after_eval"],
)
def test_an_error_saves_nothing_names_the_last_file_and_loses_nothing(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str], position: str
) -> None:
    settings = (WITH_WORKERS, f"policy.learn.learner.hook.save_ckpt_{position}=1")
    run_tiny(picture_folder, "whole", *settings)
    whole = outcome("whole")
    with pytest.raises(ZeroDivisionError, match="broken on purpose"):
        run_tiny(picture_folder, "broken", *settings, act("raise", "before_iter", 7))
    assert multiprocessing.active_children() == []
    last = 7 if position == "after_iter" else 5
    text = capsys.readouterr().out
    assert f"ended training after 7 updates; the last checkpoint is 'broken/ckpt/iteration_{last}.pth" in text
    assert (
        max(int(each.name.split("_")[1].split(".")[0]) for each in Path("broken/ckpt").glob("iter*")) == last
    )
    run_tiny(picture_folder, "broken", *settings, resume=True)
    assert_same(outcome("broken"), whole, where="after an error")


def test_an_error_before_the_first_checkpoint_says_so(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError):
        run_tiny(picture_folder, "broken", ALONE, act("raise", "before_iter", 2))
    left = "of checkpoints there is only 'broken/ckpt/ckpt_best.pth.tar'"
    assert f"an error ended training after 2 updates; {left}" in capsys.readouterr().out
    assert [each.name for each in Path("broken/ckpt").iterdir()] == ["ckpt_best.pth.tar"]
    with pytest.raises(ConfigError, match=r"best checkpoint alone, .*; start it anew without"):
        run_tiny(picture_folder, "broken", ALONE, resume=True)


def damaged_copies(content: bytes) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    yield b""
    yield content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("kind", range(3))
def test_a_torn_newest_file_is_named_and_the_one_before_it_used(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str], kind: int
) -> None:
    run_tiny(picture_folder, "whole", ALONE, EACH)
    whole = outcome("whole")
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "torn", ALONE, EACH, stop_at=7)
    newest = Path("torn/ckpt/iteration_7.pth.tar")
    newest.write_bytes(list(damaged_copies(newest.read_bytes()))[kind])
    with pytest.raises(CheckpointError):
        read_checkpoint(newest)
    run_tiny(picture_folder, "torn", ALONE, EACH, resume=True)
    text = capsys.readouterr().out
    assert "torn/ckpt/iteration_7.pth.tar' " in text
    assert "; trying the one before it" in text
    assert "resuming from torn/ckpt/iteration_6.pth.tar" in text
    assert_same(outcome("torn"), whole, where="after a torn file")


# What a resume refuses, and what it only tells.


def resumed(data: Path, *settings: str, seed: int = 5) -> None:
    overrides = [*SETTINGS, ALONE, "policy.learn.learner.hook.stop_here=False", *settings]
    train(
        data=data, model=TinyNet(), epochs=2, seed=seed, exp_name="stopped", resume=True, overrides=overrides
    )


@pytest.fixture
def stopped(picture_folder: Path, workdir: Path) -> Path:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "stopped", ALONE, stop_at=3)
    return picture_folder


def files_of(folder: str) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in Path(folder).rglob("iteration_*")}


def test_a_run_with_other_data_or_another_seed_is_refused(stopped: Path, tmp_path: Path) -> None:
    names = ("ash", "birch", "cedar", "fir")
    more, other = tmp_path / "more", tmp_path / "other"
    for root, classes in ((more, names), (other, (*names[:3], "oak"))):
        write_pictures(root / "val", classes=classes, per_class=5)
        write_pictures(root / "train", classes=classes, per_class=11 if root is more else 10)
    before, count = files_of("stopped"), 0
    for data, settings, seed, match in (
        (stopped, (), 6, "seed differs: the checkpoint was written with 5, this run has 6"),
        (more, (), 5, "training data have changed: 4 added, 0 removed, 0 moved .* 40 samples then, 44 now"),
        (other, (), 5, "class_names differs: .*'fir'.*'oak'"),
        (stopped, ("policy.learn.batch_size=4",), 5, "global_batch_size differs: .*8, this run has 4"),
    ):
        with pytest.raises(CheckpointError, match=match):
            resumed(data, *settings, seed=seed)
        count += 1
    assert count == 4
    assert files_of("stopped") == before
    assert multiprocessing.active_children() == []


def test_another_network_is_refused_with_its_first_keys(stopped: Path) -> None:
    wider = TinyNet()
    wider.stem, wider.norm, wider.head = nn.Conv2d(3, 9, 3), nn.BatchNorm2d(9), nn.Linear(9, 4)
    with pytest.raises(CheckpointError, match=r"does not fit this TinyNet: 7 keys differ: stem.weight is"):
        train(
            data=stopped,
            model=wider,
            epochs=2,
            seed=5,
            exp_name="stopped",
            resume=True,
            overrides=[*SETTINGS, ALONE],
        )


def test_a_changed_rate_is_told_and_used(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resumed(stopped, "policy.learn.learning_rate=0.05", "policy.learn.weight_decay=0.5")
    text = capsys.readouterr().out
    told = [line for line in text.splitlines() if " in the checkpoint and is " in line and "hook" not in line]
    assert told == [
        "policy.learn.learning_rate was 0.1 in the checkpoint and is 0.05 now",
        "policy.learn.weight_decay was 0.05 in the checkpoint and is 0.5 now",
    ]
    groups = read_checkpoint(f"stopped/ckpt/iteration_{UPDATES}.pth.tar")["optimizer"]["param_groups"]
    assert {group["weight_decay"] for group in groups} <= {0.5, 0.0}
    assert any(group["weight_decay"] == 0.5 for group in groups)
    rows = [json.loads(line) for line in Path("stopped/log/metrics.jsonl").read_text().splitlines()]
    rates = [row["lr"] for row in rows if row["kind"] == "epoch"]
    assert len(rates) == 2
    assert rates[0] < 0.05


def test_an_existing_run_is_never_written_into(picture_folder: Path, workdir: Path) -> None:
    (workdir / "run").mkdir()
    (workdir / "run" / "mine.txt").write_text("mine")
    folders = [run_tiny(picture_folder, "run", ALONE).run_folder for _ in range(2)]
    assert [each.name for each in folders] == ["run_2", "run_3"]
    assert [each.name for each in (workdir / "run").iterdir()] == ["mine.txt"]
    assert torch.equal(
        read_checkpoint("run_2/ckpt/iteration_10.pth.tar")["model"]["head.weight"],
        read_checkpoint("run_3/ckpt/iteration_10.pth.tar")["model"]["head.weight"],
    )


CONFIG = """
exp_name = "NAME"
seed = 3
policy = dict(
    cuda=False,
    model=dict(name="squeezenet1_1", num_classes=3),
    learn=dict(
        train_epoch=2, batch_size=2, warmup_epoch=0,
        learner=dict(log_show_freq=1, dataloader=dict(num_workers=2)),
    ),
    eval=dict(batch_size=4),
    collect=dict(
        synthetic=True, synthetic_samples=60, synthetic_eval_samples=8, image_size=64, resize_size=64
    ),
)
"""


PYTHON, ENTRY = quote(sys.executable), quote(f"{ROOT}/entry/train.py")
SOME = "policy.learn.max_iters=12"
# As one types it: the configs' names hold a space.
DOORS = {
    "ding-cls": f"{PYTHON} -m ding_cls train 'my CONFIG.py' {SOME}",
    "entry": f"{PYTHON} {ENTRY} 'my CONFIG.py' {SOME}",
    "folder": f"{PYTHON} -m ding_cls train --work-dir 'my CONFIG' {SOME} 'my CONFIG.py'",
    "torchrun": f"{PYTHON} -m torch.distributed.run --standalone --nproc-per-node 2 {ENTRY} "
    f"'my CONFIG.py' {SOME}",
    "main": f"{PYTHON} -m dizoo.image_classification.entry.imagenet_res18_main --synthetic {SOME} "
    "'exp_name=my CONFIG' policy.cuda=False policy.model.name=squeezenet1_1 policy.model.num_classes=3 "
    "policy.learn.batch_size=2 policy.collect.image_size=64 policy.collect.resize_size=64 "
    "policy.collect.synthetic_samples=60 policy.collect.synthetic_eval_samples=8 policy.learn.warmup_epoch=0 "
    "policy.learn.learner.log_show_freq=1 seed=3",
}


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_the_line_of_a_stop_is_pasted_and_goes_on_bit_equal(workdir: Path, door: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    shell: dict[str, Any] = {"shell": True, "env": environ, "text": True}
    for name in ("my whole", "my run"):
        Path(f"{name}.py").write_text(CONFIG.replace("NAME", name))
    whole, typed = (DOORS[door].replace("my CONFIG", name) for name in ("my whole", "my run"))
    subprocess.run(whole, check=True, capture_output=True, timeout=300, **shell)
    # A folder of that name is there: the run takes another, which the line must name.
    Path("my run").mkdir()
    process = subprocess.Popen(
        typed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, **shell
    )
    rows, deadline = Path("my run_2/log/metrics.jsonl"), time.monotonic() + 200
    while not (rows.exists() and '"kind": "train", "train_iter": 4,' in rows.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=200)
    (line,) = [line for line in errors.splitlines() if "--resume" in line]
    assert line.endswith(" --resume 'my run_2'")
    done = subprocess.run(line, check=True, capture_output=True, timeout=300, **shell)
    assert "continuing after" in done.stdout
    assert " in the checkpoint and is " not in done.stdout.replace("exp_name was", "")
    last = [read_checkpoint(f"{name}/ckpt/iteration_12.pth.tar") for name in ("my run_2", "my whole")]
    assert_same(last[0]["model"], last[1]["model"], where="model")
    assert_same(last[0]["optimizer"], last[1]["optimizer"], where="optimizer")
    assert list(Path("my run").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_line_stops_and_resumes(workdir: Path, number: signal.Signals) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def command(name: str, *words: str) -> list[str]:
        Path(f"{name}.py").write_text(CONFIG.replace("NAME", name))
        return [sys.executable, "-m", "ding_cls", "train", f"{name}.py", *words]

    subprocess.run(command("whole"), env=environ, check=True, capture_output=True, timeout=300)
    with open("output.txt", "w") as output:
        process = subprocess.Popen(
            command("run"),
            env=environ,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        rows, deadline = Path("run/log/metrics.jsonl"), time.monotonic() + 200
        while not (rows.exists() and '"kind": "train", "train_iter": 4,' in rows.read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 75
    first, told, line = filter(None, errors.splitlines())
    assert first.startswith("stopping after this update, and saving")
    assert told.startswith(f"stopped by {number.name} after ")
    assert line == f"{quote(sys.executable)} -m ding_cls train run.py --resume run"
    log = Path("run/log/learner/learner.txt").read_text().splitlines()
    assert [each.partition(" WARNING ")[2] for each in log[-2:]] == [told, line]
    assert processes_of(process.pid) == []
    done = subprocess.run(
        command("run", "--resume"), env=environ, check=True, capture_output=True, text=True, timeout=300
    )
    assert "continuing after" in done.stdout
    last = [read_checkpoint(f"{name}/ckpt/iteration_60.pth.tar") for name in ("run", "whole")]
    assert_same(last[0]["model"], last[1]["model"], where="model")
    assert_same(last[0]["optimizer"], last[1]["optimizer"], where="optimizer")
