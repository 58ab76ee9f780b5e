"""What is written of workers that end: by signal, by a limit of the machine, in a loader that is not ours."""

import pickle
import signal
import time

import pytest
from torch.utils.data import get_worker_info
from torch.utils.data._utils import worker as torch_worker

from ding_cls.data.worker_loss import ReadTrace, foreign_loss, process_loss
from ding_cls.errors import WorkerError


class _Info:
    id = 1


def test_a_trace_keeps_the_last_sample_of_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = ReadTrace(2)
    trace.note(3)
    assert get_worker_info() is None
    assert trace.last(0) == (None, "")
    monkeypatch.setattr(torch_worker, "_worker_info", _Info())
    trace.note(0)
    assert trace.last(1) == (0, "")
    trace.note(41)
    assert trace.last(1) == (41, "")
    assert trace.last(0) == (None, "")
    began = time.perf_counter()
    for index in range(10_000):
        trace.note(index)
    assert time.perf_counter() - began < 0.1  # 10 us a sample; 0.4 us measured
    assert pickle.loads(pickle.dumps(trace)).last(1) == (None, "")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            "DataLoader worker (pid 12) is killed by signal: Killed. ",
            "(pid 12) was killed by signal 9 (SIGKILL)",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
            "workers are out of shared memory. Please try to raise your shared memory limit.",
            "signal 7 (SIGBUS), most likely because shared memory is full",
        ),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "(pid 7, 8) ended; use fewer workers: num_w"),
    ],
)
def test_a_loader_of_torchs_gets_the_line_too(text: str, part: str) -> None:
    lost = foreign_loss(RuntimeError(text))
    assert isinstance(lost, WorkerError)
    assert part in str(lost)
    assert process_loss(RuntimeError(text)) is not None


def test_other_errors_are_left_alone() -> None:
    for error in (
        RuntimeError("size mismatch"),
        ValueError("DataLoader worker (pid 1) exited"),
        OSError(5, "x"),
    ):
        assert process_loss(error) is None


def test_torch_writes_signals_as_they_are_read_here() -> None:
    assert signal.strsignal(signal.SIGKILL) == "Killed"
    assert signal.strsignal(signal.SIGBUS) == "Bus error"
