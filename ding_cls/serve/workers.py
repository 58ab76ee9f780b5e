"""Several processes that serve on one socket: uvicorn's own workers.

It must not know requests.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from ding_cls.common.logs.streams import tolerant_streams
from ding_cls.errors import DingError
from ding_cls.inference.onnx.session import usable_cores
from ding_cls.serve.app import build_app
from ding_cls.serve.requests.metrics import FOLDER_VARIABLE
from ding_cls.serve.server import ServedModel, bound, loaded, ready_lines, server_config, set_up_process
from ding_cls.serve.settings import ServeSettings

if sys.platform != "win32":
    import fcntl

_LOGGER = logging.getLogger(__name__)

_VARIABLE = "DING_CLS_SERVE"
"""Holds what worker processes are to serve, as JSON."""

_LEAVE_S = 1.0


def serve_by_workers(model: ServedModel, settings: ServeSettings) -> int:
    """Serve until a signal comes; return the exit code: 0, or 2 where a worker could not begin.

    Raises:
        ConfigError: the address cannot be used.
    """
    folder = tempfile.TemporaryDirectory(prefix="ding_cls_workers_", ignore_cleanup_errors=True)
    with bound(settings) as listener, folder as shared:
        os.environ[_VARIABLE] = json.dumps({"model": asdict(model), "settings": asdict(settings)})
        os.environ[FOLDER_VARIABLE] = shared
        # Each worker's share of the cores; torch and ONNX Runtime take no more.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // settings.workers)))
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        config = server_config(
            f"{__name__}:worker_app", settings, factory=True, timeout_worker_healthcheck=10
        )
        workers = _Workers(config, [listener], ready_lines(settings, listener))
        workers.run()
    return 2 if any(each.exitcode == STARTUP_FAILURE for each in workers.processes) else 0


class _Workers(Multiprocess):
    """uvicorn's workers, which are told of once all answer; a killed one is replaced.

    Args:
        config: uvicorn's.
        sockets: what they listen on.
        ready: what is printed once all answer.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], ready: str) -> None:
        super().__init__(config, sockets)
        self._ready: str | None = ready

    def keep_subprocess_alive(self) -> None:
        """Look after the workers."""
        for each in self.processes:
            # Open here it would hide that the worker's own is closed: who asks a dead one waits 10 s.
            each.child_conn.close()
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                print(f"{_ended(old.process)}; {new.pid} takes its place", file=sys.stderr, flush=True)
        if self._ready and not self.should_exit.is_set() and all(each.is_ready(1) for each in self.processes):
            print(self._ready, flush=True)
            self._ready = None

    def terminate_all(self) -> None:
        """Tell the workers to stop, and let nobody connect to what answers no more."""
        if self._ready is None:
            print("stopping: the workers answer what is on its way", flush=True)
        for each in self.sockets:
            each.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers, and end those that hang."""
        deadline = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + _LEAVE_S
        for each in self.processes:
            each.process.join(max(0.0, deadline - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()


def _ended(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"worker {process.pid} ended by {f'signal {-code}' if code < 0 else f'exit code {code}'}"


def worker_app() -> Starlette:
    """Return the application of one worker process, of what `serve` left in the environment."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_up_process()
    told = json.loads(os.environ[_VARIABLE])
    settings = ServeSettings(**told["settings"])
    try:
        with tolerant_streams():
            predictor = loaded(ServedModel(**told["model"]), settings)
        return build_app(predictor, settings, enrolled(os.environ[FOLDER_VARIABLE], settings.workers))
    except Exception as error:
        if isinstance(error, DingError):
            print(f"error: {error}", file=sys.stderr, flush=True)
        else:
            _LOGGER.exception("the network cannot be served")
        # Any worker but one that ends so is started anew, for ever.
        sys.exit(STARTUP_FAILURE)


def enrolled(folder: str, num_workers: int) -> Callable[[], int]:
    """Count this process among the workers that answer, for as long as it lives; return what counts them.

    Each holds a lock on a file of its own, which the kernel frees however the process ends. A file gets its
    name once it is locked, so that one with this name and no lock is a dead worker's.

    Args:
        folder: what the workers have in common.
        num_workers: returned where files have no locks (Windows).
    """
    if sys.platform == "win32":
        return lambda: num_workers
    # Open for as long as the process lives.
    descriptor, path = tempfile.mkstemp(dir=folder)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.rename(path, f"{path}.worker")
    return lambda: sum(map(_is_locked, Path(folder).glob("*.worker")))


def _is_locked(file: Path) -> bool:
    # The folder is removed at the end.
    with suppress(FileNotFoundError), file.open() as opened:
        try:
            # Shared: several workers may look at once.
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end_with_parent() -> None:
    """Stop once the process that looks after the workers is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
