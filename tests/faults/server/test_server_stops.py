"""SIGTERM and killed workers while clients ask: what was sent is answered; loopback only."""

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.server.started import Served, get, post, served
from tests.faults.server.test_server_limits import png
from tests.serve.onnx_files import write_onnx
from tests.serve.wire import connect, exchange, read_answer

ROUNDS = [
    pytest.param(3, marks=pytest.mark.slow),
    pytest.param(20, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)]),
]
CLIENTS = 16


class Askers:
    """Clients that ask one thing after another, each on a connection of its own, until told to end.

    Attributes:
        outcomes: how often each status came; ``lost``: a request went out, and nothing or half an answer came
            back; ``refused``: nobody listens any more.
    """

    def __init__(self, server: Served) -> None:
        self.outcomes: Counter[str] = Counter()
        self._server, self._is_over = server, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> "Askers":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for each in self._threads:
            each.join(30)

    def _ask(self) -> None:
        while not self._is_over.is_set():
            try:
                client = connect(self._server.port)
            except ConnectionError:
                self.outcomes["refused"] += 1
                return
            with client:
                while not self._is_over.is_set():
                    try:
                        client.sendall(post(png()))
                        status, headers, body = read_answer(client)
                    except ConnectionError:
                        status, headers, body = 0, {}, b""
                    is_whole = len(body) == int(headers.get("content-length", "-1"))
                    self.outcomes[str(status) if is_whole else "lost"] += 1
                    if headers.get("connection") == "close" or not is_whole:
                        break


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_answers_all_that_was_sent(tmp_path: Path, workers: str, rounds: int) -> None:
    model = write_onnx(tmp_path / "model.onnx")
    for number in range(rounds):
        with served(model, tmp_path, "--workers", workers) as server, Askers(server) as askers:
            time.sleep(0.5 + 0.05 * number)
            code, seconds = server.stop()
            assert code == 0
            assert seconds <= 10
        assert askers.outcomes["200"] > CLIENTS
        # A connection that the listening socket had, and nobody had accepted, goes with it.
        assert askers.outcomes["lost"] == 0, askers.outcomes
        assert set(askers.outcomes) <= {"200", "503", "refused", "lost"}


@pytest.mark.slow
def test_a_killed_worker_costs_its_own_requests_alone_and_the_health_says_so(tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "model.onnx")
    with served(model, tmp_path, "--workers", "2") as server, Askers(server) as askers:
        time.sleep(1)
        workers = [each for each in server.children() if is_worker(each)]
        assert len(workers) == 2
        before = askers.outcomes["200"]
        os.kill(workers[0], signal.SIGKILL)
        missed_s, whole_s = (seconds_until_health(server, status) for status in (503, 200))
        assert missed_s < 2
        assert whole_s < 30
        (new,) = {each for each in server.children() if is_worker(each)} - {*workers}
        assert f"worker {workers[0]} ended by signal 9; {new} takes its place" in server.log.read_text()
        time.sleep(1)
        assert askers.outcomes["200"] > before
        assert askers.outcomes["lost"] <= CLIENTS
        assert askers.outcomes["refused"] == 0
        assert [exchange(server.port, get("/health"))[0] for _ in range(10)] == [200] * 10


def seconds_until_health(server: Served, wanted: int) -> float:
    """Return how long it takes until the health is of a status."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        asked = time.monotonic()
        status, _, body = exchange(server.port, get("/health"))
        assert (status, json.loads(body)["status"]) in {(200, "ready"), (503, "1 of 2 workers answer")}
        assert time.monotonic() - asked < 2
        if status == wanted:
            break
        time.sleep(0.02)
    return time.monotonic() - began


def is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
