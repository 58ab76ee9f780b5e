"""The description of the routes: complete, whole, and true of what is answered."""

import re
from typing import Any

import pytest

from ding_cls.serve.page import PUBLIC_PATHS
from ding_cls.serve.requests.openapi import openapi
from ding_cls.serve.settings import ServeSettings
from tests.serve.requests.client import PNG, RED, client_of, files
from tests.serve.toy import ColourPredictor, demanding

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Return whether a value is as a schema says, by the words of JSON Schema 2020-12 that are used here."""
    known = {"$ref", "anyOf", "const", "enum", "type", "description", "properties", "required", "items"}
    known |= {"minItems", "maxItems", "minimum", "maximum"}
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        return fits(value, at(root, schema["$ref"]), root)
    if "anyOf" in schema:
        return any(fits(value, each, root) for each in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if schema["type"] == "null":
        return value is None
    if isinstance(value, bool) or schema["type"] == "boolean":
        return isinstance(value, bool) and schema["type"] == "boolean"
    if not isinstance(value, _TYPES[schema["type"]]):
        return False
    if isinstance(value, dict):
        named = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(named) and all(
            fits(each, named[name], root) for name, each in value.items()
        )
    if isinstance(value, list):
        length = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return length and all(fits(each, schema["items"], root) for each in value)
    return isinstance(value, str) or schema.get("minimum", 0) <= value <= schema.get("maximum", value)


def at(root: dict[str, Any], reference: str) -> Any:
    """Return what a reference leads to."""
    assert reference.startswith("#/")
    for name in reference[2:].split("/"):
        root = root[name]
    return root


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [each for inner in value.values() for each in references(inner)]
    return [each for inner in value for each in references(inner)] if isinstance(value, list) else []


def check(document: dict[str, Any]) -> None:
    """Check a document against what OpenAPI 3.1 demands of the objects that are used here."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= set(document["info"])
    assert set(document) <= {"openapi", "info", "servers", "paths", "components", "security"}
    names = []
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert set(item) <= _METHODS
        for operation in item.values():
            names.append(operation["operationId"])
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5]\d\d", status)
                assert response["description"]
                assert all("/" in kind for kind in response["content"])
            for parameter in operation.get("parameters", ()):
                assert {"name", "in", "schema"} <= set(parameter)
            if "requestBody" in operation:
                assert operation["requestBody"]["content"]
            for requirement in operation.get("security", ()):
                assert set(requirement) <= set(document["components"].get("securitySchemes", {}))
    assert len(set(names)) == len(names)
    for requirement in document.get("security", ()):
        assert set(requirement) <= set(document["components"]["securitySchemes"])
    found = references(document)
    assert found
    assert all(at(document, each) for each in found)
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in document["components"]["schemas"])


KINDS: list[dict[str, Any]] = [
    {},
    {"num_tasks": 2},
    {"has_several_labels": True},
    {"calibration": demanding(3)},
    {"calibration": demanding(3), "num_tasks": 2},
]


@pytest.mark.parametrize("arguments", KINDS)
def test_the_document_is_whole_and_answers_are_as_it_says(arguments: dict) -> None:
    with client_of(ColourPredictor(**arguments)) as client:
        document = client.get("/openapi.json").json()
        check(document)
        content = document["paths"]["/predict"]["post"]["responses"]
        for form in (files(RED), files(RED, b"x", RED)):
            response = client.post("/predict", files=form)
            schema = content[str(response.status_code)]["content"]["application/json"]["schema"]
            assert fits(response.json(), schema, document)
            assert not fits({"label": "x"}, schema, document)
        refused = client.post("/predict", content=b"x", headers=PNG)
        assert fits(refused.json(), content["422"]["content"]["application/json"]["schema"], document)
        for path in ("/health", "/model"):
            found = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            assert fits(client.get(path).json(), found["schema"], document)


def test_it_names_every_route_but_the_pages_own() -> None:
    with client_of() as client:
        described = set(client.get("/openapi.json").json()["paths"])
        paths = {each.path for each in client.app.routes}  # type: ignore[attr-defined]
    assert described == {"/predict", "/health", "/metrics", "/model"}
    assert paths - described == {*PUBLIC_PATHS, "/explain", "/openapi.json"}


def test_heat_maps_and_the_token_are_described_where_there_are_some() -> None:
    class Explaining(ColourPredictor):
        has_gradients = True

    document = openapi(Explaining(), ServeSettings(token="t"))
    check(document)
    assert document["security"] == [{"token": []}]
    assert "401" in document["paths"]["/explain"]["post"]["responses"]
    assert document["paths"]["/health"]["get"]["security"] == []
    assert "401" not in openapi(Explaining(), ServeSettings())["paths"]["/predict"]["post"]["responses"]
