"""Reading processes that end on their own: noticed at the next batch, and named in one line.

torch raises from a signal handler, in whatever the main process is doing: in the middle of a save or of a log
line as well. Here the death is looked for where a batch is asked for, and nowhere else.
"""

from __future__ import annotations

import mmap
import os
import re
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from torch._C import _remove_worker_pids, _set_worker_pids
from torch.utils.data import DataLoader, get_worker_info

from ding_cls.data.datasets.wrappers import image_file
from ding_cls.data.labels import sample_names
from ding_cls.distributed.failure import announce, lost_rank
from ding_cls.errors import RankLostError, WorkerError

T = TypeVar("T")

WORKERS_KEY = "policy.learn.learner.dataloader.num_workers"
_SHM = "/dev/shm"
_OF_TORCH = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: (.*?)\.|exited)"
)


class ReadTrace:
    """The sample that each reading process read last, and its last words, in memory that outlives it.

    Args:
        num_workers: how many there are.
    """

    def __init__(self, num_workers: int) -> None:
        # Forked processes share it; those that are started otherwise leave no trace.
        is_shared = num_workers > 0 and sys.platform == "linux"
        self._slots = mmap.mmap(-1, _SLOT.size * num_workers) if is_shared else None

    def note(self, index: int) -> None:
        """Write down, in a reading process, which sample it begins to read; under a microsecond."""
        worker = get_worker_info()
        if worker is not None and self._slots is not None:
            _INDEX.pack_into(self._slots, _SLOT.size * worker.id, index + 1)

    def give_up(self, error: Exception, _unsent: object = None) -> None:
        """End this reading process because it cannot send what it read; its batch would never come."""
        worker = get_worker_info()
        if worker is not None and self._slots is not None:
            (number,) = _INDEX.unpack_from(self._slots, _SLOT.size * worker.id)
            _SLOT.pack_into(self._slots, _SLOT.size * worker.id, number, _words(error).encode())
        os._exit(1)

    def last(self, worker_id: int) -> tuple[int | None, str]:
        """Return the sample that a reading process was at last, None before the first; and its last words."""
        if self._slots is None:
            return None, ""
        number, words = _SLOT.unpack_from(self._slots, _SLOT.size * worker_id)
        return number - 1 if number else None, words.rstrip(b"\0").decode(errors="replace")

    def __getstate__(self) -> dict[str, Any]:
        return {"_slots": None}


# The number of the sample and one, and a line.
_INDEX, _SLOT = struct.Struct("q"), struct.Struct("q248s")


def prepare_to_fall() -> None:
    """Have what ends this reading process end it at once, without a word: the main process has the line."""
    for name in ("SIGBUS", "SIGSEGV", "SIGFPE"):
        if hasattr(signal, name):
            # torch prints two lines of its own first.
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    worker = get_worker_info()
    if worker is not None and sys.platform == "linux":
        # multiprocessing would print a traceback, drop the batch and go on; there is no other queue here.
        Queue._on_queue_feeder_error = staticmethod(worker.dataset.trace.give_up)  # type: ignore[attr-defined]


def watched(
    loader: DataLoader[T], trace: ReadTrace, name_of: Callable[[int], str], *, setting: str = WORKERS_KEY
) -> Iterator[Any]:
    """Yield a loader's batches, and look before each whether all reading processes of this one live.

    Args:
        loader: gives a batch for each item of its sampler.
        trace: what its processes read.
        name_of: what to call a sample in the error.
        setting: what sets their number.

    Raises:
        WorkerError: one was killed or ended, of this loader or of another, whose others are ended too.
    """
    _raise_if_lost()
    try:
        batches: Any = iter(loader)
        pids = tuple(each.pid for each in getattr(batches, "_workers", ()))
        if getattr(batches, "_worker_pids_set", False):
            _remove_worker_pids(id(batches))
            batches._worker_pids_set = False
        if pids:
            _WATCHED[batches] = _Watch(trace, name_of, setting)
        while True:
            if pids:
                # While a batch is waited for torch may raise at once.
                _set_worker_pids(id(batches), pids)
            try:
                _raise_if_lost()
                batch = next(batches)
            except StopIteration:
                return
            finally:
                if pids:
                    _remove_worker_pids(id(batches))
            yield batch
    except (RuntimeError, OSError, EOFError) as error:
        _raise_if_lost(error)
        if loader.num_workers and _limit(_words(error)):
            raise WorkerError(_limit_line(_words(error), setting, loader.num_workers)) from error
        raise


class _Watch(NamedTuple):
    trace: ReadTrace
    name_of: Callable[[int], str]
    setting: str


# Of all loaders, because one that is idle is asked for nothing: epochs may pass before its next batch.
_WATCHED: WeakKeyDictionary[Any, _Watch] = WeakKeyDictionary()


def _raise_if_lost(error: Exception | None = None) -> None:
    for batches, watch in list(_WATCHED.items()):
        if batches._shutdown:
            continue
        if isinstance(error, OSError | EOFError):
            # What a dying process leaves behind is there a moment before its exit code.
            for worker in batches._workers:
                worker.join(0.2)
        codes = [each.exitcode for each in batches._workers]
        lost = next((number for number, code in enumerate(codes) if code is not None), None)
        if lost is not None:
            index, words = watch.trace.last(lost)
            file = None if index is None else watch.name_of(index)
            _end_all(batches)
            if words:
                raise WorkerError(_limit_line(words, watch.setting, len(codes))) from error
            pid = batches._workers[lost].pid
            raise WorkerError(_line(pid, codes[lost] or 0, file, watch.setting, len(codes))) from error


def sample_name(dataset: Any, index: int) -> str:
    """Return the path of a sample's image, or what else its dataset calls it."""
    file = image_file(dataset, index)
    return file if file is not None else str(sample_names(dataset)[index])


def process_loss(error: Exception) -> WorkerError | RankLostError | None:
    """Return the line for an error that another process's end caused, a worker's or a rank's.

    None for an error of this process itself; where there are several ranks it is announced.
    """
    lost = error if isinstance(error, WorkerError) else foreign_loss(error)
    if lost is not None:
        return lost
    announce(error)
    return lost_rank(error)


def foreign_loss(error: BaseException) -> WorkerError | None:
    """Return the line for what a DataLoader of torch's raises where a process of it was lost; else None."""
    found = _OF_TORCH.search(str(error)) if isinstance(error, RuntimeError) else None
    if found is None:
        return None
    numbers = {signal.strsignal(each): each for each in signal.Signals}
    number = numbers.get(found[2] or "")
    return WorkerError(_line(found[1], -number if number else 0, None, "num_workers of the DataLoader", 0))


def _line(pid: object, code: int, file: str | None, setting: str, num_workers: int) -> str:
    cause, advice = _cause(-code)
    number = f"signal {-code} ({signal.Signals(-code).name})" if -code in [*signal.Signals] else ""
    end = f"was killed by {number}" if number else f"ended with exit code {code}" if code else "ended"
    last = f"; the last image it read is {file!r}" if file else ""
    fewer = _fewer(setting, num_workers)
    return f"a data loading worker (pid {pid}) {end}{cause}{last}; {advice}use fewer workers: {fewer}"


def _fewer(setting: str, num_workers: int) -> str:
    return f"{setting}={num_workers // 2} (now {num_workers})" if num_workers else setting


def _limit_line(words: str, setting: str, num_workers: int) -> str:
    return (
        f"data loading workers cannot go on: {_limit(words) or words}; use fewer workers: "
        f"{_fewer(setting, num_workers)}, or 0 to read in the main process"
    )


def _words(error: Exception) -> str:
    """Return an error's last line: a worker's comes with its traceback."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:240]


def _limit(words: str) -> str:
    """Return which limit an error means that processes, their queues or their memory run into, if any."""
    if "No space left" in words or "allocate shared memory" in words:
        return f"shared memory is full{_room()}, enlarge it (docker: --shm-size)"
    if "Too many open files" in words or "ancdata" in words:
        return "too many open files, raise ulimit -n"
    if "Resource temporarily unavailable" in words:
        return "no more processes are allowed, raise ulimit -u"
    return "not enough memory for another process" if "Cannot allocate memory" in words else ""


def _room() -> str:
    try:
        disk = os.statvfs(_SHM)
    except OSError:
        return ""
    free, size = (blocks * disk.f_frsize / 2**20 for blocks in (disk.f_bavail, disk.f_blocks))
    return f" ('{_SHM}' has {free:,.1f} of {size:,.1f} MB free)"


def _cause(number: int) -> tuple[str, str]:
    """Return what a signal most likely means, and what may help besides fewer workers."""
    if number == signal.SIGKILL:
        return ", most likely because memory ran out", "use a smaller image or batch size, or "
    if number == signal.SIGBUS:
        return (
            f", most likely because shared memory is full{_room()}",
            f"enlarge '{_SHM}' (docker: --shm-size), or ",
        )
    if number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE):
        return ", a crash of the library that reads the image", "mend or remove that image, or "
    return "", ""


def _end_all(batches: Any) -> None:
    """End the processes of an iterator of which one is lost.

    torch would ask them to end, through locks that the lost one may have held.
    """
    batches._shutdown = True
    for worker in batches._workers:
        worker.kill()
    for worker in batches._workers:
        worker.join()
    if hasattr(batches, "_pin_memory_thread"):
        batches._pin_memory_thread_done_event.set()
    for queue in (*batches._index_queues, batches._worker_result_queue):
        queue.cancel_join_thread()
