"""A server in a thread, and requests byte by byte as no HTTP library would send them; loopback only."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn


@contextlib.contextmanager
def serving(app: Any, protocol: type, **settings: Any) -> Iterator[uvicorn.Server]:
    """Yield a server of an app on a free port: ``port(server)``; it is gone afterwards."""
    options = {"lifespan": "off", "ws": "none", "log_config": None, "access_log": False, **settings}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, http=protocol, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def port(server: uvicorn.Server) -> int:
    number: int = server.servers[0].sockets[0].getsockname()[1]
    return number


def connect(number: int, *, timeout: float = 20.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", number), timeout=timeout)


def read_answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (lower case) and body of one answer; (0, {}, b"") where none came."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in received:
            part = client.recv(65536)
            if not part:
                return 0, {}, b""
            received += part
    if b"\r\n\r\n" not in received:
        return 0, {}, b""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        part = client.recv(65536)
        if not part:
            break
        body += part
    return int(first.split()[1]), headers, body


def read_answers(client: socket.socket, count: int) -> list[int]:
    """Return the statuses of several answers without chunks, which may come in one piece."""
    received = b""
    while received.count(b"HTTP/1.1 ") < count and (part := client.recv(65536)):
        received += part
    return [int(each[:3]) for each in received.split(b"HTTP/1.1 ")[1:]]


def send(client: socket.socket, data: bytes) -> None:
    """Send as much as the server takes: it may have answered and closed already."""
    with contextlib.suppress(ConnectionError):
        client.sendall(data)


def exchange(number: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the answer to some bytes."""
    with connect(number) as client:
        send(client, data)
        return read_answer(client)


def seconds_until_closed(client: socket.socket) -> float:
    """Return how long the server leaves a connection open."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    return time.monotonic() - began
