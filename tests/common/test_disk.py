"""Which errors are a disk's, and what is said of its room."""

import errno
from pathlib import Path

import pytest

from ding_cls.common.disk import disk_error, existing_folder, free_bytes, is_full, megabytes, os_error_behind


def test_the_system_error_behind_another_one_is_found() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert os_error_behind(full) is full
    error = RuntimeError("unexpected pos 3 vs 1")
    error.__context__ = ValueError()
    error.__context__.__context__ = full
    assert os_error_behind(error) is full
    assert os_error_behind(RuntimeError("of another kind")) is None
    circle = RuntimeError()
    circle.__context__ = ValueError()
    circle.__context__.__context__ = circle
    assert os_error_behind(circle) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS])
def test_what_a_disk_does_is_one_line_that_names_the_file(code: int, tmp_path: Path) -> None:
    error = disk_error(OSError(code, "what the system says", str(tmp_path / "a file")))
    assert error is not None
    assert error.exit_code == 3
    text = str(error)
    assert text.startswith(f"'{tmp_path}/a file' could not be written: what the system says")
    assert "\n" not in text
    assert (" free at " in text) == is_full(OSError(code, ""))
    unnamed = disk_error(OSError(code, "what the system says"))
    assert unnamed is not None
    assert "a file could not be written" in str(unnamed)


def test_other_errors_are_none_of_a_disk() -> None:
    for error in (FileNotFoundError(2, "missing"), BrokenPipeError(32, "no reader"), ValueError("x")):
        assert disk_error(error) is None


def test_the_room_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    assert existing_folder(tmp_path / "a" / "b") == tmp_path
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_sizes_have_the_digits_that_tell_them_apart() -> None:
    assert [megabytes(each) for each in (0, 419_599, 97_800_000, 1_204_000_000)] == [
        "0.00 MB",
        "0.42 MB",
        "97.8 MB",
        "1,204 MB",
    ]
