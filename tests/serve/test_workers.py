"""Workers: each has the same network and settings, they are counted together, none is left over."""

import json
import re
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from uvicorn.config import STARTUP_FAILURE

from ding_cls.serve import workers
from ding_cls.serve.requests.metrics import FOLDER_VARIABLE
from ding_cls.serve.settings import ServeSettings
from ding_cls.serve.workers import enrolled, worker_app
from tests.faults.server.started import get, post, served
from tests.serve.onnx_files import write_onnx
from tests.serve.toy import painted
from tests.serve.wire import exchange


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("onnx") / "model.onnx")


def test_a_worker_gets_network_and_settings_by_the_environment(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Log and environment are the whole process's.
    monkeypatch.setattr(workers, "set_up_process", lambda: None)
    settings = ServeSettings(token="secret", topk=2, workers=2)
    told = {"model": {"sources": [str(model)], "tta": True}, "settings": asdict(settings)}
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("DING_CLS_SERVE", json.dumps(told))
    app = worker_app()
    service = app.state.service
    assert service.settings == settings
    assert service.predictor.tta
    assert capsys.readouterr().out == f"serving {model}: 4 classes, on cpu, by ONNX Runtime\n"
    with TestClient(app, base_url="http://localhost") as client:
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "1 of 2 workers answer"})
        enrolled(str(tmp_path), 2)
        health = client.get("/health")
        assert (health.status_code, health.json()) == (200, {"status": "ready"})
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
    monkeypatch.setenv("DING_CLS_SERVE", json.dumps({"model": {"sources": []}, "settings": {}}))
    with pytest.raises(SystemExit) as left:
        worker_app()
    assert left.value.code == STARTUP_FAILURE
    assert "no such device" in caplog.text


def test_who_is_dead_is_not_counted(tmp_path: Path) -> None:
    counts = [enrolled(str(tmp_path), 2) for _ in range(2)]
    # What a dead one leaves, and the counts of another.
    (tmp_path / "x.worker").touch()
    (tmp_path / "counter_1.db").touch()
    assert [count() for count in counts] == [2, 2]
    for file in tmp_path.glob("*.worker"):
        file.unlink()
    assert counts[0]() == 0


@pytest.mark.slow
def test_workers_are_counted_together_and_end_with_the_parent(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path, "--workers", "2") as running:
        for _ in range(10):
            assert exchange(running.port, post(painted(200, 10, 10)))[0] == 200
        text = exchange(running.port, get("/metrics"))[2].decode()
        assert float(re.findall(r'ding_cls_images_total{outcome="answered"} (.*)', text)[0]) == 10
        code, seconds = running.stop()
        assert code == 0
        assert seconds < 10
    lines = (tmp_path / "server.log").read_text().splitlines()
    assert lines[2].startswith("ready: ")
    assert lines[4:] == ["stopping: the workers answer what is on its way"]


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
