"""Bodies, heads, hosts and paths that a server must refuse, as bytes on a socket; loopback only."""

import contextlib
import io
import itertools
import time
from collections.abc import Iterable, Iterator

import pytest
from PIL import Image

from tests.faults.server.started import Served, get, post, served
from tests.serve.onnx_files import write_onnx
from tests.serve.wire import connect, exchange, read_answer, seconds_until_closed, send

pytestmark = pytest.mark.slow

MIB = 2**20


def png(size_px: int = 12) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size_px, size_px), (10, 200, 30)).save(file, "PNG")
    return file.getvalue()


def form(*parts: bytes) -> bytes:
    return b"".join(b"--XX\r\n" + part + b"\r\n" for part in parts) + b"--XX--\r\n"


def file_part(index: int, body: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="f"; filename="{index}.png"\r\n'
    return f"{head}Content-Type: image/png\r\n{more}\r\n".encode() + body


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    with served(write_onnx(folder / "model.onnx"), folder) as running:
        # What is loaded on first use is loaded.
        for _ in range(20):
            assert exchange(running.port, post(png()))[0] == 200
            assert (
                exchange(
                    running.port, post(form(file_part(0, png())), kind="multipart/form-data; boundary=XX")
                )[0]
                == 200
            )
        yield running


MULTIPART = "multipart/form-data; boundary=XX"
BYTES = bytes(65536)


def endless(again: bytes, begin: bytes = b"", kind: str = "image/png") -> Iterator[bytes]:
    """Return a body in chunks that goes on for 256 MB, should anybody take it."""
    head = post(b"", "Transfer-Encoding: chunked", "Content-Length:", kind=kind)
    return itertools.chain([head + begin], itertools.repeat(again, 256 * MIB // len(again)))


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def field(body: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="a"\r\n\r\n' + body


def multipart(*parts: bytes) -> list[bytes]:
    return [post(form(*parts), kind=MULTIPART)]


URLENCODED = "application/x-www-form-urlencoded"
BODIES: dict[str, tuple[set[int], Iterable[bytes]]] = {
    "true length": ({413}, [post(bytes(17 * MIB))]),
    "length of 10 GB, and silence": ({413}, [post(b"abc", "Content-Length: 10000000000")]),
    "no length": ({400}, [post(b"", "Content-Length:")]),
    "length too small": ({400, 422}, [post(png(), "Content-Length: 10")]),
    "length and chunks": ({400}, [post(b"0\r\n\r\n", "Transfer-Encoding: chunked"), get("/health")]),
    "negative length": ({400}, [post(png(), "Content-Length: -1")]),
    "length that is no number": ({400}, [post(png(), "Content-Length: 1e9")]),
    "two lengths": ({400}, [post(png(), "Content-Length: 5", "Content-Length: 6")]),
    "endless chunks": ({413}, endless(chunk(BYTES))),
    "endless chunks of a byte": ({400}, endless(chunk(b"x") * 2000)),
    "a chunk of 2^70 bytes": ({400, 413}, endless(BYTES, b"400000000000000000\r\n")),
    "endless file": ({413}, endless(chunk(BYTES), chunk(b"--XX\r\n" + file_part(0, b"")), MULTIPART)),
    "1,000 files": ({400, 413}, multipart(*(file_part(each, png()) for each in range(1000)))),
    "1,000 fields": ({400, 413}, multipart(*(field(b"x") for _ in range(1000)))),
    "a field of 1 MB": ({400, 413}, multipart(field(bytes(MIB)))),
    "a part whose head is 1 MB": ({400, 413}, multipart(file_part(0, png(), f"X: {'x' * MIB}\r\n"))),
    "a part with 10,000 headers": ({400, 413}, multipart(file_part(0, png(), "X: y\r\n" * 10_000))),
    "no boundary": ({400}, [post(form(file_part(0, png())), kind="multipart/form-data")]),
    "a head of 1 MB": ({431}, [get("/", "X: " + "x" * MIB)]),
    "100,000 headers": ({431}, [get("/", *(f"X{each}: y" for each in range(100_000)))]),
    "a path of 1 MB": ({431}, [get("/" + "a" * MIB)]),
    "urlencoded": ({415}, [post(b"a=b&" * 1000, kind=URLENCODED)]),
    "urlencoded, 17 MB": ({413, 415}, [post(b"a=b&" * (17 * MIB // 4), kind=URLENCODED)]),
    "compressed": ({400, 415, 501}, [post(png(), "Transfer-Encoding: gzip")]),
}
# Their requests are whole: the connection may go on.
WHOLE = {"no length", "1,000 files", "1,000 fields", "a field of 1 MB", "no boundary", "urlencoded"}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_beyond_the_limits_is_refused_within_a_second(server: Served, name: str) -> None:
    statuses, parts = BODIES[name]
    before = server.memory_mb()
    with connect(server.port, timeout=5) as client:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for part in parts:
                client.sendall(part)
        status, headers, body = read_answer(client)
        assert status in statuses, (status, body)
        assert time.monotonic() - began < 1
        assert not [each for each in headers if each.startswith("access-control")]
        if name not in WHOLE:
            assert seconds_until_closed(client) < 2
    assert server.memory_mb() - before < 20
    assert exchange(server.port, post(png()))[0] == 200


def test_large_images_leave_no_memory_behind(server: Served) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (6000, 6000), (1, 2, 3, 4)).save(file, "PNG")
    before = server.memory_mb()
    for _ in range(3):
        assert exchange(server.port, post(file.getvalue()))[0] == 200
    # Each took 600 MB and more while it was decoded.
    assert server.memory_mb() - before < 100


LOCAL = "Host: localhost"
FOREIGN: dict[str, tuple[set[int], bytes]] = {
    "host": ({403, 421}, post(png(), "Host: evil.example")),
    "host that begins like ours": ({403, 421}, post(png(), "Host: localhost.evil.example")),
    "host that ends like ours": ({403, 421}, post(png(), "Host: evil.localhost.example:80")),
    "host with a user": ({400, 403}, post(png(), "Host: localhost@evil.example")),
    "no host": ({400}, post(png(), "Host:")),
    "two hosts": ({400}, post(png(), LOCAL, "Host: evil.example")),
    "origin": ({403}, post(png(), "Origin: http://evil.example")),
    "origin null": ({403}, post(png(), "Origin: null")),
    "another port's origin": ({403}, post(png(), "Origin: http://localhost:1")),
    "cross-site": ({403}, post(png(), "Sec-Fetch-Site: cross-site")),
    "same-site": ({403}, post(png(), "Sec-Fetch-Site: same-site")),
    "cross-site that says it is a link": (
        {403},
        post(png(), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"),
    ),
    "preflight": (
        {403, 405},
        b"OPTIONS /predict HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n",
    ),
    "preflight from nowhere": ({403, 405}, b"OPTIONS /predict HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "text/plain": ({415}, post(png(), kind="text/plain")),
    "metrics from elsewhere": (
        {403},
        get("/metrics", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"),
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_page_gets_nothing(server: Served, name: str) -> None:
    statuses, request = FOREIGN[name]
    status, headers, body = exchange(server.port, request)
    assert status in statuses, body
    assert not [each for each in headers if each.startswith("access-control")]
    assert b"score" not in body


TRAVERSALS = [
    prefix + way
    for prefix in ("/", "/assets/", "/static/", "/health/")
    for way in (
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%252f..%252fetc%252fpasswd",
        "..%5c..%5cetc%5cpasswd",
        "....//....//etc/passwd",
        "..%c0%af..%c0%afetc/passwd",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "page.html%00.png",
        "%00",
        "..%00/",
    )
]


def test_a_path_out_of_the_server_finds_nothing(server: Served) -> None:
    assert len(TRAVERSALS) == 52
    with connect(server.port) as client:
        for path in TRAVERSALS:
            send(client, get(path))
            status, _, body = read_answer(client)
            assert status in (400, 404), (path, status)
            assert b"root:" not in body
            assert b"Traceback" not in body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "BREW"])
def test_other_methods_are_not_taken(server: Served, method: str) -> None:
    request = f"{method} /predict HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    assert exchange(server.port, request)[0] in (400, 405)


def test_nothing_names_the_programs_or_their_versions(server: Served) -> None:
    for request in (get("/health"), get("/nowhere"), post(b"x"), get("/", "Host: evil.example")):
        _, headers, body = exchange(server.port, request)
        text = (str(headers) + body.decode("latin-1")).lower()
        assert not [
            word for word in ("uvicorn", "starlette", "python", "traceback", "/ding_cls/") if word in text
        ]
