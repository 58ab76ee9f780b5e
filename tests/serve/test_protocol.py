"""Slow, rude and endless clients of a server, with the deadlines cut to fractions of a second."""

import json
import re
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ding_cls.serve.protocol import DeadlineProtocol
from tests.serve.wire import (
    connect,
    exchange,
    port,
    read_answer,
    read_answers,
    seconds_until_closed,
    send,
    serving,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MAX_BODY = 100_000


class Quick(DeadlineProtocol):
    HEAD_S = 0.2
    BODY_S = 0.3
    WRITE_S = 0.3
    LINGER_S = 0.2
    DRAIN_S = 0.2
    TICK_S = 0.05
    MAX_CONNECTIONS = 8


async def _measure(request: Request) -> Response:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            headers = {"Connection": "close"} if request.url.query == "close" else {}
            return PlainTextResponse("too large", 413, headers)
    return PlainTextResponse(str(size))


async def _large(request: Request) -> Response:
    return Response(bytes(20_000_000))


@pytest.fixture(scope="module")
def number() -> Iterator[int]:
    routes = [Route("/", _measure, methods=["GET", "POST"]), Route("/large", _large)]
    with serving(Starlette(routes=routes), Quick) as server:
        yield port(server)


def error_of(body: bytes) -> str:
    """Return the text of an error, which has an id as all errors have."""
    answer = json.loads(body)
    assert re.fullmatch(r"[0-9a-f]{12}", answer.pop("id"))
    assert set(answer) == {"error"}
    return str(answer["error"])


def post(length: int, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + body


def test_requests_of_one_connection_are_answered_in_turn(number: int) -> None:
    with connect(number) as client:
        for size in (0, 1, 70_000, 100_000):
            send(client, post(size, bytes(size)))
            assert read_answer(client)[::2] == (200, str(size).encode())
        send(client, GET * 3)
        assert read_answers(client, 3) == [200, 200, 200]


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        (b"", 0),
        (b"GET / HT", 408),
        (GET[:-2], 408),
        (post(1000, b"abc"), 408),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 408),
    ],
    ids=["nothing", "half a line", "no end of the head", "body", "chunks"],
)
def test_who_stops_in_the_middle_is_told_and_closed(number: int, begin: bytes, status: int) -> None:
    with connect(number) as client:
        send(client, begin)
        began = time.monotonic()
        assert read_answer(client)[0] == status
        seconds_until_closed(client)
        assert 0.15 < time.monotonic() - began < 0.7


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\n", post(1000)], ids=["head", "body"])
def test_a_byte_now_and_then_does_not_keep_a_connection(number: int, begin: bytes) -> None:
    with connect(number) as client:
        send(client, begin)
        stop = threading.Event()
        trickle = threading.Thread(
            target=lambda: [send(client, b"x") for _ in range(40) if not stop.wait(0.05)]
        )
        trickle.start()
        began = time.monotonic()
        assert read_answer(client)[0] == 408
        assert time.monotonic() - began < 0.7
        stop.set()
        trickle.join()


def test_a_slow_link_that_keeps_its_pace_is_served(number: int) -> None:
    with connect(number) as client:
        send(client, post(40_000))
        began = time.monotonic()
        for _ in range(10):
            time.sleep(0.06)
            send(client, bytes(4000))
        assert read_answer(client)[::2] == (200, b"40000")
        assert time.monotonic() - began > Quick.BODY_S


def test_an_idle_connection_is_closed_without_an_answer(number: int) -> None:
    with connect(number) as client:
        send(client, GET)
        assert read_answer(client)[0] == 200
        assert 0.15 < seconds_until_closed(client) < 0.7


@pytest.mark.parametrize("size", [40_000, 1_000_000])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["open", "ended"])
def test_a_large_head_is_refused_at_once(number: int, size: int, end: bytes) -> None:
    began = time.monotonic()
    status, headers, body = exchange(number, GET[:-2] + b"X: " + b"x" * size + end)
    assert (status, error_of(body)) == (431, "the head of the request is too large")
    assert headers["connection"] == "close"
    assert time.monotonic() - began < 0.25


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", post(-1), b"\r\n" * 9])
def test_what_is_not_http_gets_400(number: int, data: bytes) -> None:
    status, _, body = exchange(number, data)
    assert (status, error_of(body)) == (400, "not a request of HTTP/1.1")


@pytest.mark.parametrize("query", [b"", b"?close"])
@pytest.mark.parametrize("size", [MAX_BODY + 1, 20_000_000])
def test_a_body_that_is_too_long_ends_the_connection_but_the_answer_arrives(
    number: int, query: bytes, size: int
) -> None:
    data = post(50_000_000, bytes(size)).replace(b"/", b"/" + query, 1)
    with connect(number) as client:
        began = time.monotonic()
        # A socket that is closed at once breaks this off, and programs do not look for an answer then.
        client.sendall(data)
        assert read_answer(client)[::2] == (413, b"too large")
        assert seconds_until_closed(client) < 0.25
        assert time.monotonic() - began < 0.5


def test_chunks_of_one_byte_are_refused_before_they_cost_much(number: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _, body = exchange(number, head + b"1\r\nx\r\n" * 30_000)
    assert (status, error_of(body)) == (400, "the chunks of the body are too small")
    whole = b"%x\r\n%s\r\n" % (60_000, bytes(60_000))
    assert exchange(number, head + whole + b"0\r\n\r\n")[::2] == (200, b"60000")


def test_who_does_not_read_the_answer_is_cut_off(number: int) -> None:
    with connect(number) as client:
        send(client, GET.replace(b"/", b"/large", 1))
        time.sleep(0.6)
        received = 0
        try:
            while part := client.recv(1 << 20):
                received += len(part)
        except ConnectionError:
            pass
        assert received < 20_000_000


def test_sockets_beyond_the_limit_push_out_those_that_wait(number: int) -> None:
    idle = [connect(number) for _ in range(Quick.MAX_CONNECTIONS)]
    began = time.monotonic()
    assert exchange(number, GET)[0] == 200
    assert time.monotonic() - began < 0.25
    assert seconds_until_closed(idle[0]) < 0.2
    for each in idle:
        each.close()


def test_a_shutdown_answers_what_is_on_its_way_and_says_so() -> None:
    with serving(Starlette(routes=[Route("/", _measure, methods=["GET", "POST"])]), Quick) as server:
        idle, busy = connect(port(server)), connect(port(server))
        send(idle, GET)
        assert read_answer(idle)[0] == 200
        send(busy, post(10, b"12345"))
        time.sleep(0.05)
        server.should_exit = True
        while server.servers[0].is_serving():
            time.sleep(0.005)
        send(idle, GET)
        send(busy, b"67890")
        for client in (idle, busy):
            status, headers, _ = read_answer(client)
            assert (status, headers["connection"]) == (200, "close")
            client.close()


def test_who_comes_after_all_others_were_told_to_end_is_told_too() -> None:
    routes = [Route("/", _measure, methods=["GET", "POST"])]
    with serving(Starlette(routes=routes), Quick) as server, connect(port(server)) as busy:
        send(busy, post(10, b"12345"))
        while not any(each.cycle for each in server.server_state.connections):
            time.sleep(0.005)
        (protocol,) = server.server_state.connections
        protocol.loop.call_soon_threadsafe(protocol.shutdown)
        status, headers, _ = exchange(port(server), GET)
        assert (status, headers["connection"]) == (200, "close")
        send(busy, b"67890")
        assert read_answer(busy)[0] == 200
