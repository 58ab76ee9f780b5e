"""The folder of checkpoints: how many stay, which is the newest good one, what is said about the others."""

import logging
from pathlib import Path

import pytest

from ding_cls.checkpoint import CheckpointKeeper, read_checkpoint
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.errors import CheckpointError

LOGGER = logging.getLogger("test")


def name(number: int) -> str:
    return f"iteration_{number}.pth.tar"


def save(keeper: CheckpointKeeper, *numbers: int) -> None:
    for number in numbers:
        keeper.save(name(number), {"last_iter": number})


def damage(path: Path) -> None:
    """Flip one bit of the state itself."""
    content = bytearray(path.read_bytes())
    at = content.index(b"last_iter")
    content[at] ^= 1
    path.write_bytes(content)


def numbers(keeper: CheckpointKeeper) -> list[int]:
    return [read_checkpoint(path)["last_iter"] for path in keeper.iterations()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ckpt"


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (1, [10]),
        (2, [10, 9]),
        (3, [10, 9, 8]),
        (10, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (0, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_the_last_k_stay_and_0_keeps_all(keep: int, left: list[int], folder: Path) -> None:
    keeper = CheckpointKeeper(folder, keep=keep)
    save(keeper, *range(1, 11))
    assert numbers(keeper) == left
    assert sorted(path.name for path in folder.iterdir()) == sorted(map(name, left))


def test_a_file_is_rewritten_under_all_its_names(folder: Path) -> None:
    keeper = CheckpointKeeper(folder)
    keeper.save(BEST_NAME, {"last_iter": 1}, alias="best_93.pth.tar")
    save(keeper, 1)
    keeper.rewrite(BEST_NAME, {"last_iter": 1, "more": 2})
    assert read_checkpoint(folder / BEST_NAME) == {"last_iter": 1, "more": 2}
    assert (folder / "best_93.pth.tar").samefile(folder / BEST_NAME)
    assert read_checkpoint(folder / name(1)) == {"last_iter": 1}
    assert len(list(folder.iterdir())) == 3


def test_an_alias_is_the_same_file_and_goes_with_it(folder: Path) -> None:
    keeper = CheckpointKeeper(folder, keep=2)
    for number in (1, 2, 3):
        keeper.save(name(number), {"last_iter": number}, alias=f"epoch_{number}.pth")
    assert sorted(path.name for path in folder.iterdir()) == ["epoch_2.pth", "epoch_3.pth", name(2), name(3)]
    assert (folder / "epoch_3.pth").samefile(folder / name(3))
    assert numbers(keeper) == [3, 2]


def test_an_alias_moves_to_the_newest_file(folder: Path) -> None:
    keeper = CheckpointKeeper(folder)
    for number in (1, 2, 2):
        keeper.save(name(number), {"last_iter": number}, alias="latest")
        assert read_checkpoint(folder / "latest")["last_iter"] == number
    assert sorted(path.name for path in folder.iterdir()) == [name(1), name(2), "latest"]


@pytest.mark.parametrize(("is_only", "left"), [(False, ["a", "b", "best"]), (True, ["b", "best"])])
def test_the_alias_of_a_replaced_file_stays_or_goes(is_only: bool, left: list[str], folder: Path) -> None:
    keeper = CheckpointKeeper(folder)
    keeper.save("best", {"score": 1}, alias="a", is_only=is_only)
    keeper.save("best", {"score": 2}, alias="b", is_only=is_only)
    keeper.save("best", {"score": 3}, alias="b", is_only=is_only)
    assert sorted(path.name for path in folder.iterdir()) == left
    assert read_checkpoint(folder / "b") == read_checkpoint(folder / "best") == {"score": 3}
    if not is_only:
        assert read_checkpoint(folder / "a") == {"score": 1}


def test_what_a_killed_process_left_of_an_alias_is_swept(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".latest.pth.tar.link.tmp").touch()
    CheckpointKeeper(folder).save(name(1), {"last_iter": 1})
    assert [path.name for path in folder.iterdir()] == [name(1)]


def test_three_are_kept_by_default(folder: Path) -> None:
    keeper = CheckpointKeeper(folder)
    save(keeper, 1, 2, 3, 4)
    assert numbers(keeper) == [4, 3, 2]


def test_the_order_is_that_of_numbers_not_of_letters(folder: Path) -> None:
    keeper = CheckpointKeeper(folder, keep=2)
    save(keeper, 8, 9, 10, 100)
    assert numbers(keeper) == [100, 10]


def test_files_of_other_names_are_neither_counted_nor_removed(folder: Path) -> None:
    keeper = CheckpointKeeper(folder, keep=1)
    others = [
        "ckpt_best.pth.tar",
        "mine.pth.tar",
        "iteration_.pth.tar",
        "iteration_5.pth",
        "xiteration_5.pth.tar",
    ]
    for other in others:
        keeper.save(other, {"last_iter": 0})
    save(keeper, 1, 2)
    keeper.save("ckpt_best.pth.tar", {"last_iter": 2})
    assert numbers(keeper) == [2]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*others, name(2)])


def test_saving_another_name_removes_nothing(folder: Path) -> None:
    save(CheckpointKeeper(folder, keep=0), 1, 2, 3)
    keeper = CheckpointKeeper(folder, keep=1)
    keeper.save("ckpt_best.pth.tar", {"last_iter": 3})
    assert numbers(keeper) == [3, 2, 1]
    save(keeper, 4)
    assert numbers(keeper) == [4]


def test_saving_a_number_again_replaces_it(folder: Path) -> None:
    keeper = CheckpointKeeper(folder, keep=2)
    save(keeper, 1, 2)
    path = keeper.save(name(2), {"last_iter": 2, "again": True})
    assert path == folder / name(2)
    assert read_checkpoint(path)["again"] is True
    assert numbers(keeper) == [2, 1]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_after_a_fallback_the_file_just_written_stays(keep: int, folder: Path) -> None:
    save(CheckpointKeeper(folder, keep=0), 10, 20, 30, 40)
    for number in (20, 30, 40):
        damage(folder / name(number))
    keeper = CheckpointKeeper(folder, keep=keep)
    for number in (12, 14, 16, 18):
        save(keeper, number)
        found = keeper.newest_good(LOGGER)
        assert found is not None
        assert found[1]["last_iter"] == number
    expected = [18, 16, 14][:keep]
    assert [int(path.name[10:-8]) for path in keeper.iterations()] == [40, 30, 20, *expected]


def test_old_files_go_only_after_the_new_one_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = CheckpointKeeper(folder, keep=1)
    save(keeper, 1)
    steps = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        steps.append((path.name, numbers(keeper)))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    save(keeper, 2)
    assert steps == [(name(1), [2, 1])]


def test_a_failed_save_removes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = CheckpointKeeper(folder, keep=1)
    save(keeper, 1)

    def no_space(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        save(keeper, 2)
    assert numbers(keeper) == [1]
    assert len(list(folder.iterdir())) == 1


def test_the_newest_good_file_is_found(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = CheckpointKeeper(folder)
    save(keeper, 9, 10)
    keeper.save("ckpt_best.pth.tar", {"last_iter": 999})
    assert keeper.newest_good(LOGGER) == (folder / name(10), {"last_iter": 10})
    assert caplog.messages == []


def test_damaged_files_are_named_and_the_one_before_is_taken(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = CheckpointKeeper(folder, keep=0)
    save(keeper, 1, 2, 3, 4)
    damage(folder / name(4))
    cut = folder / name(3)
    cut.write_bytes(cut.read_bytes()[:100])
    (folder / name(5)).write_bytes(b"")
    assert keeper.newest_good(LOGGER) == (folder / name(2), {"last_iter": 2})
    assert len(caplog.messages) == 3
    for message, path in zip(caplog.messages, map(name, (5, 4, 3)), strict=True):
        assert str(folder / path) in message
        assert message.endswith("; trying the one before it")
    assert "(0 bytes)" in caplog.messages[0]
    assert "(100 bytes)" in caplog.messages[2]


def test_no_good_file_at_all_is_an_error(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = CheckpointKeeper(folder)
    save(keeper, 1, 2)
    for number in (1, 2):
        damage(folder / name(number))
    with pytest.raises(CheckpointError, match=f"none of the 2 checkpoints in '{folder}' can be used"):
        keeper.newest_good(LOGGER)
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("make", [False, True])
def test_no_file_is_no_error(make: bool, folder: Path) -> None:
    if make:
        folder.mkdir(parents=True)
    keeper = CheckpointKeeper(folder)
    assert keeper.newest_good(LOGGER) is None
    assert keeper.iterations() == []
    assert folder.exists() is make


def test_what_a_killed_save_left_is_swept_by_the_next(tmp_path: Path) -> None:
    keeper = CheckpointKeeper(tmp_path)
    (tmp_path / ".iteration_7.pth.tar.4242.tmp").write_bytes(b"half a checkpoint")
    (tmp_path / ".notes.tmp").write_bytes(b"the user's own")
    keeper.save("iteration_8.pth.tar", {"last_iter": 8})
    assert sorted(each.name for each in tmp_path.iterdir()) == [".notes.tmp", "iteration_8.pth.tar"]
