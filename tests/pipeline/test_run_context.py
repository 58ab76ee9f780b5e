"""A run's folder, seed and result."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboardX import SummaryWriter

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.config import read_config
from ding_cls.errors import CheckpointError, ConfigError, RunStopped
from ding_cls.pipeline import TrainResult, evaluate, open_run, train
from ding_cls.policy import ImageClassificationPolicy
from tests.conftest import TinyNet
from tests.harness import assert_same, outcome, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
CFG = {"exp_name": "run", "policy": {"cuda": False}}


def opened(**arguments: Any) -> Any:
    return open_run(CFG, policy=ImageClassificationPolicy, **arguments)


def test_each_run_claims_a_folder_of_its_own(workdir: Path) -> None:
    names = []
    for _ in range(3):
        with opened() as run:
            names.append(run.cfg.exp_name)
            assert Path(run.cfg.exp_name, "total_config.py").is_file()
            assert (run.rank, run.world_size) == (0, 1)
            assert isinstance(run.tb_logger, SummaryWriter)
    assert names == ["run", "run_2", "run_3"]


def test_the_seed_is_set_and_an_argument_wins(workdir: Path) -> None:
    with opened(seed=11) as run:
        assert run.cfg.seed == 11
        found = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(11)
    np.random.seed(11)
    random.seed(11)
    assert found == (torch.rand(1).item(), np.random.rand(), random.random())


def test_a_folder_that_cannot_be_made_is_an_error(workdir: Path) -> None:
    (workdir / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="the run's folder 'file/run' cannot be made"),
        open_run({"exp_name": "file/run", "policy": {"cuda": False}}, policy=ImageClassificationPolicy),
    ):
        pass


def test_a_wrong_config_claims_nothing(workdir: Path) -> None:
    with (
        pytest.raises(ConfigError, match="learning_rat"),
        open_run({"policy": {"learn": {"learning_rat": 1}}}),
    ):
        pass
    assert list(workdir.iterdir()) == []


def test_problems_found_before_are_told_with_the_rest(workdir: Path) -> None:
    cfg = {"policy": {"learn": {"batch_size": 0}}}
    with (
        pytest.raises(ConfigError, match=r"^found before\npolicy\.learn\.batch_size is 0.*\(mine\.py:3\)$"),
        open_run(cfg, problems=["found before"], origins={"policy.learn.batch_size": "mine.py:3"}),
    ):
        pass
    assert list(workdir.iterdir()) == []


def test_a_resume_takes_the_folder_it_names_and_tells_of_a_later_one(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = ALONE
    for _ in range(2):
        run_tiny(picture_folder, "run", alone)
    capsys.readouterr()
    with opened(resume=True) as run:
        assert run.cfg.exp_name == "run"
    assert (
        "there is a later run, 'run_2'; to continue that one instead: --resume run_2"
        in capsys.readouterr().out
    )
    assert sorted(each.name for each in workdir.iterdir()) == ["run", "run_2"]


def test_a_refused_resume_leaves_the_saved_config_alone(picture_folder: Path, workdir: Path) -> None:
    alone = ALONE
    run_tiny(picture_folder, "run", alone)
    before = Path("run/total_config.py").read_bytes()
    with pytest.raises(CheckpointError, match="global_batch_size differs"):
        run_tiny(picture_folder, "run", alone, "policy.learn.batch_size=4", resume=True)
    assert Path("run/total_config.py").read_bytes() == before


def forget_drop_last(folder: str) -> None:
    """Make a run's folder one of a version that always left incomplete batches out."""
    for path in Path(folder, "ckpt").iterdir():
        state = read_checkpoint(path)
        del (
            state["run"]["drop_last"],
            state["run"]["config"]["policy"]["learn"]["learner"]["dataloader"]["drop_last"],
        )
        write_checkpoint(path, state)
    file = Path(folder, "total_config.py")
    text = file.read_text()
    assert text.count("drop_last") == 1
    file.write_text("\n".join(line for line in text.splitlines() if "drop_last" not in line))


@pytest.mark.parametrize("config", [None, "saved"])
def test_a_run_from_before_the_choice_goes_on_as_it_was_begun(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str], config: str | None
) -> None:
    settings = (ALONE, "policy.learn.batch_size=16")
    drop_last = "policy.learn.learner.dataloader.drop_last"
    whole = run_tiny(picture_folder, "whole", *settings, f"{drop_last}=True")
    assert [row["train_iter"] for row in whole.history] == [2, 4]
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "old", *settings, f"{drop_last}=True", stop_at=3)
    forget_drop_last("old")
    with pytest.raises(CheckpointError, match=r"drop_last differs: .* written with True, this run has False"):
        run_tiny(picture_folder, "old", *settings, f"{drop_last}=False", resume=True)
    capsys.readouterr()
    if config is None:
        run_tiny(picture_folder, "old", *settings, resume=True)
    else:
        words = ["policy.learn.learner.hook.stop_here=False", "policy.learn.learner.hook.act=False"]
        train("old/total_config.py", model=TinyNet(), exp_name="old", resume=True, overrides=words)
    assert f"goes on so: {drop_last}=True" in capsys.readouterr().out
    found, expected = outcome("old", last=4), outcome("whole", last=4)
    # The best so far may be a file of the older version.
    del found["best"], expected["best"]
    assert_same(found, expected, where="resumed")
    assert read_config("old/total_config.py").policy.learn.learner.dataloader.drop_last is True
    # What the new key says is kept from then on.
    with pytest.raises(CheckpointError, match="drop_last differs"):
        run_tiny(picture_folder, "old", *settings, f"{drop_last}=False", resume=True)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (("policy.learn.batch_size=8",), "5 updates an epoch with 8 images each"),
        (("policy.learn.batch_size=11",), "4 updates an epoch with 10 images each"),
        (("policy.learn.batch_size=16",), "3 updates an epoch with 13 or 14 images each"),
        (("policy.learn.batch_size=99",), "1 update an epoch with 40 images each"),
        (
            ("policy.learn.batch_size=16", "policy.learn.learner.dataloader.drop_last=True"),
            "2 updates an epoch with 16 images each; 8 are left out each epoch, always others",
        ),
    ],
)
def test_a_run_says_how_an_epoch_is_cut(
    picture_folder: Path, workdir: Path, settings: tuple[str, ...], line: str
) -> None:
    run_tiny(picture_folder, "run", ALONE, *settings)
    lines = Path("run/log/learner/learner.txt").read_text().splitlines()
    assert [each.partition(" INFO ")[2] for each in lines if " an epoch with " in each] == [line]


def test_a_resume_without_a_run_or_a_checkpoint_is_an_error(workdir: Path) -> None:
    with pytest.raises(ConfigError, match="there is no run 'run' to resume here"), opened(resume=True):
        pass
    assert list(workdir.iterdir()) == []
    (workdir / "run").mkdir()
    with pytest.raises(ConfigError, match="the run 'run' has no checkpoint yet"), opened(resume=True):
        pass
    (workdir / "run" / "ckpt").mkdir()
    (workdir / "run" / "ckpt" / "ckpt_best.pth.tar").touch()
    with pytest.raises(ConfigError, match="has its best checkpoint alone"), opened(resume=True):
        pass


def test_loaders_and_the_writer_are_closed_however_a_run_ends(workdir: Path) -> None:
    class Loader:
        closed = 0

        def close(self) -> None:
            self.closed += 1

    loader: Any = Loader()
    with opened() as run:
        assert run.own(loader) is loader
        assert run.shard == {"rank": 0, "world_size": 1, "num_workers": 2}
    with pytest.raises(ZeroDivisionError), opened() as run:
        print(1 / (run.own(loader).closed - 1))
    assert loader.closed == 2


def test_the_best_file_lies_in_the_runs_folder() -> None:
    result = TrainResult([], {}, None, {}, torch.nn.Identity(), Path("a/b"), 0.0, 0.0, False)
    assert result.best_checkpoint == Path("a/b/ckpt/ckpt_best.pth.tar")


def test_a_best_inside_an_epoch_belongs_to_it(picture_folder: Path, workdir: Path) -> None:
    inside = ("policy.eval.evaluator.eval_interval=3", "policy.eval.evaluator.by_epoch=False")
    result = run_tiny(picture_folder, "run", ALONE, *inside, "policy.learn.learning_rate=0.05")
    last_iter = read_checkpoint(result.best_checkpoint)["last_iter"]
    assert last_iter in (3, 6, 9, 10)
    assert result.best_epoch == {3: 0, 6: 1, 9: 1, 10: 1}[last_iter]


def test_checkpoints_in_another_folder_are_found_again(picture_folder: Path, workdir: Path) -> None:
    out = "policy.learn.learner.checkpoint.out_dir=out"
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, out, stop_at=3)
    assert sorted(each.name for each in Path("out/run").iterdir()) == [
        "ckpt_best.pth.tar",
        "iteration_3.pth.tar",
    ]
    result = run_tiny(picture_folder, "run", ALONE, out, resume=True)
    assert result.best_checkpoint == Path("out/run/ckpt_best.pth.tar")
    found = evaluate("out/run", model=TinyNet())
    assert {name: found[name] for name in result.best} == result.best
    assert not Path("run/ckpt").exists()


def test_another_runs_checkpoints_are_never_written_into(picture_folder: Path, workdir: Path) -> None:
    out = "policy.learn.learner.checkpoint.out_dir=out"
    run_tiny(picture_folder, "a/run", ALONE, out)
    before = {each.name: each.read_bytes() for each in Path("out/run").iterdir()}
    with pytest.raises(ConfigError, match=r"checkpoint\.out_dir: 'out/run' holds files of another run"):
        run_tiny(picture_folder, "b/run", ALONE, out)
    assert {each.name: each.read_bytes() for each in Path("out/run").iterdir()} == before
    assert not Path("b/run").exists()
    # The next free name is another folder there too.
    run_tiny(picture_folder, "a/run", ALONE, out)
    assert Path("out/run_2").is_dir()


def test_the_best_epoch_is_that_of_the_best_file(picture_folder: Path, workdir: Path) -> None:
    result = run_tiny(
        picture_folder,
        "run",
        "policy.learn.learner.dataloader.num_workers=0",
        "policy.learn.learning_rate=0.0",
        "policy.learn.warmup_epoch=0",
    )
    # BatchNorm's statistics move without a rate: either epoch may be the best.
    rows: dict[int | None, int] = {row["epoch"]: row["train_iter"] for row in result.history}
    assert rows == {0: 5, 1: 10}
    assert read_checkpoint(result.best_checkpoint)["last_iter"] == rows[result.best_epoch]


@pytest.mark.parametrize("key", [(), ("policy.eval.evaluator.save_best=loss",)])
def test_a_run_that_makes_the_network_worse_has_a_trained_best(
    key: tuple[str, ...], picture_folder: Path, workdir: Path
) -> None:
    ascent = ("policy.learn.optimizer.type=SGD", "policy.learn.optimizer.maximize=True")
    result = run_tiny(picture_folder, "run", ALONE, *ascent, *key)
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    untrained, *trained = [row["loss"] for row in rows if row["kind"] == "eval"]
    assert untrained < min(trained)
    assert result.best_epoch is not None
    assert result.best["loss"] == trained[result.best_epoch]
    best = read_checkpoint(result.best_checkpoint)
    assert best["last_iter"] == 5 * (result.best_epoch + 1)
    assert best["parts"]["evaluator"]["best_iter"] == best["last_iter"]


def test_a_run_none_of_whose_evaluations_is_finite_says_so(
    picture_folder: Path,
    workdir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = ImageClassificationPolicy._forward_eval
    monkeypatch.setattr(
        ImageClassificationPolicy,
        "_forward_eval",
        lambda policy, data: forward(policy, data) * (math.nan if policy._train_iter else 1),
    )
    result = run_tiny(picture_folder, "run", ALONE)
    assert not math.isfinite(result.final["loss"])
    assert (result.best_epoch, read_checkpoint(result.best_checkpoint)["last_iter"]) == (None, 0)
    told = "no evaluation after training began was finite: the best checkpoint is that of the {}; train again"
    assert capsys.readouterr().out.count(told.format("untrained network")) == 1
    later = run_tiny(picture_folder, "later", ALONE, "policy.eval.evaluator.start=1")
    assert (later.best, later.best_epoch) == ({}, None)
    assert capsys.readouterr().out.count(told.format("last update")) == 1


@pytest.mark.parametrize(("epochs", "is_told"), [(2, True), (1, False)])
def test_a_warm_up_as_long_as_the_run_is_told_at_the_start(
    epochs: int, is_told: bool, picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_tiny(picture_folder, "run", ALONE, f"policy.learn.warmup_epoch={epochs}")
    line = (
        "policy.learn.warmup_epoch: warm-up takes 2 epochs and the run has 2: it ends before the rate is "
        "reached; shorten it to a tenth of the run, or train longer"
    )
    printed = capsys.readouterr()
    assert (line in printed.out + printed.err) == is_told
