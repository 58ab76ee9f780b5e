"""What was typed, and the line that goes on with its run: in a shell it is read as the same words."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from ding_cls.common import command
from ding_cls.common.command import (
    command_line,
    is_command_line,
    is_part_of_whole,
    names_a_run,
    part_of,
    restart_command,
    resume_command,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (command.LAUNCHER, "TORCHELASTIC_RUN_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def typed(monkeypatch: pytest.MonkeyPatch, *words: str, arguments: int) -> None:
    """Have this process started by such words, the last ``arguments`` of them behind the program's name."""
    monkeypatch.setattr(sys, "orig_argv", list(words))
    monkeypatch.setattr(sys, "argv", ["program", *words[len(words) - arguments :]])


def resumed(folder: str = "runs/a") -> str | None:
    with command_line(None):
        return resume_command(folder)


def installed(folder: Path, name: str = "ding-cls") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


def test_an_installed_script_on_path_is_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = installed(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(script.parent))
    typed(monkeypatch, "/usr/bin/python", str(script), "train", "a.py", "seed=4", arguments=3)
    assert resumed() == "ding-cls train a.py seed=4 --resume runs/a"
    monkeypatch.setenv("PATH", "/nowhere")
    assert resumed() == f"{script} train a.py seed=4 --resume runs/a"


@pytest.mark.parametrize(
    "program",
    [
        ("python", "-m", "ding_cls", "train"),
        ("python3.12", "-u", "-m", "dizoo.image_classification.entry.imagenet_res18_main"),
        ("/opt/my env/bin/python", "entry/train.py"),
        ("python", "my main.py"),
    ],
)
def test_what_python_was_called_with_stays(monkeypatch: pytest.MonkeyPatch, program: tuple[str, ...]) -> None:
    words = (*program, "my cfg.py", "a='b c'", "x=[1, 2]")
    typed(monkeypatch, *words, arguments=3)
    line = resumed("runs/it's here")
    assert line is not None
    assert shlex.split(line) == [*words, "--resume", "runs/it's here"]


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        (["--resume"], []),
        (["--resume", "old"], []),
        (["--resume=old"], []),
        (["--res", "old/ckpt/iteration_4.pth.tar", "--seed", "3"], ["--seed", "3"]),
        (["--resume", "seed=3"], ["seed=3"]),
        (["--resume", "--seed", "3"], ["--seed", "3"]),
        (["--resume", "cfg.py"], ["cfg.py"]),
        (["run", "--resume"], ["run"]),
    ],
)
def test_a_resume_that_was_typed_gives_way(
    monkeypatch: pytest.MonkeyPatch, behind: list[str], kept: list[str]
) -> None:
    words = ["python", "-m", "ding_cls", "train", *behind]
    typed(monkeypatch, *words, arguments=1 + len(behind))
    line = resumed("new")
    assert line is not None
    assert shlex.split(line) == ["python", "-m", "ding_cls", "train", *kept, "--resume", "new"]


def test_a_launchers_own_words_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "python", "-u", "entry/train.py", "a.py", "policy.multi_gpu=True", arguments=2)
    monkeypatch.setenv(command.LAUNCHER, "'sh' 'entry/dist_train.sh' 'a.py' '2' ")
    assert resumed() == "sh entry/dist_train.sh a.py 2 --resume runs/a"


def test_under_torchrun_it_is_torchruns_line(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "/opt/python", "-u", "entry/train.py", "a b.py", arguments=1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    parent = ["python", "-m", "torch.distributed.run", "--nproc-per-node", "2", "entry/train.py", "a b.py"]
    monkeypatch.setattr(command, "_words_of", lambda process: parent)
    line = resumed()
    assert line is not None
    assert shlex.split(line) == [*parent, "--resume", "runs/a"]
    # Where the system does not show it, or another program stands between.
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    for shown in ([], ["some", "supervisor"]):
        monkeypatch.setattr(command, "_words_of", lambda process, shown=shown: shown)
        assert resumed() == "torchrun --nproc-per-node 3 entry/train.py 'a b.py' --resume runs/a"


def test_the_system_shows_a_processs_words() -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("no /proc here")
    assert command._words_of(os.getpid()) == sys.orig_argv
    assert command._words_of(2**22 + 1) == []


def test_in_a_slurm_step_srun_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "python", "entry/train.py", "a.py", arguments=1)
    for name, value in (("SLURM_PROCID", "0"), ("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "2")):
        monkeypatch.setenv(name, value)
    for name, value in (("SLURM_JOB_ID", "7"), ("SLURM_NODELIST", "node1")):
        monkeypatch.setenv(name, value)
    assert resumed() == "srun --ntasks=2 python entry/train.py a.py --resume runs/a"


def test_a_part_is_resumed_by_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "python", "-m", "ding_cls", "kfold", "--synthetic", arguments=2)
    with command_line(None):
        with part_of("runs/folds"):
            assert resume_command("runs/folds/fold_1") == (
                "python -m ding_cls kfold --synthetic --resume runs/folds"
            )
        assert resume_command("other") == "python -m ding_cls kfold --synthetic --resume other"


def test_a_program_of_ones_own_has_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_command_line()
    assert resume_command("runs/a") is None
    typed(monkeypatch, "python", "mine.py", "--fast", arguments=1)
    with command_line(["train", "--synthetic"]):
        # It calls the command line, whose errors and stops are printed; its own words say something else.
        assert is_command_line()
        assert resume_command("runs/a") is None
    with command_line(["train", "--fast"]):
        assert resume_command("runs/a") == "python mine.py --fast --resume runs/a"
    assert not is_command_line()


def test_what_stands_behind_resume(tmp_path: Path) -> None:
    (tmp_path / "lr=0.1").mkdir()
    words = ["runs/a", "runs/a/ckpt/iteration_4.pth.tar", "lr=0.1", "seed=3", "a.py", "a.yaml", "--seed"]
    assert [word for word in words if names_a_run(word)] == words[:3]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train a.py --resume seed=4", "train a.py seed=4 --pretrained FILE"),
        ("train a.py --resume run --work-dir run", "train a.py --work-dir run --pretrained FILE"),
        ("train --resume run seed=4", "train run/total_config.py seed=4 --pretrained FILE"),
        ("train run --resume", "train run/total_config.py --pretrained FILE"),
        (
            "train --data data/train --resume run",
            "train run/total_config.py --data data/train --pretrained FILE",
        ),
        ("entry/train.py --resume run", "entry/train.py run/total_config.py --pretrained FILE"),
        ("entry/dist_train.sh a.py 2 --resume", "entry/dist_train.sh a.py 2 --pretrained FILE"),
        ("main.py --data data/train --resume", "main.py --data data/train policy.model.pretrained=FILE"),
    ],
)
def test_a_new_run_is_begun_with_the_weights_of_another(
    monkeypatch: pytest.MonkeyPatch, words: str, expected: str
) -> None:
    for folder in ("run", "d/train", "data/train", "entry"):
        Path(folder).mkdir(parents=True)
    for file in ("a.py", "main.py", "entry/train.py", "run/total_config.py"):
        Path(file).touch()
    given = words.split()
    typed(monkeypatch, "python", "-m", "x", *given, arguments=len(given))
    with command_line(None):
        assert restart_command("run", "FILE") == f"python -m x {expected}"
        with part_of("whole"):
            assert is_part_of_whole()
            assert restart_command("run", "FILE") is None
    assert restart_command("run", "FILE") is None
