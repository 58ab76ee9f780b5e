"""The page on which a served network is tried: its routes, and the one that draws heat maps for it.

It must not know batches, limits or tokens: reading an image from a request, and the thread that runs the
network, are handed in.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TypeAlias, cast

from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ding_cls.errors import ConfigError, DataError, ModelError
from ding_cls.inference.base import BasePredictor
from ding_cls.serve.explain import Explainer, why_no_maps

_LOGGER = logging.getLogger(__name__)

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Receive: TypeAlias = Callable[[Request], Awaitable[Image.Image]]
Run: TypeAlias = Callable[[Callable[[], bytes]], Awaitable[bytes]]

_ASSETS = {"page.css": "text/css"} | dict.fromkeys(
    ("page.js", "card.js", "answers.js", "server.js"), "text/javascript"
)
PUBLIC_PATHS = ("/", *(f"/assets/{name}" for name in _ASSETS))
"""What a browser asks for before anybody can enter a token; nothing in it depends on the network."""

_POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_PRIVATE = {"Cache-Control": "no-store"}


def page_routes(
    predictor: BasePredictor,
    *,
    name: str,
    max_bytes: int,
    receive: Receive,
    run: Run,
) -> list[Route]:
    """Return the routes of the page: it at ``/``, its style and script, ``GET /model`` and ``POST /explain``.

    ``/model`` says what the page must know of the network. ``/explain`` takes the image that ``/predict``
    takes and answers a PNG file: the image as the network sees it, under the heat map of the predicted class;
    with ``?layer=image`` without that. It is there for a network that has gradients; the header ``X-Network``
    of both says which network it is. An error is a `starlette.exceptions.HTTPException` whose detail is for
    the user: 404 without gradients, 501 where no map can be made (the log has the reason), 422 where the
    network's output holds NaN.

    Args:
        predictor: whose page it is.
        name: what the page calls it.
        max_bytes: what a body may have; the page refuses a larger file by itself, since a browser does not
            read the answer to a body that is cut off.
        receive: returns the image of a request's body, or raises what answers the request.
        run: calls a function where the network may be used, and returns what that returns.
    """
    # ASCII: a name that is the bytes of no encoding cannot be written as UTF-8.
    description = json.dumps(
        {
            "name": name,
            "classes": predictor.names,
            "num_tasks": predictor.num_tasks,
            "has_several_labels": predictor.has_several_labels,
            "has_heat_maps": why_no_maps(predictor) is None,
            "max_bytes": max_bytes,
        }
    )
    headers = dict(_PRIVATE)
    if predictor.has_gradients:
        from ding_cls.inference.predictor import Predictor, network_digest

        # A page may stay open while the server is started anew with another network.
        headers["X-Network"] = network_digest(cast(Predictor, predictor))

    async def model(_: Request) -> Response:
        return Response(description, media_type="application/json", headers=headers)

    return [
        Route("/", _fixed("page.html", "text/html")),
        *(Route(f"/assets/{name}", _fixed(name, kind)) for name, kind in _ASSETS.items()),
        Route("/model", model),
        Route("/explain", _explaining(predictor, receive, run, headers), methods=["POST"]),
    ]


def _explaining(predictor: BasePredictor, receive: Receive, run: Run, headers: Mapping[str, str]) -> Endpoint:
    """Return what answers ``POST /explain``."""
    explainer = Explainer(predictor)

    async def explain(request: Request) -> Response:
        if not predictor.has_gradients:
            raise HTTPException(404, "no heat map: what is served now is an ONNX file, without gradients")
        image = await receive(request)
        is_plain = request.query_params.get("layer") == "image"
        try:
            if not is_plain:
                # Not where the network runs: predictions would wait.
                await asyncio.to_thread(explainer.prepare)
            picture = await run(lambda: explainer.seen(image) if is_plain else explainer.heat_map(image))
        except DataError as error:
            raise HTTPException(422, str(error)) from error
        except (ConfigError, ModelError) as error:
            _LOGGER.error("no heat map: %s", error)
            raise HTTPException(501, "this server can draw no heat map; its log has the reason") from error
        return Response(picture, media_type="image/png", headers=headers)

    return explain


def _fixed(name: str, media_type: str) -> Endpoint:
    """Return what answers with a file of ``assets``, read once."""
    text = (files(__package__) / "assets" / name).read_text(encoding="utf-8")
    if name == "page.css":
        # Every page of the library has one look.
        text = (files("ding_cls.report") / "assets" / name).read_text(encoding="utf-8") + text

    async def answer(_: Request) -> Response:
        return Response(text, media_type=media_type, headers=_HEADERS)

    return answer
