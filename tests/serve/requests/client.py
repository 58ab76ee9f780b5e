"""A client of an application in this process, without a socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from ding_cls.serve.app import build_app
from ding_cls.serve.settings import ServeSettings
from tests.serve.toy import ColourPredictor, painted

PNG = {"Content-Type": "image/png"}
RED, GREEN = painted(210, 10, 10), painted(10, 210, 10, kind="JPEG")


@contextmanager
def client_of(predictor: Any = None, **settings: Any) -> Iterator[TestClient]:
    """Yield a client; the keyword arguments are `ServeSettings`'."""
    app = build_app(ColourPredictor() if predictor is None else predictor, ServeSettings(**settings))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def files(*contents: bytes) -> list[Any]:
    """Return a form's files, named 0.png and so on."""
    return [("file", (f"{number}.png", content, "image/png")) for number, content in enumerate(contents)]
