"""Publishing files and claiming folders: whole or not at all, and never the same folder twice."""

import multiprocessing
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from ding_cls.common.files import (
    atomic_write,
    create_unique_dir,
    fsync_folder,
    latest_folder,
    missing_parents,
    numbered_names,
    remove_claimed,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "state.bin"
    with atomic_write(target) as file:
        file.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["state.bin"]


def test_readers_see_the_old_content_until_then(tmp_path: Path) -> None:
    target = tmp_path / "state.bin"
    target.write_bytes(b"old")
    with atomic_write(target) as file:
        file.write(b"new and longer")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new and longer"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("had_old", [False, True])
def test_after_an_error_nothing_is_published_and_nothing_left(
    error: type[BaseException], had_old: bool, tmp_path: Path
) -> None:
    target = tmp_path / "state.bin"
    if had_old:
        target.write_bytes(b"old")
    with pytest.raises(error), atomic_write(target) as file:  # noqa: PT012
        file.write(b"half")
        assert len(names(tmp_path)) == 1 + had_old
        raise error
    assert names(tmp_path) == (["state.bin"] if had_old else [])
    assert not had_old or target.read_bytes() == b"old"


def test_temporary_names_of_two_hosts_and_of_one_process_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = tmp_path / "iteration_1.pth.tar", []
    for host in ("node-1", "node-2", "node-2", "a/host.of*odd" + 90 * "x"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        with atomic_write(target) as file:
            file.write(b"new")
            seen += [each.name for each in tmp_path.glob(".*.pth.tar.*.tmp")]
    assert len(set(seen)) == len(seen) == 4
    assert seen[0].startswith(f".iteration_1.pth.tar.node-1-{os.getpid()}-")
    assert max(map(len, seen)) < 100


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: '.*/state\.bin'"):  # noqa: PT012, SIM117
        with atomic_write(tmp_path / "state.bin") as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_a_failing_disk_publishes_nothing(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = []

    def fail(*args: Any) -> None:
        happened.append(args)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(call, fail)
    target = tmp_path / "state.bin"
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="Input/output error"), atomic_write(target) as file:
        file.write(b"new")
    assert len(happened) == 1
    assert (names(tmp_path), target.read_bytes()) == (["state.bin"], b"old")


def test_bytes_name_and_folder_are_synced_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watched_replace(source: Any, target: Any) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    with atomic_write(tmp_path / "state.bin") as file:
        file.write(b"new")
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o000, 0o666)])
def test_the_mode_follows_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "state.bin") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state.bin").stat().st_mode) == mode


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OSError, match="run"), atomic_write(tmp_path / "run" / "state.bin"):
        pass


def test_a_folder_where_the_file_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state.bin").mkdir()
    with pytest.raises(OSError, match=r"state\.bin"), atomic_write(tmp_path / "state.bin") as file:
        file.write(b"new")
    assert names(tmp_path) == ["state.bin"]


def test_names_with_spaces_dots_and_umlauts_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("a b.txt", ".hidden", "ü.bin", "x.tar.gz", "-n"):
        with atomic_write(str(tmp_path / name)) as file:
            file.write(name.encode())
        assert (tmp_path / name).read_bytes() == name.encode()
    assert len(names(tmp_path)) == 5


def test_a_missing_folder_cannot_be_synced(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fsync_folder(tmp_path / "absent")


def test_folders_are_claimed_in_order_and_gaps_are_filled(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "run"
    assert [create_unique_dir(wanted).name for _ in range(4)] == ["run", "run_2", "run_3", "run_4"]
    (tmp_path / "deep" / "run_2").rmdir()
    assert create_unique_dir(str(wanted)).name == "run_2"
    assert create_unique_dir(wanted).name == "run_5"


def test_a_file_or_a_dead_link_of_that_name_is_never_taken_over(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    (tmp_path / "run_2").symlink_to(tmp_path / "nowhere")
    assert create_unique_dir(tmp_path / "run") == tmp_path / "run_3"
    assert (tmp_path / "run").read_text() == "mine"


def test_a_file_in_the_place_of_the_parent_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(OSError, match="runs"):
        create_unique_dir(tmp_path / "runs" / "run")


def _claim(path: str, start: Any, found: Any) -> None:
    start.wait()
    found.put(str(create_unique_dir(path)))


def test_eight_processes_at_once_get_eight_folders(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(8), context.Queue()
    processes = [
        context.Process(target=_claim, args=(str(tmp_path / "x" / "run"), start, found)) for _ in range(8)
    ]
    for process in processes:
        process.start()
    claimed = {found.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 8
    assert {Path(each).name for each in claimed} == {"run", *(f"run_{number}" for number in range(2, 9))}


def test_eight_threads_at_once_get_eight_folders_ten_times(tmp_path: Path) -> None:
    claimed: list[Path] = []
    start = threading.Barrier(8)

    def claim() -> None:
        for _ in range(10):
            start.wait()
            claimed.append(create_unique_dir(tmp_path / "run"))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(claimed)) == len(claimed) == 80
    assert set(claimed) == set(tmp_path.iterdir())


def test_the_latest_folder_is_the_one_claimed_last(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert latest_folder(wanted) is None
    for _ in range(12):
        assert latest_folder(wanted) != (claimed := create_unique_dir(wanted))
        assert latest_folder(wanted) == claimed
    assert claimed.name == "run_12"


def test_the_latest_folder_is_none_of_another_name(tmp_path: Path) -> None:
    for other in (
        "run_x",
        "run_2_3",
        "run_-4",
        "other_9",
        "run_1",
        "run_0",
        "run_007",
        "run_٣",
        "RUN_8",
        "run_",
    ):
        (tmp_path / other).mkdir()
    (tmp_path / "run_99").write_text("a file")
    assert latest_folder(tmp_path / "run") is None
    (tmp_path / "run_3").mkdir()
    assert latest_folder(tmp_path / "run") == tmp_path / "run_3"
    assert latest_folder(tmp_path / "absent" / "run") is None


def test_a_folder_that_was_claimed_in_vain_goes_with_the_parents_that_were_made_for_it(
    tmp_path: Path,
) -> None:
    wanted = tmp_path / "runs" / "deep" / "run"
    assert missing_parents(wanted) == [tmp_path / "runs" / "deep", tmp_path / "runs"]
    parents = missing_parents(wanted)
    (create_unique_dir(wanted) / "file").touch()
    remove_claimed(wanted, parents)
    assert list(tmp_path.iterdir()) == []
    parents = missing_parents(wanted)
    create_unique_dir(wanted)
    (tmp_path / "runs" / "another").touch()
    remove_claimed(wanted, parents)
    assert [each.name for each in (tmp_path / "runs").iterdir()] == ["another"]
    assert missing_parents(tmp_path / "runs" / "run") == []


def test_the_first_free_name_is_the_one_that_is_claimed(tmp_path: Path) -> None:
    wanted = tmp_path / "x"
    for name in ("x", "x_2"):
        assert next(each for each in numbered_names(wanted) if not each.exists()) == tmp_path / name
        assert create_unique_dir(wanted) == tmp_path / name
    assert next(each for each in numbered_names(wanted) if not each.exists()) == tmp_path / "x_3"
