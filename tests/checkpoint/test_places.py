"""Where the checkpoints of a run lie, and what is said where there are none."""

from pathlib import Path

import pytest

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.checkpoint.places import BEST_NAME, best_file, checkpoint_file, checkpoint_folder
from ding_cls.errors import CheckpointError
from tests.checkpoint.test_keeper import folder as folder
from tests.checkpoint.test_keeper import name, save


def test_the_best_file_is_found_inside_and_outside_a_run(folder: Path) -> None:
    run = folder.parent
    assert best_file(run) == folder / "ckpt_best.pth.tar"
    save(CheckpointKeeper(folder), 1, 2)
    assert best_file(run) == best_file(folder) == folder / name(2)
    CheckpointKeeper(folder).save("ckpt_best.pth.tar", {})
    assert best_file(run) == best_file(folder) == folder / "ckpt_best.pth.tar"


def test_checkpoints_lie_in_the_run_or_in_a_folder_of_its_name() -> None:
    assert checkpoint_folder("runs/a") == Path("runs/a/ckpt")
    assert checkpoint_folder("runs/a/", "out") == Path("out/a")


def test_a_user_names_a_file_or_the_folder_of_a_run(tmp_path: Path) -> None:
    best = tmp_path / "run" / "ckpt" / BEST_NAME
    best.parent.mkdir(parents=True)
    best.touch()
    assert checkpoint_file(tmp_path / "run") == checkpoint_file(best) == best
    (tmp_path / "kfold" / "fold_0").mkdir(parents=True)
    (tmp_path / "kfold" / "fold_1").mkdir()
    with pytest.raises(
        CheckpointError, match=r"kfold' holds the runs of 2 folds; name one, such as .*fold_0$"
    ):
        checkpoint_file(tmp_path / "kfold")


def test_a_checkpoint_that_is_not_there_is_answered_by_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/pets/ckpt").mkdir(parents=True)
    Path("runs/pets/log").mkdir()
    Path("empty").mkdir()
    for word, expected in {
        "nowhere": "there is no checkpoint 'nowhere'",
        "no/where": "there is no checkpoint 'no/where'",
        "runs/pet": "there is no checkpoint 'runs/pet'; there are the runs runs/pets",
        "runs/pets": "'runs/pets' holds no checkpoint (it has ckpt, log); name a run's folder with one in "
        "its ckpt/, or a file",
        "runs": "'runs' is no run's folder; it has those of runs/pets: name one",
        "empty": "'empty' holds no checkpoint (it is empty); name a run's folder with one in its ckpt/, or a "
        "file",
    }.items():
        with pytest.raises(CheckpointError) as caught:
            checkpoint_file(word)
        assert str(caught.value) == expected
    for number in range(7):
        Path(f"runs/pets/ckpt/iteration_{number}.pth.tar").touch()
    with pytest.raises(
        CheckpointError, match=r"'runs/pets/ckpt' has iteration_0.* iteration_4\.pth\.tar and 2 more$"
    ):
        checkpoint_file("runs/pets/ckpt/best.pth.tar")
