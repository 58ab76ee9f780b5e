"""The page as bytes: what browsers are told they may do, what it says of a network, what /explain answers."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from PIL import Image

from ding_cls.errors import ConfigError, DataError, ModelError
from ding_cls.serve.explain import Explainer
from ding_cls.serve.page import PUBLIC_PATHS
from tests.serve.toy import ColourPredictor, Differentiable, app_of, painted

testclient = pytest.importorskip("starlette.testclient")


@pytest.fixture
def client_of() -> Iterator[Any]:
    with ExitStack() as clients:

        def made(predictor: Any, **limits: Any) -> Any:
            client = testclient.TestClient(app_of(predictor, **limits), base_url="http://127.0.0.1")
            return clients.enter_context(client)

        yield made


def test_nothing_is_allowed_that_the_page_does_not_need(client_of: Any) -> None:
    client = client_of(ColourPredictor())
    for path in PUBLIC_PATHS:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        assert rules == {
            "default-src": "'none'",
            "img-src": "'self' blob: data:",
            "script-src": "'self'",
            "style-src": "'self'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }


def test_no_script_or_style_is_inline_and_no_address_is_another_machine(client_of: Any) -> None:
    client = client_of(ColourPredictor())
    page, style, *scripts = (client.get(path).text for path in PUBLIC_PATHS)
    script = "".join(scripts)
    assert script.count("import {") == 5
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|javascript:", page) == []
    assert re.findall(r"(?:src|href)=\"([^#\"]*)", page)[1:] == [
        "assets/page.css",
        "assets/page.js",
        "openapi.json",
    ]
    assert set(re.findall(r"\w+://[^'\"\s]+", page + style + script)) == {"http://www.w3.org/2000/svg"}
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Storage|cookie", script) == []


def test_what_anybody_may_fetch_says_nothing_of_the_network(client_of: Any) -> None:
    one, other = (
        client_of(ColourPredictor(), token="secret"),
        client_of(ColourPredictor(["a", "b", "c", "d"])),
    )
    for path in PUBLIC_PATHS:
        assert one.get(path).text == other.get(path).text
    assert one.get("/model").status_code == 401
    assert one.get("/model", headers={"Authorization": "Bearer secret"}).json()["name"] == "toy"


def test_the_page_is_told_what_it_must_know(client_of: Any) -> None:
    names = ["<b>", "a \"b\" & 'c',\n", "שלום", "lost \udce9 byte"]
    client = client_of(ColourPredictor(names, num_tasks=2), max_bytes=7)
    assert client.get("/model").json() == {
        "name": "toy",
        "classes": names,
        "num_tasks": 2,
        "has_several_labels": False,
        "has_heat_maps": False,
        "max_bytes": 7,
    }


def test_a_network_without_gradients_has_no_heat_maps(client_of: Any) -> None:
    answer = client_of(ColourPredictor()).post("/explain", content=painted(255, 0, 0))
    assert answer.status_code == 404
    assert "without gradients" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ConfigError("pip install 'ding_cls[cam]'"), 501, "this server can draw no heat map"),
        (ModelError("it has no layer (N, C, H, W)"), 501, "this server can draw no heat map"),
        (DataError("its output holds NaN"), 422, "its output holds NaN"),
    ],
)
def test_why_there_is_no_heat_map_is_for_the_owner_or_for_the_user(
    client_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    text: str,
) -> None:
    def refused(self: Explainer, image: Image.Image) -> bytes:
        raise error

    monkeypatch.setattr(Explainer, "prepare", lambda self: None)
    monkeypatch.setattr(Explainer, "heat_map", refused)
    answer = client_of(Differentiable()).post("/explain", content=painted(255, 0, 0))
    assert answer.status_code == status
    assert answer.json()["error"].startswith(text)
    assert (f"no heat map: {error}" in caplog.messages) is (status == 501)


def test_layers_are_asked_for_by_name(client_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Explainer, "prepare", lambda self: None)
    monkeypatch.setattr(Explainer, "heat_map", lambda self, image: b"map of " + image.mode.encode())
    monkeypatch.setattr(Explainer, "seen", lambda self, image: b"image of " + image.mode.encode())
    client = client_of(Differentiable())
    file = io.BytesIO()
    Image.new("CMYK", (4, 4)).save(file, "JPEG")
    answers = [client.post(path, content=file.getvalue()) for path in ("/explain", "/explain?layer=image")]
    assert [each.content for each in answers] == [b"map of RGB", b"image of RGB"]
    assert {each.headers["content-type"] for each in answers} == {"image/png"}
    networks = {each.headers["x-network"] for each in (*answers, client.get("/model"))}
    assert len(networks) == 1
    other = client_of(Differentiable(["a", "b", "c"]))
    assert other.get("/model").headers["x-network"] not in networks
    assert "x-network" not in client_of(ColourPredictor()).get("/model").headers
    assert client.post("/explain", content=b"no image").status_code == 422
    assert client.get("/explain").status_code == 405
