"""A log file that cannot be written costs one line; what can be written later is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ding_cls.common.logs.log import buffered_logger, close_logger, release, text_logger


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.getuid() != 0 or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("not run: needs root, and a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with open(folder / "rest", "ab", buffering=0) as file:
        file.write(bytes(2**20))
        with pytest.raises(OSError, match="No space left"):
            file.write(b"x")


def test_a_full_disk_is_one_warning_and_later_lines_are_written(
    full_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two loggers of a run write one file.
    file = full_disk / "log.txt"
    loggers = [text_logger(name, file) for name in ("one", "two")]
    loggers[0].info("before")
    fill(full_disk)
    for number in range(100):
        loggers[number % 2].info(f"line {number} " + "." * 100)
    printed = capsys.readouterr()
    assert printed.err == ""
    (warning,) = [line for line in printed.out.splitlines() if str(file) in line]
    assert warning.startswith(f"'{file}' cannot be written: No space left on device; ")
    assert warning.endswith("; training goes on")
    (full_disk / "rest").unlink()
    loggers[1].info("after")
    lines = file.read_text().splitlines()
    assert lines[0].endswith("INFO before")
    assert lines[-1].endswith("INFO after")
    assert lines[-1].startswith("[")
    # Those that found no room came in their order once there was some.
    assert [line.split()[4] for line in lines[1:-1]] == [str(number) for number in range(100)]


def test_lines_that_wait_are_written_at_the_end(full_disk: Path) -> None:
    file = full_disk / "log.txt"
    logger = text_logger("one", file)
    fill(full_disk)
    for number in range(100):
        logger.info(f"line {number} " + "." * 100)
    (full_disk / "rest").unlink()
    close_logger(logger)
    assert [line.split()[4] for line in file.read_text().splitlines()] == [str(n) for n in range(100)]


def test_a_deleted_folder_is_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log" / "learner.txt"
    logger = text_logger("run", file)
    logger.info("before")
    shutil.rmtree(file.parent)
    logger.info("one")
    logger.info("two")
    assert [line.rpartition(" ")[2] for line in file.read_text().splitlines()] == ["one", "two"]
    shutil.rmtree(file.parent)
    logger.info("three")
    assert capsys.readouterr().out.count("was deleted, and is made anew") == 1


def test_a_lost_stdout_is_one_line_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", closefd=False) as pipe:
        with pytest.raises(BrokenPipeError):
            print("x", file=pipe, flush=True)
        monkeypatch.setattr(sys, "stdout", pipe)
        logger, held = text_logger("run", tmp_path / "run.txt"), buffered_logger("held")
        held.info("zero")
        release(held, tmp_path / "run.txt")
        for each in ("one", "two"):
            logger.info(each)
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)
    os.close(writer)
    lines = (tmp_path / "run.txt").read_text().splitlines()
    assert [line.partition("] ")[2] for line in lines] == [
        "WARNING stdout cannot be written ([Errno 32] Broken pipe): this file has every line",
        "INFO zero",
        "INFO one",
        "INFO two",
    ]
