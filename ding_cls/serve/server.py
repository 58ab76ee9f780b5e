"""Processes and sockets of a server: one process, or several of uvicorn's own workers on one socket.

It must not know requests.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from ding_cls.common.counting import counted
from ding_cls.errors import ConfigError, DingError
from ding_cls.inference import load
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.onnx.session import usable_cores
from ding_cls.inference.predict import about_calibration, averaged_line
from ding_cls.serve.app import build_app
from ding_cls.serve.metrics import FOLDER_VARIABLE
from ding_cls.serve.protocol import DeadlineProtocol
from ding_cls.serve.settings import ServeSettings

_VARIABLE = "DING_CLS_SERVE"
"""Holds what worker processes are to serve, as JSON."""

_LEAVE_S = 2.0


@dataclass(frozen=True)
class ServedModel:
    """Which network is served, and how it answers; as `ding_cls.load` takes it.

    Attributes:
        sources: checkpoints or runs, for their mean; or one ONNX file.
        threshold: likewise.
        calibrated: likewise.
        max_risk: likewise.
        tta: likewise.
        allow_code: likewise.
    """

    sources: list[str]
    threshold: float | None = None
    calibrated: bool = False
    max_risk: float | None = None
    tta: bool = False
    allow_code: bool = False

    def load(self) -> BasePredictor:
        """Return its predictor.

        Raises:
            DingError: as `ding_cls.load`.
        """
        return load(
            self.sources,
            threshold=self.threshold,
            allow_code=self.allow_code,
            calibrated=self.calibrated,
            max_risk=self.max_risk,
            tta=self.tta,
        )


def serve(model: ServedModel, settings: ServeSettings) -> int:
    """Serve until a signal comes; return the exit code: 0, or 2 where a worker could not begin.

    Raises:
        ConfigError: the address cannot be used.
        DingError: the network cannot be loaded, or does not work.
    """
    with _bound(settings) as listener:
        if settings.workers > 1:
            return _serve_by_workers(model, settings, listener)
        predictor = loaded(model, settings)
        server = _Server(build_app(predictor, settings), settings, ready_line(settings, listener))
        with _deaf():
            try:
                server.run(sockets=[listener])
            except OSError as error:
                raise _unusable(settings, error) from error
    if server.service.batcher.state == "stuck":
        _leave()
    return 0


def loaded(model: ServedModel, settings: ServeSettings) -> BasePredictor:
    """Return a predictor that has answered once; print what it is.

    Raises:
        DingError: it cannot be loaded, or does not work.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # Filters belong to the whole process: no thread may change them for its own image.
    warnings.filterwarnings("ignore", module="PIL")
    predictor = model.load()
    image = predictor.prepare(np.zeros((64, 64, 3), np.uint8))
    for size in (1, settings.max_batch):
        predictor.answer([image] * size, [None] * size)
    for line in filter(None, (averaged_line(predictor), about_calibration(predictor))):
        print(line, file=sys.stderr)
    device = getattr(predictor, "device", "cpu, by ONNX Runtime")
    sources = ", ".join(model.sources)
    print(
        f"serving {sources}: {counted(len(predictor.classes), 'class', 'classes')}, on {device}", flush=True
    )
    return predictor


def ready_line(settings: ServeSettings, listener: socket.socket) -> str:
    """Return where a server answers, and its limits."""
    host, port = listener.getsockname()[:2]
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    several = f", {settings.workers} workers" if settings.workers > 1 else ""
    who = "this machine alone" if settings.is_loopback else "with the token"
    if settings.is_loopback and settings.token is not None:
        who += ", with the token"
    return (
        f"ready: {where} ({who}{several}); at most {settings.max_bytes / 2**20:g} MiB a request, "
        f"{settings.max_pixels / 1e6:g} megapixels an image, {settings.queue} images waiting, "
        f"{settings.timeout_s:g} s; Ctrl-C ends it"
    )


@contextmanager
def _bound(settings: ServeSettings) -> Iterator[socket.socket]:
    """Yield a socket that has the address; nothing can connect until a server listens on it."""
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind)
    except OSError as error:
        raise _unusable(settings, error) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise _unusable(settings, error) from error
        listener.set_inheritable(True)
        yield listener


def _unusable(settings: ServeSettings, error: OSError) -> ConfigError:
    return ConfigError(
        f"--host {settings.host} --port {settings.port} cannot be listened on: "
        f"{error.strerror or error}; take another, or --port 0 for a free one"
    )


def _config(app: Any, settings: ServeSettings, **rest: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.drain_s,
        workers=settings.workers,
        **rest,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers and when it stops.

    Args:
        app: of `build_app`.
        settings: its.
        ready: what is printed once it answers.
    """

    def __init__(self, app: Starlette, settings: ServeSettings, ready: str) -> None:
        super().__init__(_config(app, settings))
        self.service = app.state.service
        self._ready, self._drain_s = ready, settings.drain_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is on its way, and nothing new."""
        self.service.is_draining = True
        count = counted(len(self.server_state.tasks), "request")
        print(f"stopping: {count} on the way, at most {self._drain_s} s for them", flush=True)
        await super().shutdown(sockets)


@contextmanager
def _deaf() -> Iterator[None]:
    """Have signals do nothing outside of uvicorn's own handlers, which raise them once more at the end."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda *_: None) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


def _leave() -> None:
    """End this process although a thread of it hangs, for which Python would wait."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _serve_by_workers(model: ServedModel, settings: ServeSettings, listener: socket.socket) -> int:
    folder = tempfile.mkdtemp(prefix="ding_cls_metrics_")
    os.environ[_VARIABLE] = json.dumps({"model": asdict(model), "settings": settings.to_json()})
    os.environ[FOLDER_VARIABLE] = folder
    # Each worker's share of the cores; torch and ONNX Runtime take no more.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // settings.workers)))
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = _config(f"{__name__}:worker_app", settings, factory=True, timeout_worker_healthcheck=10)
    workers = _Workers(config, [listener], ready_line(settings, listener))
    try:
        workers.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
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
        super().keep_subprocess_alive()
        if self._ready and not self.should_exit.is_set() and all(each.is_ready(1) for each in self.processes):
            print(self._ready, flush=True)
            self._ready = None

    def terminate_all(self) -> None:
        """Tell the workers to stop."""
        if self._ready is None:
            print("stopping: the workers answer what is on its way", flush=True)
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers, and end those that hang."""
        deadline = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + _LEAVE_S
        for each in self.processes:
            each.process.join(max(0.0, deadline - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()


def worker_app() -> Starlette:
    """Return the application of one worker process, of what `serve` left in the environment."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = json.loads(os.environ[_VARIABLE])
    settings = ServeSettings(**json.loads(told["settings"]))
    try:
        predictor = loaded(ServedModel(**told["model"]), settings)
    except DingError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        # uvicorn starts no worker anew that ends so.
        sys.exit(STARTUP_FAILURE)
    return build_app(predictor, settings)


def _end_with_parent() -> None:
    """Stop once the process that looks after the workers is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
