"""Bodies: an image, or a form; their limits are counted as they come, whatever a header says."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.serve.requests.client import GREEN, PNG, RED, client_of, files


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(max_bytes=20_000) as found:
        yield found


@pytest.mark.parametrize(
    "kind", ["image/png", "image/jpeg", "IMAGE/PNG; x=1", "application/octet-stream", None, ""]
)
def test_a_body_is_an_image(client: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    response = client.post("/predict", content=RED, headers=headers)
    assert response.status_code == 200
    assert response.json()["name"] == "red"


def test_a_form_of_one_file_is_one_image_and_of_several_a_list(client: TestClient) -> None:
    assert client.post("/predict", files=files(GREEN)).json()["name"] == "green"
    several = client.post("/predict", files=files(GREEN, RED, GREEN)).json()
    assert [each["name"] for each in several] == ["green", "red", "green"]


def test_other_fields_and_empty_file_fields_are_no_images(client: TestClient) -> None:
    form = [*files(RED), ("empty", ("", b"", "application/octet-stream"))]
    response = client.post("/predict", files=form, data={"comment": "hello"})
    assert response.json()["name"] == "red"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json", "multipart/mixed", "x"]
)
def test_a_body_of_another_type_is_refused_with_how_to_send_it(client: TestClient, kind: str) -> None:
    response = client.post("/predict", content=RED, headers={"Content-Type": kind})
    assert response.status_code == 415
    assert "multipart/form-data" in response.json()["error"]
    assert response.headers["connection"] == "close"


def test_a_request_without_an_image_is_refused(client: TestClient) -> None:
    for response in (
        client.post("/predict", headers=PNG),
        client.post("/predict", files={"a": ("", b"")}),
        client.post("/predict", files={"a": (None, b"no file")}),
    ):
        assert response.status_code == 400
        assert response.json()["error"].startswith("there is no image in the request")


def chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(1000)


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(client: TestClient) -> None:
    for content in (bytes(20_001), chunks(10_000)):
        response = client.post("/predict", content=content, headers=PNG)
        assert response.status_code == 413
        assert response.json()["error"] == "a body has at most 20,000 bytes"
        assert response.headers["connection"] == "close"
    small = {**PNG, "Content-Length": "5"}
    assert client.post("/predict", content=chunks(10_000), headers=small).status_code == 413
    assert client.post("/predict", files=files(bytes(30_000))).status_code == 413
    assert client.post("/predict", content=RED, headers=PNG).status_code == 200


def test_a_form_has_as_many_files_and_fields_as_there_is_room_for(client: TestClient) -> None:
    assert client.post("/predict", files=files(*[RED] * 33)).status_code == 413
    fields = {f"field{number}": "x" for number in range(17)}
    assert client.post("/predict", files=files(RED), data=fields).status_code == 413


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"]
)
def test_a_damaged_form_is_refused(client: TestClient, kind: str) -> None:
    response = client.post("/predict", content=b"--y\r\nno form", headers={"Content-Type": kind})
    assert response.status_code == 400
    assert set(response.json()) == {"error", "id"}


FORM = "multipart/form-data; boundary=XX"


def form_of(*contents: bytes) -> bytes:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n%s\r\n' % content
        for content in contents
    ]
    return b"".join(parts) + b"--XX--\r\n"


def test_a_form_that_is_cut_is_not_answered_for_its_first_files_alone(client: TestClient) -> None:
    whole, answers = form_of(RED, GREEN), 0
    for cut in (0, 2):
        body = whole[: len(whole) - cut]
        answers += len(client.post("/predict", content=body, headers={"Content-Type": FORM}).json())
    assert answers == 4
    for cut in (3, 8, len(GREEN), len(form_of(GREEN)) + 1):
        response = client.post("/predict", content=whole[:-cut], headers={"Content-Type": FORM})
        assert response.status_code == 400
        assert response.json()["error"].startswith("the form has no end")


@pytest.mark.parametrize("charset", ["undefined", "idna", "utf-16", "rot13", "none-such", "ascii"])
def test_an_odd_charset_is_no_failure_of_the_server(client: TestClient, charset: str) -> None:
    headers = {"Content-Type": f"{FORM}; charset={charset}"}
    response = client.post("/predict", content=form_of(RED), headers=headers)
    assert response.status_code == (400 if charset == "undefined" else 200)


def test_all_bodies_together_have_a_limit_and_give_their_room_back() -> None:
    with client_of(max_held_bytes=len(RED) - 1) as client:
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
    with client_of(max_held_bytes=len(RED)) as client:
        for _ in range(3):
            assert client.post("/predict", content=RED, headers=PNG).status_code == 200
