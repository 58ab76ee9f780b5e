"""A predictor without a network, and servers of it, for tests that are to be quick."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image
from starlette.responses import Response

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.inference.base import BasePredictor, Groups
from ding_cls.inference.sources import Source, read_rgb
from ding_cls.serve.app import build_app
from ding_cls.serve.protocol import DeadlineProtocol
from ding_cls.serve.settings import ServeSettings
from tests.serve.wire import port, serving

COLOURS = ("red", "green", "blue")


class ColourPredictor(BasePredictor):
    """Names the strongest of an image's mean red, green and blue; each further class is less likely."""

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


class Differentiable(ColourPredictor):
    """Says that it has gradients, for tests that get to no heat map."""

    has_gradients, preprocessings, model = True, (), SimpleNamespace(state_dict=dict)


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


def app_of(
    predictor: BasePredictor, *, token: str | None = None, num_busy: int = 0, max_bytes: int = 1_000_000
) -> Any:
    """Return a server's app; it answers so many requests for a prediction with 503 first."""
    app = build_app(predictor, ServeSettings(name="toy", token=token, max_bytes=max_bytes))
    busy = [Response('{"error": "busy"}', 503, headers={"Retry-After": "0.1"})] * num_busy

    async def at_first_busy(scope: Any, receive: Any, send: Any) -> None:
        is_refused = busy and scope.get("path") == "/predict"
        await (busy.pop() if is_refused else app)(scope, receive, send)

    return at_first_busy


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app on a free port of this machine; the value is its address."""
    with serving(app, DeadlineProtocol, lifespan="on") as server:
        yield f"http://127.0.0.1:{port(server)}/"
