"""``metrics.jsonl`` where it cannot be written, and where a run resumes; its form: test_log.py."""

import shutil
from pathlib import Path

import pytest

from ding_cls.common.logs.metrics_file import MetricsFile


def positions(file: MetricsFile) -> list[int]:
    return [row["train_iter"] for row in file.rows()]


def test_rows_that_could_not_be_written_are_written_later_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.append({"kind": "train", "train_iter": 1})
    file.path.rename(tmp_path / "kept")
    file.path.symlink_to("/dev/full")
    for number in (2, 3):
        file.append({"kind": "train", "train_iter": number})
    assert file.rows() == []
    (tmp_path / "kept").rename(file.path)
    file.close()
    assert positions(file) == [1, 2, 3]
    assert len(caplog.records) == 1
    assert str(file.path) in caplog.text


def test_a_deleted_folder_comes_back_with_the_next_row(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "log" / "metrics.jsonl")
    file.append({"kind": "train", "train_iter": 1})
    shutil.rmtree(tmp_path / "log")
    file.append({"kind": "train", "train_iter": 2})
    assert positions(file) == [2]


def test_a_row_at_the_checkpoint_is_replaced_when_it_is_written_again_and_stays_otherwise(
    tmp_path: Path,
) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for kind in ("eval", "layer", "layer", "note"):
        file.append({"kind": kind, "train_iter": 0, "session": 1})
    file.append({"kind": "train", "train_iter": 1, "session": 1})
    again = MetricsFile(file.path)
    again.cut_after(0)
    for kind in ("eval", "layer", "layer"):
        again.append({"kind": kind, "train_iter": 0, "session": 2})
    again.append({"kind": "train", "train_iter": 1, "session": 2})
    assert [(row["kind"], row["session"]) for row in again.rows()] == [
        ("note", 1),
        ("eval", 2),
        ("layer", 2),
        ("layer", 2),
        ("train", 2),
    ]


def test_a_device_in_its_place_ends_neither_a_cut_nor_a_row(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.cut_after(3)
    file.append({"kind": "train", "train_iter": 4})
    assert (tmp_path / "metrics.jsonl").is_symlink()


def test_a_resume_reads_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for train_iter in range(1, 4):
        file.append({"kind": "train", "train_iter": train_iter})
    reads: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: (reads.append(self), read(self))[1])
    file.cut_after(2)
    assert reads == [file.path]
    file.append({"kind": "eval", "train_iter": 2})
    assert len(reads) == 1
