"""Which run is resumed, and from which of its checkpoints: by name, to the last bit."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.state import write_checkpoint
from ding_cls.cli import main
from ding_cls.errors import ConfigError
from ding_cls.pipeline import train
from ding_cls.pipeline.resume import (
    NamedRun,
    folder_in,
    named_run,
    newer_files,
    origin_fact,
    set_aside,
    without_folders,
)
from tests.conftest import write_splits
from tests.harness import SETTINGS, assert_same, outcome

EACH = "policy.learn.learner.hook.save_ckpt_after_iter=1"
SIZES = ["policy.collect.image_size=32", "policy.collect.resize_size=32"]
SMALL = [*SETTINGS, *SIZES, EACH, "policy.cuda=False", "policy.learn.learner.dataloader.num_workers=0"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures and a finished run of two epochs, five updates each, with a file for each update."""
    folder = tmp_path_factory.mktemp("finished")
    data = write_splits(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        torch.manual_seed(0)
        train(data=data, model="lenet5", epochs=2, seed=5, exp_name="runs/my run", overrides=SMALL)
    return folder


@pytest.fixture
def run(finished: Path, workdir: Path) -> Path:
    """The finished run, for each test its own."""
    shutil.copytree(finished / "runs", "runs")
    return Path("runs/my run")


def cut_back(run: Path, update: int) -> None:
    """Remove all files that a run of so many updates would not have."""
    for file in run.glob("ckpt/iteration_*"):
        if int(file.name.split("_")[1].split(".")[0]) > update:
            file.unlink()


# Words


@pytest.mark.parametrize(
    ("resume", "named"),
    [
        (False, NamedRun()),
        (True, NamedRun()),
        ("run", NamedRun("run")),
        ("./run/", NamedRun("run")),
        (Path("run"), NamedRun("run")),
        ("run/ckpt/iteration_4.pth.tar", NamedRun("run", Path("run/ckpt/iteration_4.pth.tar"))),
        ("out/run/iteration_4.pth.tar", NamedRun("other", Path("out/run/iteration_4.pth.tar"))),
    ],
)
def test_a_run_is_named_by_its_folder_or_a_file_in_it(workdir: Path, resume: object, named: NamedRun) -> None:
    for file in (
        "run/total_config.py",
        "other/total_config.py",
        "run/ckpt/iteration_4.pth.tar",
        "out/run/iteration_4.pth.tar",
    ):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    assert named_run(resume, "other") == named  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resume", "message"),
    [
        ("nowhere", "there is no run 'nowhere' to resume here; start it without --resume"),
        ("empty", "'empty' is no run's folder: there is no total_config.py in it"),
        ("run/ckpt", "'run/ckpt' is no run's folder: there is no total_config.py in it; the run's is run"),
        (
            "empty/x/file.pth.tar",
            "'empty/x/file.pth.tar' lies in no run's folder; name that too: --work-dir RUN",
        ),
    ],
)
def test_what_is_no_run_is_named(workdir: Path, resume: str, message: str) -> None:
    for folder in ("run/ckpt", "empty/x"):
        Path(folder).mkdir(parents=True)
    Path("run/total_config.py").touch()
    Path("empty/x/file.pth.tar").touch()
    with pytest.raises(ConfigError) as error:
        named_run(resume)
    assert str(error.value) == message


def test_words_that_name_a_folder_give_way() -> None:
    words = ["seed=3", "exp_name=a", "exp_name=b", "policy.learn.exp_name=c"]
    assert without_folders(words) == ["seed=3", "policy.learn.exp_name=c"]
    assert (folder_in(words), folder_in(words[:1])) == ("b", None)


def test_newer_files_are_set_aside(tmp_path: Path) -> None:
    for number in (5, 10, 15, 100):
        (tmp_path / f"iteration_{number}.pth.tar").write_text(str(number))
    (tmp_path / "ckpt_best.pth.tar").touch()
    aside = [set_aside(file) for file in newer_files(tmp_path, 10)]
    assert [file.name for file in aside] == ["iteration_100.pth.tar.old", "iteration_15.pth.tar.old"]
    assert aside[0].read_text() == "100"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "ckpt_best.pth.tar",
        "iteration_10.pth.tar",
        "iteration_100.pth.tar.old",
        "iteration_15.pth.tar.old",
        "iteration_5.pth.tar",
    ]


# Every way to name it goes on bit-equal


@pytest.mark.parametrize(
    "words",
    [
        ["--resume", "runs/my run"],
        ["runs/my run", "--resume"],
        ["runs/my run", "--resume", "runs/my run"],
        ["--resume", "--work-dir", "runs/my run"],
        ["--resume", "exp_name=runs/my run"],
        # What a run named NAME_2 prints: the folder that was typed is not its own.
        ["--work-dir", "runs/other", "exp_name=runs/third", "--resume", "runs/my run"],
        ["--resume", "runs/my run/ckpt/iteration_7.pth.tar"],
        ["--data", "DATA", "--model", "lenet5", "--epochs", "2", *SMALL, "--resume", "runs/my run"],
    ],
)
def test_a_run_goes_on_bit_equal(
    run: Path, finished: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = outcome(str(run))
    cut_back(run, 7)
    capsys.readouterr()
    words = [word.replace("DATA", str(finished / "pictures")) for word in words]
    assert main(["train", *words]) == 0
    text = capsys.readouterr().out
    assert "resuming from runs/my run/ckpt/iteration_7.pth.tar" in text
    assert " in the checkpoint and is " not in text
    assert_same(outcome(str(run)), whole, where=" ".join(words))
    assert [each.name for each in Path("runs").iterdir()] == ["my run"]


def test_a_named_checkpoint_is_the_one_and_newer_ones_are_kept_aside(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, newest = outcome(str(run)), (run / "ckpt/iteration_10.pth.tar").read_bytes()
    capsys.readouterr()
    assert main(["train", "--resume", str(run / "ckpt/iteration_8.pth.tar")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "aside" in line] == [
        f"set aside, for it is newer: runs/my run/ckpt/iteration_{number}.pth.tar.old" for number in (10, 9)
    ]
    assert_same(outcome(str(run)), whole, where="run")
    assert (run / "ckpt/iteration_10.pth.tar.old").read_bytes() == newest
    rows = [json.loads(line) for line in (run / "log/metrics.jsonl").read_text().splitlines()]
    assert [row["train_iter"] for row in rows if row["kind"] == "train"] == list(range(1, 11))


def test_a_best_of_the_way_not_taken_is_no_longer_the_best(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = run / "ckpt/ckpt_best.pth.tar"
    newer = read_checkpoint(run / "ckpt/iteration_10.pth.tar")
    write_checkpoint(best, {**newer, "last_iter": 10})
    # From here on another way, which no evaluation of the first five updates may outshine.
    frozen = "policy.learn.learning_rate=0"
    assert main(["train", "--resume", str(run / "ckpt/iteration_6.pth.tar"), frozen]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"set aside, for it is newer: {best}.old; the best counts anew from here" in lines
    state = read_checkpoint(best)
    assert (state["last_iter"], state["parts"]["evaluator"]["best_iter"]) == (10, 10)
    judged = read_checkpoint(run / "ckpt/iteration_6.pth.tar")["model"]
    assert_same(weights_less_statistics(state["model"]), weights_less_statistics(judged), where="best")
    assert read_checkpoint(f"{best}.old")["last_iter"] == 10


def weights_less_statistics(model: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.items() if "running" not in name and "num_b" not in name}


def test_python_takes_the_same_names(run: Path) -> None:
    whole = outcome(str(run))
    for named in (run, str(run), run / "ckpt" / "iteration_6.pth.tar"):
        cut_back(run, 6)
        result = train(resume=named)
        assert (result.run_folder, result.was_complete) == (run, False)
        assert_same(outcome(str(run)), whole, where=str(named))


def test_a_damaged_checkpoint_that_was_named_is_an_error_and_nothing_is_moved(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = run / "ckpt/iteration_6.pth.tar"
    named.write_bytes(named.read_bytes()[:1000])
    before = sorted(run.glob("ckpt/*"))
    assert main(["train", "--resume", str(named)]) == 2
    assert capsys.readouterr().err.startswith(f"error: '{named}'")
    assert sorted(run.glob("ckpt/*")) == before


def test_what_is_printed_is_in_the_log(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["train", "--data", str(picture_folder), "--model", "lenet5", "--epochs", "1", "--seed", "5"]
    words = [each for each in SMALL if "resize_size" not in each]
    assert main([*first, "--work-dir", "run", *words, "policy.eval.evaluator.stop_value=0.9"]) == 0
    printed = capsys.readouterr().out
    assert main(["train", "--resume", "run", "policy.learn.train_epoch=2"]) == 0
    printed += capsys.readouterr().out
    log = Path("run/log/learner/learner.txt").read_text().splitlines()
    assert [line.split("] ", 1)[1].partition(" ")[2] for line in log] == printed.splitlines()
    begins = ("run folder: ", "for image_size=32", "policy.eval.evaluator.stop_value: ", "epoch  train")
    for begin in (*begins, "To type next"):
        assert any(line.startswith(begin) for line in printed.splitlines()), begin
    assert read_checkpoint("run/ckpt/iteration_5.pth.tar")["last_iter"] == 5


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("stop_value={loss: 1e9}", "policy.eval.evaluator.stop_value=None"),
        ("early_stop_patience=1", "policy.eval.evaluator.early_stop_patience=None"),
    ],
)
def test_the_line_of_a_run_that_stopped_early_lets_it_go_on(
    stop: str, words: str, picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never_better = "policy.eval.evaluator.early_stop_min_delta=1e6"
    first = ["train", "--data", str(picture_folder), "--model", "lenet5", "--epochs", "3", *SMALL]
    assert main([*first, "--work-dir", "run", f"policy.eval.evaluator.{stop}", never_better]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "--resume" in each]
    assert line.endswith(f"train --resume run {words}")
    assert main(["train", "--resume", "run", words]) == 0
    printed = capsys.readouterr().out
    assert "already complete" not in printed
    assert "--resume run policy.learn.train_epoch=6" in printed
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if row["kind"] == "epoch"] == [0, 1, 2]


def test_what_set_a_value_is_known_after_a_resume_too() -> None:
    places = {
        "seed": "a.py:3",
        "exp_name": "override exp_name='run'",
        "policy.cuda": "override policy.cuda=False",
    }
    cfg = {"seed": 1, "exp_name": "run", "policy": {"cuda": False}}
    begun = origin_fact({}, places, cfg)
    assert begun == {"config_origins": places}
    typed = {
        "seed": "run/total_config.py:8",
        "exp_name": "override exp_name=run",
        "policy.cuda": "override policy.cuda=True",
    }

    resumed = origin_fact({**begun, "config": cfg}, typed, {**cfg, "policy": {"cuda": True}})

    assert resumed["config_origins"] == {**places, "policy.cuda": "override policy.cuda=True"}
