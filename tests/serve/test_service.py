"""A service's honesty: what it cannot answer in time or at all is refused, and nothing else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

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
        self.gate.wait(120)
        return super().views(pixels)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 60
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
        service = client.app.state.service  # type: ignore[attr-defined]
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.json()["error"].startswith("no answer within 0.05 s")
        # Its image may not have come to the network: on a busy machine that time goes by while it is decoded.
        client.portal.start_task_soon(service.batcher.run, predictor.gate.wait, 120)  # type: ignore[union-attr]
        wait_for(lambda: service.state == "stuck")
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "stuck"})
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.json()["error"] == "the network does not answer: stuck"
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
