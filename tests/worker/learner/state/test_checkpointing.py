"""Options of checkpoints: what is in them, how they are called, where they lie."""

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint import state as state_module
from ding_cls.common import folder_lock
from ding_cls.errors import CheckpointError, ConfigError, DiskError, RunStopped
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.state.checkpointing import FileName, model_name
from tests.distributed.ranks import run_ranks
from tests.worker.learner.parts import Counting, Loader, learner
from tests.worker.tables import scripted

pytestmark = pytest.mark.usefixtures("workdir")

FIELDS = ("model", "epoch", "train_iter", "key", "score")
VALUES = {"model": "resnet18", "epoch": 7, "train_iter": 700, "key": "acc1", "score": 91.234567}
EACH_UPDATE = {"save_ckpt_after_iter": 1, "save_ckpt_after_run": False}


class WithOptimizer(Counting):
    """A learn mode whose state has an optimizer's in it."""

    def __init__(self) -> None:
        super().__init__()
        state = self.mode.state_dict
        object.__setattr__(self.mode, "state_dict", lambda: {**state(), "optimizer": {"step": self.count}})


def run(options: dict[str, Any], *, scores: Any = None, **cfg: Any) -> BaseLearner:
    policy = WithOptimizer()
    engine = BaseLearner({"hook": EACH_UPDATE, **cfg, "checkpoint": options}, policy.mode, exp_name="run")
    evaluator = (
        None if scores is None else scripted(scores, save_best="score", rule="greater", eval_freq=1)[0]
    )
    engine.start(Loader(2), max_epochs=2, evaluator=evaluator)
    return engine


def files(folder: str = "run/ckpt") -> list[str]:
    return sorted(each.name for each in Path(folder).iterdir())


def test_without_the_optimizer_no_run_can_go_on() -> None:
    run({"save_optimizer": False})
    state = read_checkpoint("run/ckpt/iteration_4.pth.tar")
    assert "optimizer" not in state
    assert {"model", "last_iter", "run"} <= state.keys()
    engine, _ = learner()
    with pytest.raises(
        CheckpointError, match=r"saved without its optimizer.*save_optimizer=False says: no run"
    ):
        engine.load_checkpoint(state)


def test_a_stop_saves_everything_all_the_same() -> None:
    policy = WithOptimizer()
    cfg = {"hook": EACH_UPDATE, "checkpoint": {"save_optimizer": False}}
    engine = BaseLearner(cfg, policy.mode, exp_name="run")
    engine.request_stop("the test")
    with pytest.raises(RunStopped, match=r"everything is saved in '\./run/ckpt'"):
        engine.start(Loader(2), max_epochs=2)
    assert read_checkpoint("run/ckpt/iteration_1.pth.tar")["optimizer"] == {"step": 1}


def test_a_stop_names_the_folder_of_its_files() -> None:
    engine = BaseLearner({"checkpoint": {"out_dir": "out"}}, WithOptimizer().mode, exp_name="run")
    engine.request_stop("the test")
    with pytest.raises(RunStopped, match=r"everything is saved in '\./out/run'"):
        engine.start(Loader(2), max_epochs=2)
    assert files("out/run") == ["iteration_1.pth.tar"]


def test_another_folder_holds_the_files() -> None:
    run({"out_dir": "elsewhere"}, keep_checkpoints=2)
    assert files("elsewhere/run") == ["iteration_3.pth.tar", "iteration_4.pth.tar"]
    assert not Path("run/ckpt").exists()


def test_a_further_name_is_the_same_file_and_goes_with_it() -> None:
    run({"file_name": "epoch_{}_iter_{train_iter}.pth"}, keep_checkpoints=2)
    assert files() == [
        "epoch_1_iter_3.pth",
        "epoch_2_iter_4.pth",
        "iteration_3.pth.tar",
        "iteration_4.pth.tar",
    ]
    assert Path("run/ckpt/epoch_2_iter_4.pth").samefile("run/ckpt/iteration_4.pth.tar")
    assert read_checkpoint("run/ckpt/epoch_1_iter_3.pth")["last_iter"] == 3


def test_a_name_without_a_number_is_that_of_the_newest() -> None:
    run({"file_name": "snapshot_epoch_last"})
    assert read_checkpoint("run/ckpt/snapshot_epoch_last")["last_iter"] == 4


BEST = "{model}_e{epoch}_{score:.5f}.pth"


@pytest.mark.parametrize(
    ("is_one_only", "names"),
    [
        (False, ["model_e0_1.00000.pth", "model_e1_0.50000.pth", "model_e2_3.50000.pth"]),
        (True, ["model_e2_3.50000.pth"]),
    ],
)
def test_the_best_is_called_by_its_score(is_one_only: bool, names: list[str]) -> None:
    options = {"best_name": BEST, "save_best_only": True, "save_one_only": is_one_only}
    # The first is that of the untrained network: it gives way to any other.
    run(options, scores=[1.0, 0.5, 3.5])
    assert files() == sorted(["ckpt_best.pth.tar", *names])
    assert Path("run/ckpt/model_e2_3.50000.pth").samefile("run/ckpt/ckpt_best.pth.tar")
    if not is_one_only:
        assert read_checkpoint("run/ckpt/model_e0_1.00000.pth")["last_iter"] == 0


def test_one_only_keeps_the_newest() -> None:
    run({"save_one_only": True})
    assert files() == ["iteration_4.pth.tar"]


def test_best_only_writes_nothing_else() -> None:
    run({"save_best_only": True}, scores=[1.0, 2.0, 0.5], hook={"save_ckpt_after_epoch": 1})
    assert files() == ["ckpt_best.pth.tar"]
    assert read_checkpoint("run/ckpt/ckpt_best.pth.tar")["last_iter"] == 2


def test_the_untrained_network_is_saved_once() -> None:
    first = run({}, hook={**EACH_UPDATE, "save_ckpt_before_run": True}, keep_checkpoints=0)
    assert "iteration_0.pth.tar" in files()
    Path("run/ckpt/iteration_4.pth.tar").rename("last")
    again = BaseLearner({"hook": {"save_ckpt_before_run": True, "save_ckpt_after_run": False}}, first.policy)
    again.load_checkpoint("last")
    again.start(Loader(2), max_epochs=2)
    assert not Path("default_experiment/ckpt/iteration_4.pth.tar").exists()


def test_a_wrong_template_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"checkpoint\.file_name='\{score\}' is no file name"):
        learner(checkpoint={"file_name": "{score}"})


def test_a_loop_of_ones_own_has_no_score() -> None:
    engine, _ = learner(checkpoint={"best_name": BEST})
    engine.train([[0], [1]])
    with pytest.raises(
        ConfigError, match="best_name holds a score, and this loop has told the learner of none"
    ):
        engine.save_checkpoint("ckpt_best.pth.tar")


class Failing:
    """A disk on which the saves of these numbers fail, counted from 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *numbers: int, code: int = errno.ENOSPC) -> None:
        self.failed: list[int] = []
        self._count, original = 0, state_module.atomic_write

        @contextmanager
        def failing(path: Any) -> Iterator[Any]:
            self._count += 1
            with original(path) as file:
                yield file
                if self._count in numbers:
                    self.failed.append(self._count)
                    raise OSError(code, os.strerror(code))

        monkeypatch.setattr(state_module, "atomic_write", failing)


def test_a_failed_save_is_a_warning_and_the_older_files_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Failing(monkeypatch, 2, 3)
    run({})
    assert disk.failed == [2, 3]
    assert files() == ["iteration_1.pth.tar", "iteration_4.pth.tar"]
    told = [line for line in capsys.readouterr().out.splitlines() if "could not be saved" in line]
    folder = Path("run/ckpt").absolute()
    assert len(told) == 2
    assert re.fullmatch(
        rf"'{folder}/iteration_2\.pth\.tar' could not be saved: needs 0\.00 MB, has [\d.,]+ MB at '{folder}' "
        r"\(No space left on device\); training goes on, and the third such failure in a row ends it",
        told[0],
    )


def test_the_third_failure_in_a_row_ends_the_run_with_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    # One that succeeds begins the count anew.
    disk = Failing(monkeypatch, 1, 2, 4, 5, 6, code=errno.EIO)
    policy = WithOptimizer()
    engine = BaseLearner({"hook": EACH_UPDATE}, policy.mode, exp_name="run")
    with pytest.raises(DiskError) as ended:
        engine.start(Loader(5), max_epochs=2)
    assert disk.failed == [1, 2, 4, 5, 6]
    assert (engine.train_iter, ended.value.exit_code) == (6, 3)
    folder = Path("run/ckpt").absolute()
    assert str(ended.value) == (
        f"'{folder}/iteration_6.pth.tar' could not be saved: Input/output error; it is the third save in a "
        "row that failed; the last checkpoint is 'run/ckpt/iteration_3.pth.tar'; free space, and go on "
        "with --resume"
    )
    assert files() == ["iteration_3.pth.tar"]


def test_best_and_iteration_files_count_together_and_the_best_is_what_its_file_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # First the best of the untrained network, then one file an update, and the best after each epoch.
    disk = Failing(monkeypatch, 4)
    engine = run({}, scores=[1.0, 3.0, 2.0])
    assert disk.failed == [4]
    assert engine.evaluator is not None
    # The result of 3.0 was the best, and its file was not written.
    assert engine.evaluator.best == {"score": 2.0}
    assert read_checkpoint("run/ckpt/ckpt_best.pth.tar")["last_iter"] == engine.evaluator.best_iter == 4


def test_a_call_of_ones_own_gets_the_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Failing(monkeypatch, 1, 2, 3)
    engine, _ = learner()
    for _ in range(2):
        with pytest.raises(OSError, match="could not be saved: needs"):
            engine.save_checkpoint()
    with pytest.raises(DiskError, match="third save in a row that failed; no checkpoint was saved yet"):
        engine.save_checkpoint("mine.pth.tar")
    assert disk.failed == [1, 2, 3]
    engine.save_checkpoint("mine.pth.tar")
    assert files() == ["mine.pth.tar"]


def test_a_loop_of_ones_own_goes_on_and_ends_alike(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # An iteration file and the best of each update, by turns.
    disk = Failing(monkeypatch, 1, 2, 5, 6, 7)
    engine = BaseLearner({"hook": EACH_UPDATE}, WithOptimizer().mode, exp_name="run")
    evaluator, _ = scripted([1.0, 2.0, 3.0], save_best="score", rule="greater")
    engine.call_hook("before_run")
    for number, best in enumerate((None, {"score": 2.0}, {"score": 2.0})):
        engine.train(next(iter(Loader(1))))
        evaluator.eval(engine.save_checkpoint, number, 0)
        assert evaluator.best == best
    with pytest.raises(DiskError, match="third save in a row"):
        engine.train(next(iter(Loader(1))))
    assert disk.failed == [1, 2, 5, 6, 7]
    told = capsys.readouterr().out
    assert (told.count("training goes on"), told.count("the best checkpoint stays the one before")) == (2, 2)


def test_a_stop_that_cannot_save_says_so_and_is_none_of_75(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BaseLearner({"hook": EACH_UPDATE}, WithOptimizer().mode, exp_name="run")
    engine.start(Loader(2), max_epochs=1)
    disk = Failing(monkeypatch, 1, 2)
    engine.request_stop("the test")
    with pytest.raises(DiskError) as ended:
        engine.start(Loader(2), max_epochs=2)
    assert disk.failed == [1, 2]
    assert re.fullmatch(
        r"stopped by the test after 3 updates, and that state is not saved: '.*/iteration_3\.pth\.tar' could "
        r"not be saved: .*; the last checkpoint is 'run/ckpt/iteration_2\.pth\.tar'; free space, and go on "
        "with --resume",
        str(ended.value),
    )


def test_a_run_that_was_taken_over_is_not_written_into() -> None:
    engine, _ = learner()
    engine.save_checkpoint()
    lock = next(each for key, each in folder_lock._HELD.items() if key.parent == Path("run").resolve())
    new = Path("new")
    new.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": "then"}))
    new.replace(lock._owner_file)
    with pytest.raises(ConfigError, match=r"'.*/run' is in use by process 7 on host elsewhere"):
        engine.save_checkpoint("other.pth.tar")
    assert files() == ["iteration_0.pth.tar"]


def _ranks_on_a_full_disk(folder: str) -> tuple[int, str]:
    os.chdir(folder)
    monkeypatch = pytest.MonkeyPatch()
    disk = Failing(monkeypatch, 2, 3, 4)
    engine = BaseLearner({"hook": EACH_UPDATE}, WithOptimizer().mode, exp_name="run")
    try:
        engine.start(Loader(3), max_epochs=3)
    except DiskError as error:
        return len(disk.failed), f"{engine.train_iter}: {error}"
    return 0, "not ended"


def test_all_ranks_end_alike(workdir: Path) -> None:
    (first, line), (other, same) = run_ranks(_ranks_on_a_full_disk, 2, str(workdir))
    assert (first, other) == (3, 0)
    assert line == same
    assert line.startswith("4: ")
    assert "third save in a row" in line


def test_the_best_checkpoint_alone_is_one_too() -> None:
    engine = BaseLearner({}, WithOptimizer().mode, exp_name="run")
    assert engine._saving.newest() == "no checkpoint was saved yet"
    engine.save_checkpoint("ckpt_best.pth.tar")
    assert engine._saving.newest() == "of checkpoints there is only 'run/ckpt/ckpt_best.pth.tar'"
    engine.save_checkpoint()
    assert engine._saving.newest() == "the last checkpoint is 'run/ckpt/iteration_0.pth.tar'"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{model}_e{epoch}_{score:.5f}.pth", "resnet18_e7_91.23457.pth"),
        ("best_{key}_epoch_{epoch}.pth", "best_acc1_epoch_7.pth"),
        ("epoch_{}.pth", "epoch_7.pth"),
        ("iter_{train_iter:06d}.pth", "iter_000700.pth"),
        ("snapshot_epoch_{epoch}", "snapshot_epoch_7"),
        ("snapshot_epoch_last", "snapshot_epoch_last"),
    ],
)
def test_names_of_other_systems(template: str, name: str) -> None:
    assert FileName(template, key="k", fields=FIELDS)(VALUES) == name


@pytest.mark.parametrize(
    "template", ["{lr}.pth", "{epoch", "{score!x}", "{epoch.__class__}", "{model[0]}", "{0}"]
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"is no file name; it may hold \{model\}, \{epoch\}"):
        FileName(template, key="k", fields=FIELDS)


@pytest.mark.parametrize(
    "template", ["a/{epoch}.pth", "../x", "", "  ", "iteration_{epoch}.pth.tar", "ckpt_best.pth.tar"]
)
def test_a_template_that_leaves_the_folder_or_hides_a_file_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="must be a file name other than those of the run itself"):
        FileName(template, key="k", fields=FIELDS)


def test_a_score_is_known_of_the_best_alone() -> None:
    with pytest.raises(ConfigError, match=r"it may hold \{model\}, \{epoch\}, \{train_iter\}$"):
        FileName("{score}.pth", key="k", fields=("model", "epoch", "train_iter"))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"name": "resnet18"}, "resnet18"),
        ({"name": "TinyNet (given)"}, "TinyNet"),
        ({"name": "timm/a b"}, "timm_a_b"),
        ({"type": "ImageClassifier", "backbone": {"type": "ResNet"}}, "ResNet"),
        ({"type": "Mine"}, "Mine"),
        ({}, "model"),
    ],
)
def test_the_name_of_a_network(model: dict[str, Any], name: str) -> None:
    assert model_name({"policy": {"model": model}}) == name
    assert model_name(None) == "model"
