"""A run's folder: one writer, and a name that is given back only where nothing was trained."""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, DiskError, RunStopped
from ding_cls.pipeline import evaluate, kfold, open_run
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet
from tests.harness import SETTINGS, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
NO_BEST = "policy.eval.evaluator.validate=False"


class RaiseAt(LearnerHook):
    """Raises after one update."""

    errors: Mapping[str, BaseException] = {
        "error": ZeroDivisionError("broken on purpose"),
        "interrupt": KeyboardInterrupt(),
        "exit": SystemExit(1),
    }

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._what = ext_args["at"], ext_args["what"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == self._at:
            raise self.errors[self._what]


register_learner_hook("raise_at", RaiseAt)


def raising(what: str, at: int, position: str = "after_iter") -> str:
    hook = {"type": "raise_at", "position": position, "priority": 5, "ext_args": {"at": at, "what": what}}
    return f"policy.learn.learner.hook.raise_here={hook}"


def rows() -> list[str]:
    return [json.loads(line)["kind"] for line in Path("run/log/metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("what", RaiseAt.errors)
def test_once_an_update_was_made_nothing_is_deleted(what: str, picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(type(RaiseAt.errors[what])):
        run_tiny(picture_folder, "run", ALONE, NO_BEST, raising(what, 3))
    assert not Path("run/ckpt").exists()
    assert rows() == ["train"] * 2
    assert Path("run/log/learner/learner.txt").is_file()


def test_after_the_first_update_there_is_no_row_yet_and_the_folder_stays(
    picture_folder: Path, workdir: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        run_tiny(picture_folder, "run", ALONE, NO_BEST, raising("error", 1))
    assert not Path("run/log/metrics.jsonl").exists()
    assert Path("run/total_config.py").is_file()
    assert not list(Path("run").glob(".run.*"))


@pytest.mark.parametrize("what", RaiseAt.errors)
def test_a_start_that_fails_gives_the_name_back(what: str, picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(type(RaiseAt.errors[what])):
        run_tiny(picture_folder, "run", ALONE, NO_BEST, raising(what, 0, "before_run"))
    assert [each.name for each in workdir.iterdir() if each != picture_folder] == []


def test_a_run_in_use_is_refused_and_can_be_read(picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, stop_at=3)
    cfg = {"exp_name": "run", "policy": {"cuda": False}}
    before = {each: each.stat().st_mtime_ns for each in Path("run").rglob("*") if each.is_file()}
    with open_run(cfg, resume=True, policy=ImageClassificationPolicy):
        with pytest.raises(ConfigError, match=rf"/run' is in use by process {os.getpid()} \(this one\)"):
            run_tiny(picture_folder, "run", ALONE, resume=True)
        assert evaluate("run", model=TinyNet())["acc1"] >= 0
        # A new run of the same name takes the next one, as ever.
        with open_run(cfg, policy=ImageClassificationPolicy) as other:
            assert other.cfg.exp_name == "run_2"
    changed = [each for each, time in before.items() if each.stat().st_mtime_ns != time]
    assert all("log" in each.parts for each in changed)
    run_tiny(picture_folder, "run", ALONE, resume=True)


def test_a_resume_that_is_refused_unlocks(picture_folder: Path, workdir: Path) -> None:
    Path("run").mkdir()
    for _ in range(2):
        with pytest.raises(ConfigError, match="has no checkpoint yet"):
            run_tiny(picture_folder, "run", ALONE, resume=True)
    assert list(Path("run").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_no_config_is_one_line_and_the_name_is_given_back(
    code: int, picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(cfg: Any, folder: Path) -> None:
        raise OSError(code, os.strerror(code), str(folder / "total_config.py"))

    monkeypatch.setattr("ding_cls.pipeline.run_context.save_run_config", full)
    with pytest.raises(DiskError, match=rf"/run/total_config\.py' could not be written: {os.strerror(code)}"):
        run_tiny(picture_folder, "run", ALONE)
    assert not Path("run").exists()


def test_a_disk_that_takes_no_folder_is_the_disks_fault(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("ding_cls.pipeline.run_folder.create_unique_dir", read_only)
    with pytest.raises(DiskError, match=r"'.*/run' could not be written: Read-only file system"):
        run_tiny(picture_folder, "run", ALONE)


def folds(data: Path, **arguments: Any) -> Any:
    settings = [*SETTINGS, ALONE, *arguments.pop("settings", ())]
    arguments = {"num_splits": 2, "epochs": 1, "seed": 5, **arguments}
    return kfold(model=TinyNet(), data=data, exp_name="exp", overrides=settings, **arguments)


def test_a_fold_that_failed_without_a_checkpoint_is_kept_beside_the_new_one(
    picture_folder: Path, workdir: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        folds(picture_folder, settings=[raising("error", 2), "policy.eval.evaluator.start=1"])
    log = Path("exp/fold_0/log/metrics.jsonl").read_bytes()
    with pytest.raises(ZeroDivisionError):
        folds(picture_folder, resume=True, settings=[raising("error", 2), "policy.eval.evaluator.start=1"])
    assert Path("exp/unfinished_fold_0/log/metrics.jsonl").read_bytes() != b"" != log
    assert Path("exp/fold_0").is_dir()


def test_a_refused_cross_validation_gives_its_name_back(picture_folder: Path, workdir: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        folds(picture_folder, settings=[raising("interrupt", 0, "before_run"), NO_BEST])
    assert not Path("exp").exists()


def test_two_cross_validations_in_one_folder_are_refused(picture_folder: Path, workdir: Path) -> None:
    refused = []

    class Second(LearnerHook):
        def __call__(self, engine: BaseLearner) -> None:
            for arguments in ({}, {"fold": int(engine.exp_name[-1])}):
                with pytest.raises(ConfigError, match=r"/exp' is in use by .* \(this one\)") as caught:
                    folds(picture_folder, resume=True, **arguments)
                refused.append(str(caught.value))

    register_learner_hook("second_kfold", Second)
    hook = "policy.learn.learner.hook.second={'type': 'second_kfold', 'position': 'before_run'}"
    folds(picture_folder, settings=[hook])
    assert len(refused) == 4
    assert not list(Path("exp").rglob(".*"))
