"""Text that cannot be written is lost, and nothing else."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ding_cls.common.logs.streams import TolerantStream, print_line, tolerant_streams


def text_of(descriptor: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(open(descriptor, "wb"), encoding=encoding)


@pytest.fixture
def full_disk() -> Iterator[io.TextIOWrapper]:
    stream = text_of(os.open("/dev/full", os.O_WRONLY))
    yield stream
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    stream.close()


def test_writes_never_raise_and_the_first_failure_is_kept(full_disk: io.TextIOWrapper) -> None:
    full_disk.write("text")
    with pytest.raises(OSError, match="No space left"):
        full_disk.flush()
    stream = TolerantStream(full_disk)
    for _ in range(3):
        assert stream.write("x" * 100_000) == 100_000
        print("a line", file=stream, flush=True)
    assert isinstance(stream.failure, OSError)
    assert stream.failure.errno == errno.ENOSPC


def test_a_closed_stream_is_no_error() -> None:
    closed = io.StringIO()
    closed.close()
    stream = TolerantStream(closed)
    stream.write("text")
    assert isinstance(stream.failure, ValueError)
    assert not stream.isatty()


def test_what_is_written_arrives_and_names_that_are_not_utf8_keep_their_bytes() -> None:
    reader, writer = os.pipe()
    with text_of(writer) as pipe:
        stream = TolerantStream(pipe)
        print("plain", file=stream)
        print("d\udce9", file=stream)
        stream.flush()
        assert os.read(reader, 1000) == b"plain\nd\xe9\n"
        assert stream.failure is None
    os.close(reader)


def test_text_that_the_encoding_lacks_is_escaped() -> None:
    reader, writer = os.pipe()
    with text_of(writer, "ascii") as pipe:
        print("é", file=TolerantStream(pipe), flush=True)
        assert os.read(reader, 1000) == b"\\xe9\n"
    os.close(reader)


def test_print_line_tells_what_went_wrong(
    full_disk: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_line("seen")[1] is None
    assert capsys.readouterr().out == "seen\n"
    monkeypatch.setattr(sys, "stdout", full_disk)
    stream, failure = print_line("lost")
    assert stream is full_disk
    assert isinstance(failure, OSError)
    monkeypatch.setattr(sys, "stdout", None)
    assert print_line("nowhere") == (None, None)


def test_only_the_streams_of_the_process_are_replaced(
    full_disk: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", full_disk)
    with tolerant_streams():
        assert sys.stdout is shown
        print("lost", file=sys.stderr, flush=True)
        replaced = sys.stderr
        with tolerant_streams():
            assert sys.stderr is replaced
    assert (sys.stdout, sys.stderr) == (shown, full_disk)


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 0), (">/dev/full", 0), ("2>&-", 0), ("| true; exit ${PIPESTATUS[0]}", 0)],
)
@pytest.mark.parametrize("needs_stdout", [False, True])
def test_the_exit_code_is_that_of_what_was_done(redirection: str, code: int, needs_stdout: bool) -> None:
    program = (
        "import sys, time; from ding_cls.cli.exits import guarded; time.sleep(0.3); "
        "sys.exit(guarded(lambda: print('x' * 100), is_debugging=False, needs_stdout="
        f"{needs_stdout}))"
    )
    command = f'"{sys.executable}" -c "{program}" {redirection}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    is_lost = needs_stdout and redirection == ">/dev/full"
    assert done.returncode == (3 if is_lost else code)
    expected = (
        "error: the output could not be written: [Errno 28] No space left on device\n" if is_lost else ""
    )
    assert done.stderr == expected
