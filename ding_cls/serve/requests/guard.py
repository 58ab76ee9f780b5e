"""What stands before every route: whose requests are answered, how errors are told, what is counted.

A page of a foreign site must not use a server on the same machine, and a client must not learn of the
server's inside. It must not know networks.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ding_cls.serve.requests.metrics import ServerMetrics
from ding_cls.serve.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", re.IGNORECASE)
_CLIENT_GONE = 499


class JsonResponse(JSONResponse):
    """JSON in ASCII: names of classes that come from folders may hold bytes that are no UTF-8."""

    def render(self, content: Any) -> bytes:
        """Return a body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def new_id() -> str:
    """Return what an error is found by in the log."""
    return uuid.uuid4().hex[:12]


def error_response(
    status: int, text: str, *, identity: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Return ``{"error": text, "id": ...}``."""
    body = {"error": text, "id": identity or new_id()}
    return JsonResponse(body, status, headers={**(headers or {}), "Cache-Control": "no-store"})


def internal_error(error: BaseException) -> tuple[str, str]:
    """Log an error that nobody foresaw; return its id, and what a client is told."""
    identity = new_id()
    _LOGGER.error("error %s", identity, exc_info=error)
    return identity, "the server failed at this; its log has the reason under this id"


async def on_http_error(request: Request, error: Exception) -> Response:
    """Return the answer to a request that is refused."""
    assert isinstance(error, HTTPException)
    identity = new_id()
    _LOGGER.info("%s: %d: %s", identity, error.status_code, error.detail)
    return error_response(
        error.status_code, str(error.detail), identity=identity, headers=error.headers or {}
    )


class Guard:
    """Middleware: refuses foreign requests, and turns what no route has foreseen into an answer.

    Args:
        app: what answers the others.
        settings: host and token.
        metrics: where requests are counted.
        paths: those of the routes; others are counted together.
        public_paths: what is answered without a token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServeSettings,
        metrics: ServerMetrics,
        paths: frozenset[str],
        public_paths: frozenset[str],
    ) -> None:
        self._app, self._metrics = app, metrics
        self._paths, self._public_paths = paths, public_paths
        self._host_names = settings.host_names
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            refusal = self._refusal(scope)
            await (self._app if refusal is None else refusal)(scope, receive, noting)
        except ClientDisconnect:
            status = _CLIENT_GONE
        except asyncio.CancelledError:
            # Else it is in the middle of an answer, and uvicorn says so in the log.
            if status:
                raise
            stopping = error_response(503, "the server is stopping", headers={"Retry-After": "1"})
            await stopping(scope, receive, noting)
        # Whatever it is, the client is told an id, and the log the rest.
        except Exception as error:
            identity, text = internal_error(error)
            if not status:
                await error_response(500, text, identity=identity)(scope, receive, noting)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            # What stands before this server may have gone by the length, and have meant another end.
            text = "a request has either Content-Length or Transfer-Encoding"
            return error_response(400, text, headers={"Connection": "close"})
        host = headers.get("host", "")
        found = _HOST.fullmatch(host)
        if found is None:
            return error_response(400, "the Host header is missing, or is no name")
        name = (found[1] or found[2]).lower().removesuffix(".")
        if self._host_names is not None and name not in self._host_names:
            return error_response(
                403, "the Host header does not name this server, which answers to its --host"
            )
        if _is_foreign(scope, headers, host):
            return error_response(403, "a page of another site may not use this server")
        if self._token is not None and scope["path"] not in self._public_paths:
            kind, _, given = headers.get("authorization", "").partition(" ")
            # Headers come as Latin-1.
            is_right = hmac.compare_digest(given.strip().encode("latin-1"), self._token)
            if kind.lower() != "bearer" or not is_right:
                challenge = {"WWW-Authenticate": "Bearer"}
                return error_response(
                    401, "Authorization: Bearer TOKEN is missing or wrong", headers=challenge
                )
        return None


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Return whether a browser sent a request for a page of another site.

    Browsers say so in ``Sec-Fetch-Site``, which no page can change; where it is missing (no https, another
    machine) by ``Origin``. Somebody who follows a link to the page comes from another site as well.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not is_link
    origin = headers.get("origin")
    return origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}")
