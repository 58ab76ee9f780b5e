"""Answers of the application: equal to predict's, whatever else is asked at the same time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ding_cls
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained
from tests.serve.requests.client import GREEN, PNG, RED, client_of, files
from tests.serve.toy import ColourPredictor, painted


class Slow(ColourPredictor):
    """Answers once it is let, and notes the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.sizes: list[int] = []

    def views(self, pixels: Any) -> Any:
        self.sizes.append(len(pixels[0]))
        self.gate.wait(20)
        return super().views(pixels)


def test_answers_equal_those_of_predict_whatever_else_is_in_the_batch(trained: Path, images: Path) -> None:
    predictor = ding_cls.load(trained)
    paths = sorted((images / "val").rglob("*.png"))
    records = predictor(paths)
    bodies = [path.read_bytes() for path in paths]
    with client_of(predictor, queue=64) as client, ThreadPoolExecutor(8) as threads:

        def ask(number: int) -> list[Any]:
            chosen = [(number + step) % len(bodies) for step in range(1 + number % 5)]
            response = client.post("/predict", files=files(*(bodies[each] for each in chosen)))
            found = response.json()
            return list(zip(chosen, [found] if len(chosen) == 1 else found, strict=True))

        asked = [each for group in threads.map(ask, range(40)) for each in group]
        text = client.get("/metrics").text
    assert len(asked) == 120
    for number, answer in asked:
        record = records[number]
        assert (answer["label"], answer["name"]) == (record.label, record.name)
        assert answer["score"] == pytest.approx(record.score, abs=1e-5)
        found = {each["label"]: each["score"] for each in answer["top"]}
        assert np.abs([found[each] - record.probabilities[each] for each in range(4)]).max() <= 1e-5
    assert 'ding_cls_images_total{outcome="answered"} 120.0' in text


def test_an_unreadable_image_is_an_error_by_itself_and_in_its_place_among_others() -> None:
    with client_of() as client:
        alone = client.post("/predict", content=RED[:60], headers=PNG)
        assert alone.status_code == 422
        assert alone.json()["error"].startswith("the image is ")
        several = client.post("/predict", files=files(RED, b"no image", GREEN))
    assert several.status_code == 200
    first, second, third = several.json()
    assert (first["name"], third["name"]) == ("red", "green")
    assert second["error"] == "'1.png' is text, not a picture; delete it or replace it"
    assert second["file"] == "1.png"
    assert set(second) == {"error", "id", "file"}


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with client_of(max_pixels=2400) as client:
        assert client.post("/predict", content=RED, headers=PNG).status_code == 200
        response = client.post("/predict", content=painted(1, 2, 3, size=(60, 41)), headers=PNG)
        assert response.status_code == 413
        assert "(60 x 41) has more pixels than the limit" in response.json()["error"]
        assert (
            client.post("/explain", content=painted(1, 2, 3, size=(60, 41)), headers=PNG).status_code == 404
        )


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_full_queue_is_an_honest_503_and_those_in_it_are_answered() -> None:
    predictor = Slow()
    with client_of(predictor, queue=2, max_batch=1) as client, ThreadPoolExecutor(4) as threads:
        batcher = client.app.state.service.batcher  # type: ignore[attr-defined]

        def ask() -> Any:
            return client.post("/predict", content=RED, headers=PNG)

        first = threads.submit(ask)
        wait_for(lambda: predictor.sizes == [1])
        waiting = [threads.submit(ask) for _ in range(2)]
        wait_for(lambda: batcher.num_waiting == 2)
        refused = ask()
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert client.get("/health").status_code == 200
        predictor.gate.set()
        assert [each.result().status_code for each in (first, *waiting)] == [200] * 3
        assert batcher.num_waiting == 0


def test_a_request_that_takes_too_long_is_refused_and_the_health_says_so() -> None:
    predictor = Slow()
    with client_of(predictor, timeout_s=0.05) as client:
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.json()["error"].startswith("no answer within 0.05 s")
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "stuck"})
        assert client.post("/predict", content=RED, headers=PNG).status_code == 503
        predictor.gate.set()
        wait_for(lambda: client.get("/health").status_code == 200)


def test_the_health_tells_a_draining_server() -> None:
    with client_of() as client:
        assert client.get("/health").json() == {"status": "ready"}
        client.app.state.service.is_draining = True  # type: ignore[attr-defined]
        assert client.get("/health").json() == {"status": "draining"}
        assert client.get("/health").status_code == 503


class Moody(ColourPredictor):
    """Fails on green images, and has no number for blue ones."""

    def views(self, pixels: Any) -> Any:
        if any(each.argmax() == 1 for each in pixels[0]):
            raise RuntimeError("green")
        logits = super().views(pixels)
        logits[0][pixels[0].argmax(1) == 2] = np.nan
        return logits


def test_a_failure_of_the_network_fails_its_image_alone() -> None:
    with client_of(Moody()) as client:
        found = client.post("/predict", files=files(RED, GREEN, painted(0, 0, 200))).json()
        assert found[0]["name"] == "red"
        assert found[1]["error"].startswith("the server failed at this")
        assert found[2]["error"] == "the network's output for this image holds NaN"
        assert client.post("/predict", content=painted(0, 0, 200), headers=PNG).status_code == 500


def test_names_that_are_no_utf_8_are_answered_like_all_others() -> None:
    with client_of(ColourPredictor(("b\udcff", "<&>", "שלום"))) as client:
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.json()["name"] == "b\udcff"
        assert response.content.isascii()
        assert client.get("/openapi.json").status_code == 200


def test_few_heat_maps_are_made_at_once() -> None:
    class Explaining(Slow):
        has_gradients = True

    with client_of(Explaining()) as client:
        client.app.state.service.num_explaining = 4  # type: ignore[attr-defined]
        response = client.post("/explain", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
