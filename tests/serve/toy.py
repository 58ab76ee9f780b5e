"""A predictor without a network and an app about the page's routes, for tests that are to be quick."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.errors import DataError
from ding_cls.images import decode_rgb
from ding_cls.inference.base import BasePredictor, Groups
from ding_cls.inference.sources import Source, read_rgb
from ding_cls.serve.page import PUBLIC_PATHS, page_routes

COLOURS = ("red", "green", "blue")


class ColourPredictor(BasePredictor):
    """Names the strongest of an image's mean red, green and blue; further classes are less and less likely."""

    def __init__(self, classes: Sequence[str] = COLOURS, **arguments: Any) -> None:
        settings: dict[str, Any] = {
            "num_tasks": None,
            "has_several_labels": False,
            "threshold": 0.5,
            "batch_size": 8,
            "num_workers": 0,
            "calibration": None,
            "max_risk": None,
            "tta": False,
        }
        super().__init__(classes, **{**settings, **arguments})

    def prepare(self, source: Source) -> list[Any]:
        return [np.asarray(read_rgb(source), np.float64).mean((0, 1)) / 255]

    def stacked(self, pixels: Sequence[Any]) -> Any:
        return np.stack(pixels)

    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        for number, source in enumerate(sources):
            yield [([number], [self.stacked(self.prepare(source))])], []

    def views(self, pixels: Sequence[Any]) -> list[Logits]:
        rest = -np.arange(1.0, len(self.classes) - 2)
        tail = np.broadcast_to(rest, (len(pixels[0]), len(rest)))
        logits = np.concatenate([4 * pixels[0] - 1, tail], axis=1).astype(np.float32)[:, : len(self.classes)]
        if self.num_tasks is not None:
            logits = np.stack([np.roll(logits, task, axis=1) for task in range(self.num_tasks)], axis=1)
        return [logits]


def demanding(num_classes: int) -> Calibration:
    """Return a calibration by which no image is named."""
    nothing = (0,) * num_classes
    thresholds = ClassThresholds(99.0, (None,) * num_classes, nothing, nothing)
    return Calibration((1.0,), {"num_samples": 8}, precision=thresholds)


def painted(red: int, green: int, blue: int, *, kind: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    """Return an image file of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, (red, green, blue)).save(file, kind)
    return file.getvalue()


async def receive(request: Request) -> Image.Image:
    return decode_rgb(io.BytesIO(await request.body()), label="the image")


async def run(function: Any) -> bytes:
    return await asyncio.to_thread(function)


def app_of(predictor: BasePredictor, *, token: str = "", num_busy: int = 0, max_bytes: int = 1_000_000) -> Starlette:
    """Return an app with the page; it answers so many requests for a prediction with 503 first."""
    busy = [None] * num_busy

    async def predict(request: Request) -> Response:
        if busy:
            busy.pop()
            return Response("{}", 503, headers={"Retry-After": "0.1"})
        found = predictor([await receive(request)])[0]
        top = [each._asdict() for each in found.top(5)]
        return Response(json.dumps({"label": found.label, "name": found.name, "score": found.score, "top": top}))

    async def fault(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        words = error.detail if isinstance(error, HTTPException) else str(error)
        return Response(json.dumps({"error": words, "id": "1f2e3d"}), status)

    routes = page_routes(predictor, name="toy", max_bytes=max_bytes, receive=receive, run=run)
    app = Starlette(
        routes=[Route("/predict", predict, methods=["POST"]), *routes],
        exception_handlers={HTTPException: fault, DataError: fault},
    )
    return Locked(app, token) if token else app  # type: ignore[return-value]


class Locked:
    """Lets only those in who know the token."""

    def __init__(self, app: Any, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", ())).get(b"authorization")
        is_open = scope["type"] != "http" or scope["path"] in PUBLIC_PATHS or given == self._expected
        await (self._app if is_open else Response("{}", 401))(scope, receive, send)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app on a free port of this machine; the value is its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(30)
