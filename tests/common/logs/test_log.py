"""Lines and numbers: the terminal, the text file, ``metrics.jsonl``, TensorBoard."""

import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from tensorboardX import SummaryWriter
from tensorboardX.event_file_writer import EventFileWriter
from tensorboardX.proto.event_pb2 import Event

from ding_cls.common.logs.log import (
    MetricsFile,
    append_lines,
    buffered_logger,
    build_logger,
    close_logger,
    forward_library_logs,
    print_through,
    quiet_logger,
    release,
    text_logger,
    write_only,
    write_scalars,
)


def events(folder: Path) -> list[Event]:
    """Read the event files by their format: length, its checksum, the message, its checksum."""
    found = []
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            found.append(Event.FromString(content[at + 12 : at + 12 + length]))
            at += 16 + length
    return [event for event in found if event.HasField("summary")]


def test_a_line_goes_to_the_terminal_plain_and_to_the_file_with_time_and_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = text_logger("part", tmp_path / "deep" / "part.txt")
    logger.info("loss: %.2f", 0.5)
    logger.warning("ü and 日本")
    logger.debug("not shown")
    close_logger(logger)
    assert capsys.readouterr().out == "loss: 0.50\nü and 日本\n"
    lines = (tmp_path / "deep" / "part.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == ["INFO loss: 0.50", "WARNING ü and 日本"]
    assert all(line.startswith("[20") for line in lines)


def test_a_second_logger_appends_to_the_file(tmp_path: Path) -> None:
    for number in range(2):
        logger = text_logger("part", tmp_path / "part.txt")
        logger.info(f"run {number}")
        close_logger(logger)
    assert len((tmp_path / "part.txt").read_text().splitlines()) == 2


def test_two_runs_in_one_process_never_share_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = text_logger("part", tmp_path / "one.txt"), text_logger("part", tmp_path / "other.txt")
    one.info("first")
    other.info("second")
    assert capsys.readouterr().out == "first\nsecond\n"
    for logger in (one, other):
        close_logger(logger)
    assert "second" not in (tmp_path / "one.txt").read_text()
    assert "part" not in logging.Logger.manager.loggerDict


def test_a_name_that_is_not_utf8_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger = text_logger("part", tmp_path / "part.txt")
    logger.info("'%s' is broken", b"\xff.png".decode("utf-8", "surrogateescape"))
    close_logger(logger)
    assert "'\\udcff.png' is broken" in (tmp_path / "part.txt").read_text()


def test_a_quiet_logger_lets_warnings_through_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logger = quiet_logger("rank 1")
    logger.info("progress")
    logger.warning("trouble")
    logger.error("worse")
    assert capsys.readouterr().out == "trouble\nworse\n"


def test_what_a_part_says_comes_out_here_and_only_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    part = logging.getLogger("ding_cls.some.part")
    with forward_library_logs(text_logger("run")):
        part.info("a rate of %g", 0.5)
        with pytest.raises(ValueError, match="inner"), forward_library_logs(text_logger("kfold")):
            raise ValueError("inner")
        part.debug("a detail")
    part.info("too late")
    assert capsys.readouterr().out == "a rate of 0.5\n"
    assert part.getEffectiveLevel() == logging.WARNING


def test_a_closed_logger_writes_nothing_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = text_logger("part", tmp_path / "part.txt")
    logger.info("one")
    close_logger(logger)
    close_logger(logger)
    assert logger.handlers == []
    assert len((tmp_path / "part.txt").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("need_text", "need_tb"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_build_logger_makes_what_is_asked_for(need_text: bool, need_tb: bool, tmp_path: Path) -> None:
    logger, writer = build_logger(str(tmp_path), need_tb=need_tb, need_text=need_text)
    assert (logger is not None, writer is not None) == (need_text, need_tb)
    if logger is not None:
        logger.info("hello")
        close_logger(logger)
        assert "hello" in (tmp_path / "default.txt").read_text()
    if writer is not None:
        writer.close()
    assert bool(list(tmp_path.glob("events.*"))) is need_tb


def test_several_scalars_are_one_event_with_exact_tags_values_and_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = []
    add_event = EventFileWriter.add_event
    monkeypatch.setattr(
        EventFileWriter, "add_event", lambda self, event: added.append(event) or add_event(self, event)
    )
    writer = SummaryWriter(str(tmp_path))
    before = len(added)
    write_scalars(writer, {"learner_iter/loss": 0.5, "a b/ü": 2.0, "nan": math.nan}, 7)
    assert len(added) - before == 1
    writer.close()
    (event,) = events(tmp_path)
    assert event.step == 7
    values = {each.tag: each.simple_value for each in event.summary.value}
    assert (values["learner_iter/loss"], values["a b/ü"]) == (0.5, 2.0)
    assert math.isnan(values["nan"])


def test_another_writer_gets_one_call_for_each_value() -> None:
    calls: list[tuple[Any, ...]] = []

    class Writer:
        def add_scalar(self, *args: Any) -> None:
            calls.append(args)

    write_scalars(Writer(), {"a": 1.0, "b": 2.0}, 3)
    assert calls == [("a", 1.0, 3), ("b", 2.0, 3)]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "deep" / "metrics.jsonl")
    assert file.rows() == []
    rows = [
        {"kind": "eval", "train_iter": 3, "loss": 0.1 + 0.2, "name": "ü\n\u2028"},
        {"kind": "epoch", "train_iter": 3, "nested": {"a": [1, None, True]}},
    ]
    for row in rows:
        file.append(row)
    assert file.rows() == rows
    assert len(file.path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_become_null_at_any_depth(value: float, tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.append({"kind": "eval", "train_iter": 1, "loss": value, "per_class": {"acc": [1.0, value]}})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    (line,) = file.path.read_text().splitlines()
    row = json.loads(line, parse_constant=refuse)
    assert row == {"kind": "eval", "train_iter": 1, "loss": None, "per_class": {"acc": [1.0, None]}}


def test_a_line_cut_off_by_a_kill_is_left_out_and_hurts_no_other(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for number in range(3):
        file.append({"kind": "iter", "train_iter": number})
    whole = file.path.read_bytes()
    start, checked = whole.rindex(b"{"), 0
    for length in range(start + 1, len(whole)):
        file.path.write_bytes(whole[:length])
        kept = [0, 1] if length < len(whole) - 1 else [0, 1, 2]
        assert [row["train_iter"] for row in file.rows()] == kept
        file.append({"kind": "iter", "train_iter": 9})
        assert [row["train_iter"] for row in file.rows()] == [*kept, 9]
        checked += 1
    assert checked == len(whole) - start - 1 > 20


def test_a_resumed_run_drops_what_it_will_write_again(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for train_iter in range(1, 6):
        for kind in ("iter", "eval", "epoch"):
            file.append({"kind": kind, "train_iter": train_iter})
    file.cut_after(4, kinds_at=frozenset({"eval", "epoch"}))
    at_4 = [row["kind"] for row in file.rows() if row["train_iter"] == 4]
    assert at_4 == ["iter"]
    assert len(file.rows()) == 10
    file.cut_after(4)
    assert len(file.rows()) == 10
    file.cut_after(0)
    assert file.path.read_bytes() == b""
    assert [each.name for each in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_cutting_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "metrics.jsonl").cut_after(3)
    assert list(tmp_path.iterdir()) == []


def lines_of(file: Path) -> list[str]:
    return [line.split("] ", 1)[1] for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_held_logger_prints_at_once_and_writes_all_when_its_file_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = buffered_logger("run")
    logger.warning("early")
    assert capsys.readouterr().out == "early\n"
    release(logger, tmp_path / "deep" / "run.txt")
    logger.info("late")
    assert capsys.readouterr().out == "late\n"
    assert lines_of(tmp_path / "deep" / "run.txt") == ["WARNING early", "INFO late"]
    close_logger(logger)


def test_a_held_logger_without_a_file_ends_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    logger = buffered_logger("run")
    logger.info("alone")
    close_logger(logger)
    assert capsys.readouterr().out == "alone\n"


def test_what_one_prints_through_another_is_printed_once_and_in_both_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = text_logger("one", tmp_path / "one.txt"), text_logger("other", tmp_path / "other.txt")
    print_through(one, other)
    one.info("said %d times", 1)
    write_only(one, "kept\nquiet")
    other.info("mine")
    assert capsys.readouterr().out == "said 1 times\nmine\n"
    assert lines_of(tmp_path / "one.txt") == ["INFO said 1 times", "INFO kept", "INFO quiet"]
    assert lines_of(tmp_path / "other.txt") == ["INFO said 1 times", "INFO mine"]


def test_what_is_written_only_keeps_to_the_loggers_level(tmp_path: Path) -> None:
    logger = text_logger("part", tmp_path / "part.txt")
    logger.setLevel(logging.ERROR)
    write_only(logger, "small")
    write_only(logger, "great", logging.ERROR)
    assert lines_of(tmp_path / "part.txt") == ["ERROR great"]


def test_lines_printed_by_other_means_are_appended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append_lines(tmp_path / "part.txt", "one\n\n  two\n")
    assert lines_of(tmp_path / "part.txt") == ["INFO one", "INFO ", "INFO   two"]
    assert capsys.readouterr().out == ""
