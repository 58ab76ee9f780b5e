"""The process of a server: where it listens, when it says so, how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ding_cls
from ding_cls.errors import ConfigError, ModelError
from ding_cls.serve import server
from ding_cls.serve.server import ServedModel, ready_lines, serve
from ding_cls.serve.settings import ServeSettings
from tests.faults.server.started import get, post, served
from tests.serve.onnx_files import CLASSES, write_onnx
from tests.serve.requests.test_decoding import variants
from tests.serve.toy import ColourPredictor, painted
from tests.serve.wire import connect, exchange, read_answer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("onnx") / "model.onnx")


def test_the_lines_say_where_and_for_whom_and_how_much() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
        ready, limits = ready_lines(ServeSettings(port=0), listener).splitlines()
        assert ready == f"ready: http://127.0.0.1:{number} (this machine alone); Ctrl-C ends it"
        assert limits.startswith("at most 16 MiB a request, 50 megapixels an image, ")
        both = ready_lines(ServeSettings(port=0, token="secret", workers=30), listener)
        assert "(this machine alone, with the token, 30 workers)" in both
        assert "secret" not in both
        assert max(map(len, both.splitlines())) <= 110


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"--host 127.0.0.1 --port {number} cannot be listened on: Addr"
        ):
            serve(ServedModel(["model.onnx"]), ServeSettings(port=number))


def test_an_address_that_is_not_ours_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"--host 192\.0\.2\.1 --port 0 cannot be listened on"):
        serve(ServedModel(["model.onnx"]), ServeSettings(host="192.0.2.1", port=0, token="t"))


def test_a_network_that_takes_other_images_is_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Picky(ColourPredictor):
        def views(self, pixels: Any) -> Any:
            raise ModelError("Picky cannot take images (1, 3, 64, 64)")

    predictor = Picky()
    monkeypatch.setattr(server, "load", lambda *arguments, **options: predictor)
    assert server.loaded(ServedModel(["toy"]), ServeSettings()) is predictor
    out, err = capsys.readouterr()
    assert err == (
        "the network could not be tried before it is asked: Picky cannot take images (1, 3, 64, 64)\n"
    )
    assert out.startswith("serving toy: 3 classes, on ")


@pytest.mark.slow
def test_a_process_answers_as_predict_does_and_ends_with_0(model: Path, tmp_path: Path) -> None:
    predictor = ding_cls.load(str(model))
    count = 0
    with served(model, tmp_path) as running:
        for name, content in variants().items():
            (tmp_path / name).write_bytes(content)
            status, _, body = exchange(running.port, post(content, kind="application/octet-stream"))
            (record,) = predictor(tmp_path / name)
            answer = json.loads(body)
            assert (status, answer["label"], answer["name"]) == (200, record.label, record.name), name
            assert answer["score"] == pytest.approx(record.score, abs=1e-6), name
            count += 1
        code, seconds = running.stop()
    assert (count, code) == (10, 0)
    assert seconds < 10
    first, second, _, last = (tmp_path / "server.log").read_text().splitlines()
    assert first == f"serving {model}: 4 classes, on cpu, by ONNX Runtime"
    assert second.startswith(f"ready: http://127.0.0.1:{running.port} ")
    assert last == "stopping: 0 requests on the way, at most 9 s for them"
    assert len(CLASSES) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("workers", "line"),
    [
        ("1", "stopping: 1 request on the way, at most 9 s for them"),
        ("2", "stopping: the workers answer what is on its way"),
    ],
)
def test_what_is_on_its_way_is_answered_and_nothing_new_taken(
    model: Path, tmp_path: Path, workers: str, line: str, name: str
) -> None:
    request = post(painted(200, 10, 10))
    with served(model, tmp_path, "--workers", workers) as running, connect(running.port) as client:
        client.sendall(request[:-20])
        time.sleep(0.5)
        running.process.send_signal(signal.Signals[name])
        # What looks after workers sees it within half a second.
        time.sleep(1.5 if workers == "2" else 0.5)
        with pytest.raises(OSError):
            connect(running.port, timeout=2)
        client.sendall(request[-20:])
        status, headers, body = read_answer(client)
        assert (status, headers["connection"]) == (200, "close")
        assert json.loads(body)["name"] in CLASSES
        assert running.process.wait(10) == 0
    assert line in (tmp_path / "server.log").read_text()


@pytest.mark.slow
def test_the_second_ctrl_c_ends_at_once_and_quietly(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path) as running, connect(running.port) as client:
        client.sendall(post(painted(200, 10, 10))[:-20])
        time.sleep(0.5)
        for _ in range(2):
            running.process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert running.process.wait(5) == 0
    assert (tmp_path / "server.log").read_text().splitlines()[3:] == [
        "stopping: 1 request on the way, at most 9 s for them"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_network_that_cannot_be_loaded_ends_with_its_line(tmp_path: Path, workers: str) -> None:
    command = [sys.executable, "-m", "ding_cls", "serve", "none.onnx", "--port", "0", "--workers", workers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()  # type: ignore[union-attr]
        said = time.monotonic()
        out, errors = process.communicate(timeout=60)
    # A worker that has ended was asked for 10 s whether it answers.
    assert time.monotonic() - said < 8
    assert process.returncode == 2
    assert line.startswith("error: the ONNX file 'none.onnx' does not exist")
    assert "Traceback" not in errors
    assert out == ""


_WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision"):
    sys.modules[name] = None
from ding_cls.cli import main
sys.exit(main(["serve", sys.argv[1], "--port", "0"]))
"""


@pytest.mark.slow
def test_an_onnx_file_is_served_where_there_is_no_torch(model: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT_TORCH, str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]  # type: ignore[union-attr]
            number = int(re.findall(r"http://127\.0\.0\.1:(\d+)", lines[1])[0])
            assert exchange(number, post(painted(200, 10, 10)))[0] == 200
            assert exchange(number, get("/"))[0] == 200
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


_HANGING = """
import sys, time
from ding_cls.serve import server
from ding_cls.serve.settings import ServeSettings
from tests.serve.toy import ColourPredictor

class Hanging(ColourPredictor):
    def views(self, pixels):
        if (pixels[0][:, 0] > 0.7).any():
            time.sleep(60)
        return super().views(pixels)

server.load = lambda *arguments, **options: Hanging()
sys.exit(server.serve(server.ServedModel(["toy"]), ServeSettings(port=0, drain_s=1)))
"""


@pytest.mark.slow
def test_a_network_that_hangs_keeps_the_process_no_longer_than_its_time(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(_HANGING)
    command = [sys.executable, str(tmp_path / "hanging.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]  # type: ignore[union-attr]
            number = int(re.findall(r"http://127\.0\.0\.1:(\d+)", lines[1])[0])
            with connect(number) as client:
                client.sendall(post(painted(200, 10, 10)))
                time.sleep(0.5)
                process.terminate()
                status, _, body = read_answer(client)
            assert status == 503
            assert json.loads(body)["error"] == "the server is stopping"
            assert process.wait(10) == 0
        finally:
            process.kill()
