"""200 sockets that are slow on purpose: they are closed, and others are served meanwhile; loopback only."""

import selectors
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.server.started import get, post, served
from tests.faults.server.test_server_limits import png
from tests.serve.onnx_files import write_onnx
from tests.serve.wire import connect, exchange, send

pytestmark = pytest.mark.slow

ENDLESS = post(b"", "Transfer-Encoding: chunked", "Content-Length:")
# What each kind sends at first, and then every second.
KINDS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "slow head": (b"GET / HTTP/1.1\r\n", lambda second: b"X"),
    "slow body": (post(b"", "Content-Length: 100000"), lambda second: b"x"),
    "never-ending": (ENDLESS, lambda second: b"100\r\n" + bytes(256) + b"\r\n"),
    "idle": (b"", lambda second: b""),
    "idle after an answer": (get("/health"), lambda second: b""),
}
EACH = 40


def test_slow_sockets_are_closed_and_keep_nobody_waiting(tmp_path: Path) -> None:
    with served(write_onnx(tmp_path / "model.onnx"), tmp_path) as server:
        assert exchange(server.port, post(png()))[0] == 200
        before = server.memory_mb()
        sockets = {connect(server.port): kind for kind in KINDS for _ in range(EACH)}
        closed: dict[str, list[float]] = {kind: [] for kind in KINDS}
        waiting = selectors.DefaultSelector()
        for client, kind in sockets.items():
            waiting.register(client, selectors.EVENT_READ, kind)
            send(client, KINDS[kind][0])
        began, second, normal_s = time.monotonic(), 0, []
        while sockets and time.monotonic() - began < 20:
            asked = time.monotonic()
            assert exchange(server.port, post(png()))[0] == 200
            normal_s.append(time.monotonic() - asked)
            if time.monotonic() - began > second + 1:
                second += 1
                for client, kind in sockets.items():
                    send(client, KINDS[kind][1](second))
            for key, _ in waiting.select(0.02):
                try:
                    received = key.fileobj.recv(65536)  # type: ignore[union-attr]
                except ConnectionError:
                    received = b""
                if not received:
                    closed[key.data].append(time.monotonic() - began)
                    waiting.unregister(key.fileobj)
                    del sockets[key.fileobj]  # type: ignore[arg-type]
                    key.fileobj.close()  # type: ignore[union-attr]
        assert {kind: len(each) for kind, each in closed.items()} == dict.fromkeys(KINDS, EACH)
        assert max(map(max, closed.values())) < 12
        assert min(closed["slow head"] + closed["slow body"] + closed["never-ending"]) > 9
        assert len(normal_s) > 100
        assert sorted(normal_s)[int(0.99 * len(normal_s))] < 1
        assert server.memory_mb() - before < 30
        assert server.stop()[0] == 0
