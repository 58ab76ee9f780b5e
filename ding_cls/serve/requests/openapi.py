"""The description of a server's routes: OpenAPI 3.1. It must not know requests or networks' insides."""

from __future__ import annotations

from typing import Any

from ding_cls.inference.base import BasePredictor
from ding_cls.serve.settings import ServeSettings

_JSON = "application/json"
_TEXT = {"type": "string"}
_KNOWN = "Say which classes the network knows, and what the page must know of it."
_ERRORS = {
    400: "No image in the request, or a Host header that is none.",
    401: "The token is missing or wrong.",
    403: "The request is for another server, or a page of another site sent it.",
    408: "The request came too slowly.",
    413: "The body, its files or the image's pixels are too many.",
    415: "The body is of another type.",
    422: "The image cannot be read.",
    500: "The server failed; its log has the reason under the id.",
    503: "Too many images wait, or the server is loading or stopping; Retry-After says when to come back.",
}


def openapi(predictor: BasePredictor, settings: ServeSettings) -> dict[str, Any]:
    """Return the description.

    Args:
        predictor: decides which form answers have.
        settings: decide whether a token is needed.
    """
    paths: dict[str, dict[str, Any]] = {
        "/predict": {"post": _predict(settings)},
        "/health": {"get": _health()},
        "/metrics": {"get": _readable("metrics", "Counts for Prometheus.", "text/plain", _TEXT)},
        "/model": {"get": _readable("model", _KNOWN, _JSON, _ref("Model"))},
    }
    if predictor.has_gradients:
        paths["/explain"] = {"post": _explain(settings)}
    components: dict[str, Any] = {"schemas": _schemas(predictor, settings)}
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "ding_cls",
            "version": "1",
            "summary": f"Which class an image is of: {settings.name}",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }
    if settings.token is not None:
        locked = (each for methods in paths.values() for each in methods.values() if "security" not in each)
        for operation in locked:
            operation["responses"].update(_errors(401))
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _predict(settings: ServeSettings) -> dict[str, Any]:
    several = {"type": "array", "minItems": 2, "items": {"anyOf": [_ref("Answer"), _ref("FileError")]}}
    return {
        "operationId": "predict",
        "summary": "Classify one image, or several.",
        "description": "One image is the body, or the only file of a form; several are files of a form. An "
        "image among several that cannot be answered has an error in its place.",
        "requestBody": _images(settings),
        "responses": {
            "200": {
                "description": "Of one image its answer, of several a list in the order of the files.",
                "content": {_JSON: {"schema": {"anyOf": [_ref("Answer"), several]}}},
            },
            **_errors(400, 403, 408, 413, 415, 422, 500, 503),
        },
    }


def _explain(settings: ServeSettings) -> dict[str, Any]:
    return {
        "operationId": "explain",
        "summary": "Draw where the network sees the predicted class: Grad-CAM.",
        "parameters": [
            {
                "name": "layer",
                "in": "query",
                "description": "'image' leaves the map out: the image as the network sees it.",
                "schema": {"enum": ["map", "image"], "default": "map"},
            }
        ],
        "requestBody": _images(settings),
        "responses": {
            "200": {"description": "A picture.", "content": {"image/png": {}}},
            **_errors(400, 403, 408, 413, 415, 422, 500, 503),
            "501": {"description": "No map can be made of this network.", "content": _error_content()},
        },
    }


def _images(settings: ServeSettings) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {"type": "object", "additionalProperties": {"anyOf": [file, {"type": "array", "items": file}]}}
    return {
        "required": True,
        "description": f"At most {settings.max_bytes:,} bytes, {settings.max_pixels:,} pixels an image and "
        f"{settings.queue} files.",
        "content": {"image/*": {}, "application/octet-stream": {}, "multipart/form-data": {"schema": form}},
    }


def _health() -> dict[str, Any]:
    content = {_JSON: {"schema": _ref("Health")}}
    return {
        "operationId": "health",
        "summary": "Say whether the network answers.",
        "security": [],
        "responses": {
            "200": {"description": "It does.", "content": content},
            "503": {"description": "It does not, or a worker is missing.", "content": content},
        },
    }


def _readable(name: str, summary: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": "It.", "content": {kind: {"schema": schema}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **_errors(403)}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(each): {"description": _ERRORS[each], "content": _error_content()} for each in statuses}


def _error_content() -> dict[str, Any]:
    return {_JSON: {"schema": _ref("Error")}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _schemas(predictor: BasePredictor, settings: ServeSettings) -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0, "maximum": len(predictor.classes) - 1}
    score = {"type": "number", "minimum": 0, "maximum": 1}
    one: dict[str, Any] = {"label": number, "name": _TEXT, "score": score}
    count = predictor.num_tasks
    tasks = {} if count is None else {"minItems": count, "maxItems": count}
    lists = {key: {"type": "array", "items": each, **tasks} for key, each in one.items()}
    first = lists if predictor.has_several_labels or count is not None else one
    place = one if count is None else lists
    top = {"type": "array", "items": _object(**place), "maxItems": settings.topk}
    answer: dict[str, Any] = {
        **first,
        "top": {**top, "description": "The likeliest classes, the likeliest first."},
    }
    if predictor.thresholds is not None and not predictor.has_several_labels:
        unknown = "null where no class is likely enough; the name is 'unknown' then"
        answer["label"] = {"anyOf": [first["label"], {"type": "null"}], "description": unknown}
        answer["name"] = {"anyOf": [first["name"], {"const": "unknown"}]}
        answer["guess"] = {**place["name"], "description": "The likeliest class, whether it is named or not."}
    return {
        "Answer": _object(**answer),
        "Error": _object(error=_TEXT, id={**_TEXT, "description": "What the log has it under."}),
        "FileError": _object(error=_TEXT, id=_TEXT, file=_TEXT),
        "Model": _object(
            name=_TEXT,
            classes={"type": "array", "items": _TEXT},
            num_tasks={"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]},
            has_several_labels={"type": "boolean"},
            has_heat_maps={"type": "boolean"},
            max_bytes={"type": "integer", "minimum": 1},
        ),
        "Health": _object(status={**_TEXT, "description": "ready, or what is the matter."}),
    }
