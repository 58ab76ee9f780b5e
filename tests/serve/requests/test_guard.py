"""Whose requests are answered, and what an error tells."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.requests.client import PNG, RED, client_of
from tests.serve.toy import ColourPredictor

BEARER = {"Authorization": "Bearer s3cret"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of() as found:
        yield found


@pytest.fixture(scope="module")
def locked() -> Iterator[TestClient]:
    with client_of(host="0.0.0.0", token="s3cret") as found:
        yield found


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:9000", "[::1]:8000", "localhost.:80"]
)
def test_the_loopback_goes_by_its_names(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("0.0.0.0:8000", 403),
        ("2130706433", 403),
        ("", 400),
        ("127.0.0.1@evil.example", 400),
        ("evil.example#127.0.0.1", 400),
        ("127.0.0.1:8000:80", 400),
        ("[::1", 400),
    ],
)
def test_a_foreign_host_is_refused(client: TestClient, host: str, status: int) -> None:
    response = client.post("/predict", content=RED, headers={**PNG, "Host": host})
    assert response.status_code == status
    assert set(response.json()) == {"error", "id"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_page_of_another_site_is_refused(client: TestClient, headers: dict) -> None:
    response = client.post("/predict", content=RED, headers={**PNG, **headers})
    assert response.status_code == 403
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    preflight = client.options("/predict", headers=asked)
    assert preflight.status_code == 403
    for each in (response, preflight):
        assert not [name for name in each.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_the_own_page_and_programs_are_answered(client: TestClient, headers: dict) -> None:
    response = client.post("/predict", content=RED, headers={**PNG, **headers})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control-")]


def test_a_link_to_the_page_may_be_followed(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/", headers={**headers, "Sec-Fetch-Mode": "cors"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "s3cret"},
        {"Authorization": "Basic s3cret"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer s3cre"},
        {"Authorization": "Bearer s3cret2"},
        {"Authorization": b"Bearer s3cr\xe9t"},
    ],
)
def test_without_the_token_nothing_is_told(locked: TestClient, headers: dict) -> None:
    for path in ("/predict", "/explain"):
        response = locked.post(path, content=RED, headers={**PNG, **headers})
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    for path in ("/metrics", "/openapi.json", "/model", "/nothing"):
        assert locked.get(path, headers=headers).status_code == 401


def test_with_the_token_all_is_answered_and_the_health_without(locked: TestClient) -> None:
    assert locked.post("/predict", content=RED, headers={**PNG, **BEARER}).status_code == 200
    assert locked.post("/predict", content=RED, headers={**PNG, "authorization": "bearer  s3cret"}).is_success
    assert locked.get("/metrics", headers=BEARER).status_code == 200
    assert locked.get("/health").status_code == 200
    assert locked.get("/").status_code == 200
    # Whatever name leads to it.
    assert locked.get("/health", headers={"Host": "models.lan"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fsettings.py", "/assets/%00"),
        *(
            "/predict/",
            "/assets//etc/passwd",
            "/%252e%252e/etc/passwd",
            "/assets/page.css%00.png",
            "/\\..\\..\\x",
        ),
    ],
)
def test_other_paths_lead_nowhere(client: TestClient, path: str) -> None:
    response = client.get(path, follow_redirects=False)
    assert response.status_code == 404
    assert set(response.json()) == {"error", "id"}


def test_a_method_that_a_route_lacks_is_refused(client: TestClient) -> None:
    assert client.get("/predict").status_code == 405
    assert client.options("/predict").status_code == 405
    assert client.post("/health").status_code == 405


class Failing(ColourPredictor):
    """Its network fails."""

    def views(self, pixels: Any) -> Any:
        raise RuntimeError("/secret/path/weights.pth of torch 2.14 is bad")


def test_what_nobody_foresaw_is_told_by_an_id_that_the_log_has(caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: Any) -> Any:
        raise RuntimeError("/secret/path is broken")

    with client_of(Failing()) as client:
        client.app.add_route("/broken", broken)  # type: ignore[attr-defined]
        responses = [client.post("/predict", content=RED, headers=PNG), client.get("/broken")]
    for response in responses:
        assert response.status_code == 500
        body = response.json()
        assert set(body) == {"error", "id"}
        assert re.fullmatch(r"[0-9a-f]{12}", body["id"])
        assert not re.search(r"secret|torch|Traceback|\.py|Error", response.text)
        (record,) = [each for each in caplog.records if body["id"] in each.getMessage() and each.exc_info]
        assert record.levelno == logging.ERROR
        assert "/secret/path" in str(record.exc_info[1])  # type: ignore[index]


def test_no_answer_says_what_serves_it(client: TestClient) -> None:
    for path in ("/health", "/nothing", "/predict"):
        headers = client.get(path).headers
        assert "server" not in headers
        assert headers["x-content-type-options"] == "nosniff"
