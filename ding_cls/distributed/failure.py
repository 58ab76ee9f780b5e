"""What each rank says when one of them fails: the failing rank its error, first; the others whom they lost.

An error ends one rank, and its sockets with it: what the others see then is gloo's or nccl's complaint, which
is no error of theirs. It knows neither runs nor checkpoints.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import torch.distributed as dist

from ding_cls.common.process import launched_master, launched_rank, launched_world_size
from ding_cls.errors import DingError, RankLostError

# What gloo, nccl and torch's store say where a process has ended.
_GONE = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Connection refused",
    "Broken pipe",
    "remote process exited",
    "Connection was likely closed",
    "Socket closed",
    "Pair is not connected",
    "is NOT connected to",
    "recvValue failed",
    "NCCL communicator was aborted",
)
# And where it does not answer in time.
_SILENT = (
    "Timed out waiting",
    "Application timeout caused pair closure",
    "Operation timed out",
    "Wait timeout",
    "wait timeout after",
    "Socket Timeout",
    "timed out after",
    "collective operation timeout",
)
_KEY = "ding_cls/failed_rank"
# The store answers in a millisecond, or its process is gone or stopped.
_STORE_S = 2.0
# By when rank 0 has come to an error that all ranks come to: of a step, and of the start, and ended by it.
_LATE_S, _START_S = 1.0, 8.0


def announce(error: BaseException | None) -> None:
    """Print which rank fails and why, once, before the others can notice; of a lost rank learn the cause.

    Nothing is printed in a single process, of a stop, and of what every rank finds out alike, unless this one
    alone does. torchrun's summary and the other ranks get the line too.

    Args:
        error: what ends this rank; None: nothing does.
    """
    world_size = _world_size()
    if not isinstance(error, Exception) or world_size == 1 or was_announced(error):
        return
    if isinstance(error, RankLostError):
        return
    if _is_loss(error):
        # Asked once: later the group, and its store, are gone.
        if "cause_of_loss" not in error.__dict__:
            error.__dict__["cause_of_loss"] = _with_store(_read)
        return
    text = str(error) if isinstance(error, DingError) else f"{type(error).__name__}: {error}".rstrip(": ")
    if "Original Traceback" in text:
        # torch hands on what a reading process raised with its whole traceback.
        text = text.strip().splitlines()[-1]
    line = f"rank {_rank()} of {world_size} failed: " + " ".join(text.split("\n"))
    if isinstance(error, DingError) and error.is_on_all_ranks and _is_shared(error, line):
        return
    error.__dict__["is_announced"] = True
    print(f"error: {line}", file=sys.stderr, flush=True)
    _with_store(lambda store: store.set(_KEY, line))
    if "TORCHELASTIC_ERROR_FILE" in os.environ:
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        get_error_handler().record_exception(error)


def announce_before_group(error: DingError) -> None:
    """Print a mistake that this rank found before the ranks knew each other, where it is this rank's alone.

    Rank 0 says what all ranks find; here it waits for this rank instead, at its address.
    """
    if "is_shared" not in error.__dict__ and _rank_0_waits():
        error.__dict__["is_announced"] = True
        print(f"error: rank {_rank()} of {_world_size()} failed: {error}", file=sys.stderr, flush=True)


def was_announced(error: BaseException | None) -> bool:
    """Return whether `announce` printed this error, or the one that it was made of."""
    while error is not None:
        if getattr(error, "is_announced", False):
            return True
        error = error.__cause__
    return False


def lost_rank(error: BaseException) -> RankLostError | None:
    """Return the line for what a collective raises where another rank ended or hangs; else None."""
    if _world_size() == 1 or not _is_loss(error):
        return None
    rank, world_size = _rank(), _world_size()
    other = f"rank {1 - rank}" if world_size == 2 else "another rank"
    cause = getattr(error, "cause_of_loss", "")
    # Less the line of its source, and advice.
    said = re.sub(r"^\[[^]]*\] ", "", str(error).strip().partition("\n")[0]).partition(". ")[0]
    if cause:
        return RankLostError(f"rank {rank} ends because {cause}")
    if any(sign in str(error) for sign in _SILENT):
        return RankLostError(
            f"rank {rank} waited in vain for {other}, which hangs, is stopped, or cannot be reached; look at "
            f"what it printed last, and start the run again ({said})"
        )
    return RankLostError(
        f"rank {rank} lost {other}, which was killed, or says itself why it ended; start the run again "
        f"({said})"
    )


def name_rank_in_errors() -> None:
    """Have an error that ends the process named with its rank, ahead of its traceback; of a lost rank a line.

    For programs with a main of their own; the command line has its own way.
    """
    previous = sys.excepthook
    if getattr(previous, "names_rank", False):
        return

    def named(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        announce(error)
        lost = error if isinstance(error, RankLostError) else lost_rank(error)
        if lost is None:
            previous(kind, error, trace)
        else:
            print(f"error: {lost}", file=sys.stderr, flush=True)

    named.__dict__["names_rank"] = True
    sys.excepthook = named


def _is_loss(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in (*_GONE, *_SILENT))


def _is_shared(error: DingError, line: str) -> bool:
    """Return whether rank 0, which says it, has come to this error too; asked once, as above."""
    if "is_shared" not in error.__dict__:
        # What says so itself was agreed on by all; of its kind alone nothing is certain.
        is_known = "is_on_all_ranks" in error.__dict__ or _rank() == 0
        if not is_known:
            is_known = not _with_store(_wait_in_vain)
        elif _rank() == 0:
            _with_store(lambda store: store.set(_KEY, line))
        error.__dict__["is_shared"] = is_known
    return bool(error.__dict__["is_shared"])


def _rank_0_waits() -> bool:
    """Return whether rank 0 has begun to wait for this rank; where torchrun started it, whether it lives."""
    has_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        # torchrun ends this rank here, where rank 0 has failed.
        if not has_agent:
            with suppress(OSError):
                socket.create_connection(launched_master(), _STORE_S).close()
                return True
        time.sleep(0.1)
    return has_agent


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else launched_rank()


def _world_size() -> int:
    is_member = dist.is_available() and dist.is_initialized()
    return dist.get_world_size() if is_member else launched_world_size()


def _with_store(use: Callable[[Any], str | None]) -> str:
    """Return what ``use`` makes of the ranks' common store; an empty text where there is none any more."""
    found: list[str] = []

    def ask() -> None:
        with suppress(Exception):
            store: Any = dist.distributed_c10d._get_default_store()
            inner = store
            while hasattr(inner, "underlying_store"):
                inner = inner.underlying_store
            if hasattr(inner, "port"):
                # torch logs thirty lines where the store's process has ended.
                socket.create_connection((inner.host, inner.port), _STORE_S).close()
            found.append(use(store) or "")

    # A store whose process is stopped would not answer for minutes.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_STORE_S)
    return found[0] if found else ""


def _wait_in_vain(store: Any) -> str:
    """Return something where no rank has said within a moment that it fails."""
    end = time.monotonic() + _LATE_S
    while not store.check([_KEY]):
        if time.monotonic() > end:
            return "nobody"
        time.sleep(0.02)
    return ""


def _read(store: Any) -> str:
    return str(store.get(_KEY), "utf-8") if store.check([_KEY]) else ""
