"""The routes of a server. It must not know sockets or processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ding_cls.inference.base import BasePredictor
from ding_cls.serve.page import PUBLIC_PATHS, page_routes
from ding_cls.serve.requests.decoding import Upload
from ding_cls.serve.requests.guard import Guard, JsonResponse, error_response, on_http_error
from ding_cls.serve.requests.metrics import CONTENT_TYPE
from ding_cls.serve.requests.openapi import openapi
from ding_cls.serve.requests.uploads import read_uploads
from ding_cls.serve.service import RETRY, Refused, Service
from ding_cls.serve.settings import ServeSettings

MAX_EXPLAINING = 4


def build_app(
    predictor: BasePredictor, settings: ServeSettings, num_answering: Callable[[], int] | None = None
) -> Starlette:
    """Return a server's application; ``app.state.service`` is what its routes share.

    Args:
        predictor: what answers.
        settings: the limits.
        num_answering: says how many workers answer now; None: all.
    """
    service = Service(predictor, settings, num_answering or (lambda: settings.workers))
    routes = _routes(predictor, settings, service)
    guard = Middleware(
        Guard,
        settings=settings,
        metrics=service.metrics,
        paths=frozenset(each.path for each in routes),
        public_paths=frozenset({"/health", *PUBLIC_PATHS}),
    )
    app = Starlette(
        routes=routes,
        middleware=[guard],
        exception_handlers={HTTPException: on_http_error},
        lifespan=service.running,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _routes(predictor: BasePredictor, settings: ServeSettings, service: Service) -> list[Route]:
    """Return the routes for programs and those of the page."""

    async def predict(request: Request) -> Response:
        with service.room.held() as take:
            uploads = await read_uploads(request, settings, take)
            answers = await service.answers(uploads)
        if len(uploads) > 1:
            return JsonResponse([_in_list(*each) for each in zip(answers, uploads, strict=True)])
        (answer,) = answers
        if isinstance(answer, Refused):
            return error_response(answer.status, answer.text, identity=answer.identity)
        return JsonResponse(answer)

    async def health(_: Request) -> Response:
        state = service.state
        return JsonResponse(
            {"status": state}, 200 if state == "ready" else 503, {"Cache-Control": "no-store"}
        )

    async def metrics(_: Request) -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    async def description(_: Request) -> Response:
        return JsonResponse(described)

    described = openapi(predictor, settings)
    pages = page_routes(
        predictor, name=settings.name, max_bytes=settings.max_bytes, receive=service.receive, run=service.run
    )
    return [
        Route("/predict", predict, methods=["POST"]),
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/openapi.json", description),
        *(_limited(each, service) if each.path == "/explain" else each for each in pages),
    ]


def _limited(route: Route, service: Service) -> Route:
    """Return a route that answers few requests at once: each holds a whole image until its turn comes."""

    async def endpoint(request: Request) -> Response:
        if service.num_explaining >= MAX_EXPLAINING:
            text = f"{MAX_EXPLAINING} heat maps are being made, as many as may be; try again"
            raise HTTPException(503, text, RETRY)
        service.num_explaining += 1
        try:
            response: Response = await route.endpoint(request)
            return response
        finally:
            service.num_explaining -= 1

    return Route(route.path, endpoint, methods=["POST"])


def _in_list(answer: dict[str, Any] | Refused, upload: Upload) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"error": answer.text, "id": answer.identity, "file": upload.name}
    return answer
