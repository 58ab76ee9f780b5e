"""Thousands of damaged forms and images over HTTP: refused or answered, never an error of the server."""

import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.faults.server.started import Served, post, served
from tests.faults.server.test_server_limits import MULTIPART, field, file_part, form, png
from tests.serve.onnx_files import write_onnx
from tests.serve.wire import connect, exchange, read_answer

COUNTS = [
    pytest.param(500, marks=pytest.mark.slow),
    pytest.param(5000, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)]),
]
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")


def pictures() -> list[bytes]:
    found = []
    for mode in ("RGB", "L", "P", "CMYK", "RGBA", "I;16"):
        image = Image.effect_noise((40, 30), 60)
        image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert("RGB").convert(mode)
        for kind in FORMATS:
            file = io.BytesIO()
            try:
                image.save(file, kind)
            except (OSError, ValueError, KeyError):
                continue
            found.append(file.getvalue())
    assert len(found) > 20
    return found


def damaged(body: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Return bytes with one to four damages of six kinds."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(body) + 1)
        stop = min(len(body), start + chance.choice([1, 1, 4, 30, 300]))
        kind = chance.randrange(6)
        if kind == 0 and body:
            place = chance.randrange(len(body))
            body = body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :]
        elif kind == 1:
            body = body[:start]
        elif kind == 2:
            body = body[:start] + body[stop:]
        elif kind == 3:
            body = body[:start] + chance.randbytes(chance.choice([1, 4, 40])) + body[start:]
        elif kind == 4:
            body = body[:stop] + body[start:stop] * chance.choice([1, 2, 50]) + body[stop:]
        else:
            other = chance.choice(others)
            body = body[:start] + other[chance.randrange(len(other)) :]
    return body


def send_all(server: Served, count: int, make: Callable[[random.Random], tuple[bytes, str]]) -> Counter[int]:
    """Send bodies one after the other; return how often each status came."""
    statuses: Counter[int] = Counter()
    client = connect(server.port, timeout=30)
    for number in range(count):
        body, kind = make(random.Random(number))
        client.sendall(post(body, kind=kind))
        status, headers, answer = read_answer(client)
        assert status // 100 in (2, 4), (number, status, answer)
        statuses[status] += 1
        if headers.get("connection") == "close":
            client.close()
            client = connect(server.port, timeout=30)
    client.close()
    return statuses


@pytest.mark.parametrize("count", COUNTS)
def test_damaged_bodies_are_refused_and_leave_nothing(tmp_path: Path, count: int) -> None:
    files = pictures()
    forms = [
        form(file_part(0, png())),
        form(file_part(0, files[0]), file_part(1, files[1]), field(b"text")),
        form(*(file_part(each, files[each]) for each in range(5))),
    ]

    def image(chance: random.Random) -> tuple[bytes, str]:
        return damaged(chance.choice(files), chance, files), "application/octet-stream"

    def whole_form(chance: random.Random) -> tuple[bytes, str]:
        kind = (
            MULTIPART
            if chance.random() < 0.9
            else damaged(MULTIPART.encode(), chance, forms).decode("latin-1")
        )
        kind = "".join(each for each in kind if each.isprintable() and each.isascii())
        return damaged(chance.choice(forms), chance, forms + files), kind

    with served(write_onnx(tmp_path / "model.onnx"), tmp_path) as server:
        send_all(server, 200, image)
        send_all(server, 200, whole_form)
        before = server.memory_mb()
        for make in (image, whole_form):
            statuses = send_all(server, count, make)
            assert statuses.total() == count
            assert statuses[200] > 0.02 * count
            assert sum(statuses[each] for each in (400, 413, 415, 422)) > 0.2 * count
        assert abs(server.memory_mb() - before) < 30
        assert exchange(server.port, post(png()))[0] == 200
        assert server.stop()[0] == 0
        assert "Traceback" not in server.log.read_text()
