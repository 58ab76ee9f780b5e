"""Workers: each has the same network and settings, a killed one is replaced, none is left over."""

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from uvicorn.config import STARTUP_FAILURE

from ding_cls.serve import workers
from ding_cls.serve.settings import ServeSettings
from ding_cls.serve.workers import worker_app
from tests.faults.server.started import get, post, served
from tests.serve.onnx_files import write_onnx
from tests.serve.toy import painted
from tests.serve.wire import exchange


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("onnx") / "model.onnx")


def test_a_worker_gets_network_and_settings_by_the_environment(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Log and environment are the whole process's.
    monkeypatch.setattr(workers, "set_up_process", lambda: None)
    settings = ServeSettings(token="secret", topk=2)
    told = {"model": {"sources": [str(model)], "tta": True}, "settings": settings.to_json()}
    monkeypatch.setenv("DING_CLS_SERVE", json.dumps(told))
    service = worker_app().state.service
    assert service.settings == settings
    assert service.predictor.tta
    assert capsys.readouterr().out == f"serving {model}: 4 classes, on cpu, by ONNX Runtime\n"
    told["model"]["sources"] = ["none.onnx"]
    monkeypatch.setenv("DING_CLS_SERVE", json.dumps(told))
    with pytest.raises(SystemExit) as left:
        worker_app()
    assert left.value.code == STARTUP_FAILURE
    assert capsys.readouterr().err.startswith("error: the ONNX file 'none.onnx' does not exist")


def test_a_worker_that_fails_in_any_way_at_its_start_is_not_started_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def loaded(*_: object) -> None:
        raise RuntimeError("no such device")

    monkeypatch.setattr(workers, "set_up_process", lambda: None)
    monkeypatch.setattr(workers, "loaded", loaded)
    monkeypatch.setenv("DING_CLS_SERVE", json.dumps({"model": {"sources": []}, "settings": "{}"}))
    with pytest.raises(SystemExit) as left:
        worker_app()
    assert left.value.code == STARTUP_FAILURE
    assert "no such device" in caplog.text


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_all_end_with_the_parent(model: Path, tmp_path: Path) -> None:
    def alive() -> set[int]:
        found = set()
        for pid in running.children():
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
        return found

    def answers(count: int) -> list[int]:
        return [exchange(running.port, post(painted(200, 10, 10)))[0] for _ in range(count)]

    with served(model, tmp_path, "--workers", "2") as running:
        first = alive()
        assert len(first) == 2
        assert answers(10) == [200] * 10
        text = exchange(running.port, get("/metrics"))[2].decode()
        assert float(re.findall(r'ding_cls_images_total{outcome="answered"} (.*)', text)[0]) == 10
        os.kill(min(first), signal.SIGKILL)
        end = time.monotonic() + 30
        while len(alive()) < 2 or alive() == first:
            assert answers(1) == [200]
            assert time.monotonic() < end
            time.sleep(0.1)
        assert answers(10) == [200] * 10
        code, seconds = running.stop()
        assert code == 0
        assert seconds < 10
    assert "ready: " in (tmp_path / "server.log").read_text()


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_parent(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path, "--workers", "2") as running:
        left = running.children()
        running.process.kill()
        running.process.wait(10)
        end = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in left):
            assert time.monotonic() < end, left
            time.sleep(0.1)
