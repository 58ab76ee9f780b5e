"""The process of a server and its socket: when it answers, how it ends.

It must not know requests.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette

from ding_cls.common.counting import counted
from ding_cls.errors import ConfigError
from ding_cls.inference import load
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.predict import about_calibration, averaged_line
from ding_cls.serve.app import build_app
from ding_cls.serve.explain import why_no_maps
from ding_cls.serve.protocol import DeadlineProtocol
from ding_cls.serve.settings import ServeSettings


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
        options = asdict(self)
        return load(options.pop("sources"), **options)


def serve(model: ServedModel, settings: ServeSettings) -> int:
    """Serve by this process until a signal comes; return the exit code, 0.

    Raises:
        ConfigError: the address cannot be used.
        DingError: the network cannot be loaded.
    """
    with bound(settings) as listener:
        set_up_process()
        predictor = loaded(model, settings)
        server = _Server(build_app(predictor, settings), settings, ready_lines(settings, listener))
        with _deaf():
            try:
                server.run(sockets=[listener])
            except OSError as error:
                raise _unusable(settings, error) from error
    if server.service.batcher.is_busy:
        _leave()
    return 0


def loaded(model: ServedModel, settings: ServeSettings) -> BasePredictor:
    """Return a predictor that has answered once; print what it is.

    Raises:
        DingError: it cannot be loaded.
    """
    predictor = model.load()
    _warm_up(predictor, settings.max_batch)
    for line in filter(None, (averaged_line(predictor), about_calibration(predictor))):
        print(line, file=sys.stderr)
    if predictor.has_gradients and (reason := why_no_maps(predictor)):
        print(f"no heat maps on the page: {reason}", file=sys.stderr)
    device = getattr(predictor, "device", "cpu, by ONNX Runtime")
    sources = ", ".join(model.sources)
    print(
        f"serving {sources}: {counted(len(predictor.classes), 'class', 'classes')}, on {device}", flush=True
    )
    return predictor


def set_up_process() -> None:
    """Have this process log what is wrong with the server, and nothing else; before torch is imported."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What clients send is no fault of the server's: it fills no log.
    for name in ("uvicorn.error", "python_multipart", "PIL", "ding_cls.images"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # torch's threads would wait for one another in loops that keep the cores from requests and decoding: of
    # MobileNetV2 an image cost 238 ms of two busy cores' time instead of 32. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _warm_up(predictor: BasePredictor, max_batch: int) -> None:
    """Use a network for the first time: that takes longer than later."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    try:
        image = predictor.prepare(noise)
        for size in (1, max_batch):
            predictor.answer([image] * size, [None] * size)
    # It may take images of one size only, or a step of the user's own may not like this one.
    except Exception as error:
        print(f"the network could not be tried before it is asked: {error}", file=sys.stderr)


def ready_lines(settings: ServeSettings, listener: socket.socket) -> str:
    """Return where a server answers, and on a line of their own its limits."""
    host, port = listener.getsockname()[:2]
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    several = f", {settings.workers} workers" if settings.workers > 1 else ""
    who = "this machine alone" if settings.is_loopback else "with the token"
    if settings.is_loopback and settings.token is not None:
        who += ", with the token"
    return (
        f"ready: {where} ({who}{several}); Ctrl-C ends it\n"
        f"at most {settings.max_bytes / 2**20:g} MiB a request, {settings.max_pixels / 1e6:g} megapixels an "
        f"image, {settings.queue} images waiting, {settings.timeout_s:g} s to answer"
    )


@contextmanager
def bound(settings: ServeSettings) -> Iterator[socket.socket]:
    """Yield a socket that has the address; nothing can connect until a server listens on it."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _unusable(settings, error) from error
    # A name may stand for an address of IPv6 on a machine without it, and for another one.
    for number, (family, kind, _, _, address) in enumerate(found, start=1):
        try:
            listener = _listener(family, kind, address)
            break
        except OSError as error:
            if number == len(found):
                raise _unusable(settings, error) from error
    with listener:
        yield listener


def _listener(family: int, kind: int, address: Any) -> socket.socket:
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _unusable(settings: ServeSettings, error: OSError) -> ConfigError:
    return ConfigError(
        f"--host {settings.host} --port {settings.port} cannot be listened on: "
        f"{error.strerror or error}; take another, or --port 0 for a free one"
    )


def server_config(app: Any, settings: ServeSettings, **rest: Any) -> uvicorn.Config:
    """Return what uvicorn is told; the keyword arguments are its own."""
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
        # As many connections are accepted before the protocol can close one of them.
        backlog=256,
        # Of the protocol's deadlines this is uvicorn's own.
        timeout_keep_alive=int(DeadlineProtocol.HEAD_S),
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
        super().__init__(server_config(app, settings))
        self.service = app.state.service
        self._ready, self._drain_s = ready, settings.drain_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; the second Ctrl-C ends at once."""
        super().handle_exit(sig, frame)
        if self.force_exit:
            # What is cancelled then would each leave a traceback.
            logging.getLogger("uvicorn.error").disabled = True

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
