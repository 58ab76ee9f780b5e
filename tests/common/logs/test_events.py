"""TensorBoard's event files: written at once, on any disk, and cut where a run resumes."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from ding_cls.common.logs.events import EventWriter, resume_events, write_at_once, write_scalars
from tests.common.logs.test_append import disk_of

PATTERN = "events.out.tfevents.*"


def all_events(folder: Path) -> list[Event]:
    """Return the events of a folder's files, all whole, in the order in which TensorBoard reads them."""
    found = []
    for path in sorted(folder.glob(PATTERN)):
        content, at = path.read_bytes(), 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            assert at + 16 + length <= len(content)
            found.append(Event.FromString(content[at + 12 : at + 12 + length]))
            at += 16 + length
    return found


def points(folder: Path) -> list[tuple[str, int]]:
    return [(value.tag, event.step) for event in all_events(folder) for value in event.summary.value]


def starts(folder: Path) -> list[int]:
    return [event.step for event in all_events(folder) if event.session_log.status == SessionLog.START]


@pytest.fixture
def own(tmp_path: Path) -> EventWriter:
    return EventWriter(tmp_path / "log")


def users(folder: Path) -> SummaryWriter:
    writer = SummaryWriter(str(folder))
    write_at_once(writer)
    return writer


def test_it_is_a_summary_writer_with_one_file_and_no_thread(own: EventWriter, tmp_path: Path) -> None:
    threads = threading.active_count()
    own.add_scalar("a", 0.5, 1)
    own.add_histogram("b", [1.0, 2.0], 2)
    own.add_text("c", "words", 3)
    write_scalars(own, {"d": 1.0, "e": 2.0}, 4)
    # Nothing was flushed or closed.
    assert points(tmp_path / "log")[:2] == [("a", 1), ("b", 2)]
    assert points(tmp_path / "log")[-2:] == [("d", 4), ("e", 4)]
    assert all_events(tmp_path / "log")[0].file_version == "brain.Event:2"
    assert len(list((tmp_path / "log").iterdir())) == 1
    assert threading.active_count() == threads
    own.close()
    own.close()


def test_each_line_of_add_scalars_has_its_folder(own: EventWriter, tmp_path: Path) -> None:
    for step in (1, 2):
        own.add_scalars("loss", {"train": 1.0, "val": 2.0}, step)
    for name in ("train", "val"):
        assert points(tmp_path / "log" / "loss" / name) == [("loss", 1), ("loss", 2)]


@pytest.mark.parametrize("make", [EventWriter, users])
def test_a_full_disk_costs_one_warning_and_later_events_come(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make(tmp_path / "log")
    writer.add_scalar("a", 1.0, 0)
    (file,) = (tmp_path / "log").iterdir()
    with disk_of(file.stat().st_size + 20):
        began = time.monotonic()
        # More than the queue of tensorboardX holds.
        for step in range(1, 50):
            writer.add_scalar("a", 1.0, step)
        writer.flush()
        assert time.monotonic() - began < 5
        assert points(tmp_path / "log") == [("a", 0)]
    writer.add_scalar("a", 1.0, 50)
    writer.close()
    assert points(tmp_path / "log") == [("a", step) for step in range(51)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(file) in caplog.text


@pytest.mark.parametrize("make", [EventWriter, users])
def test_a_clock_set_back_by_months_stops_nothing(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make(tmp_path / "log")
    writer.add_scalar("a", 1.0, 0)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 200 * 86_400)
    for step in range(1, 50):
        writer.add_scalar("a", 1.0, step)
    writer.close()
    # A file of now must be read behind that of then.
    later = EventWriter(tmp_path / "log")
    later.add_scalar("a", 1.0, 50)
    assert points(tmp_path / "log") == [("a", step) for step in range(51)]


def test_a_deleted_folder_comes_back_whole(own: EventWriter, tmp_path: Path) -> None:
    own.add_scalar("a", 1.0, 0)
    shutil.rmtree(tmp_path / "log")
    own.add_scalar("a", 1.0, 1)
    assert all_events(tmp_path / "log")[0].file_version
    assert points(tmp_path / "log") == [("a", 1)]


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log").write_text("a file")
    writer = EventWriter(tmp_path / "log" / "serial")
    writer.add_scalar("a", 1.0, 0)
    writer.close()
    assert len(caplog.records) == 1


def test_a_users_writer_goes_on_in_its_own_file_with_what_it_had(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "log"))
    writer.add_scalar("before", 1.0, 0)
    threaded = writer.file_writer.event_writer
    write_at_once(writer)
    write_at_once(writer)
    writer.add_scalar("after", 1.0, 1)
    assert points(tmp_path / "log") == [("before", 0), ("after", 1)]
    assert len(list((tmp_path / "log").iterdir())) == 1
    assert threaded._closed


# What its thread had open, nobody can close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_users_writer_that_hangs_already_is_set_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ding_cls.common.logs.events._PATIENCE_S", 0.5)
    writer = SummaryWriter(str(tmp_path / "log"), flush_secs=0)
    thread = writer.file_writer.event_writer._worker
    with disk_of(0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda arguments: None)
        writer.add_scalar("lost", 1.0, 0)
        thread.join(10)
        assert not thread.is_alive()
        for step in range(9):
            writer.add_scalar("lost", 1.0, step)
        write_at_once(writer)
        writer.add_scalar("a", 1.0, 1)
    writer.close()
    assert ("a", 1) in points(tmp_path / "log")


def test_other_writers_stay_as_they_are() -> None:
    plain = SummaryWriter(write_to_disk=False)
    before = dict(vars(plain))
    for writer in (None, object(), plain):
        write_at_once(writer, lambda: 1)
    assert vars(plain) == before


def logged(writer: Any, counter: list[int], *, first: int, last: int) -> None:
    """Log as a run does: by updates, by epochs of two updates, by images."""
    write_at_once(writer, lambda: counter[0])
    for update in range(first, last + 1):
        counter[0] = update
        if update > first or first == 1:
            write_scalars(writer, {"learner/loss": 1.0}, update)
            writer.add_scalar("images", 1.0, 8 * update)
        # What follows is written after the checkpoint of this update.
        if update % 2 == 0:
            write_scalars(writer, {"evaluator/acc1": 1.0}, update)
            write_scalars(writer, {"epoch/loss": 1.0}, update // 2 - 1)


@pytest.mark.parametrize("saved", [2, 3, 4])
def test_after_a_resume_everything_stands_once_whatever_its_step_counts(saved: int, tmp_path: Path) -> None:
    counter = [0]
    logged(EventWriter(tmp_path / "whole" / "serial"), counter, first=1, last=6)
    logged(EventWriter(tmp_path / "run" / "serial"), counter, first=1, last=5)
    resumed = EventWriter(tmp_path / "run" / "serial")
    counter[0] = saved
    write_at_once(resumed, lambda: counter[0])
    resume_events(resumed, tmp_path / "run", saved)
    logged(resumed, counter, first=saved, last=6)
    expected = points(tmp_path / "whole" / "serial")
    assert len(expected) == len(set(expected)) == 18
    assert points(tmp_path / "run" / "serial") == expected


def test_a_resume_at_every_kill_of_every_write_leaves_each_event_once(tmp_path: Path) -> None:
    counter = [0]
    logged(EventWriter(tmp_path / "whole"), counter, first=1, last=4)
    expected = points(tmp_path / "whole")
    (whole,) = (tmp_path / "whole").iterdir()
    content = whole.read_bytes()
    checked = 0
    for number, length in enumerate(range(40, len(content) + 1, 7)):
        folder = tmp_path / f"cut_{number}"
        folder.mkdir()
        (folder / whole.name).write_bytes(content[:length])
        resumed = EventWriter(folder)
        counter[0] = 0
        resume_events(resumed, folder, 0)
        logged(resumed, counter, first=1, last=4)
        assert points(folder) == expected
        checked += 1
    assert checked > 50


def test_an_open_viewer_is_told_unless_that_would_cost_what_stays(tmp_path: Path) -> None:
    for name, step, told in (("updates", 2, [3]), ("images", 16, [])):
        folder = tmp_path / name
        first = EventWriter(folder)
        write_at_once(first, lambda: 2)
        first.add_scalar(name, 1.0, step)
        second = EventWriter(folder)
        resume_events(second, folder, 2)
        assert starts(folder) == told
        assert points(folder) == [(name, step)]


def test_resuming_without_files_or_with_another_writer_writes_nothing(tmp_path: Path) -> None:
    resume_events(object(), tmp_path, 3)
    resume_events(None, tmp_path / "none", 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorboard_itself_reads_each_event_once(tmp_path: Path) -> None:
    name = "tensorboard.backend.event_processing.event_accumulator"
    accumulator = pytest.importorskip(name, reason="not run: tensorboard is not installed")
    counter = [0]
    logged(EventWriter(tmp_path / "log"), counter, first=1, last=5)
    for saved in (4, 3):
        resumed = EventWriter(tmp_path / "log")
        counter[0] = saved
        resume_events(resumed, tmp_path, saved)
        logged(resumed, counter, first=saved, last=6)
    seen = accumulator.EventAccumulator(str(tmp_path / "log"), size_guidance={"scalars": 0})
    seen.Reload()
    steps = {tag: [event.step for event in seen.Scalars(tag)] for tag in seen.Tags()["scalars"]}
    assert steps == {
        "learner/loss": [1, 2, 3, 4, 5, 6],
        "images": [8, 16, 24, 32, 40, 48],
        "evaluator/acc1": [2, 4, 6],
        "epoch/loss": [0, 1, 2],
    }


@pytest.mark.slow
def test_pytorchs_writer_is_taken_over_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("tensorboard", reason="not run: tensorboard is not installed")
    from torch.utils.tensorboard import SummaryWriter as TorchWriter

    writer = TorchWriter(str(tmp_path / "log"))
    write_at_once(writer, lambda: 1)
    (file,) = (tmp_path / "log").iterdir()
    with disk_of(file.stat().st_size + 5):
        for step in range(50):
            writer.add_scalar("a", 1.0, step)
    writer.add_scalars("b", {"c": 1.0}, 1)
    writer.close()
    assert points(tmp_path / "log") == [("a", step) for step in range(50)]
    assert len(caplog.records) == 1
