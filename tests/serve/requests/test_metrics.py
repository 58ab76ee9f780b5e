"""Counts as Prometheus reads them; each server has its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ding_cls.serve.requests.metrics import FOLDER_VARIABLE, ServerMetrics
from tests.serve.requests.client import PNG, RED, client_of, files


def values(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_requests_images_and_batches_are_counted() -> None:
    with client_of() as client:
        client.post("/predict", content=RED, headers=PNG)
        client.post("/predict", files=files(RED, b"none", RED))
        client.post("/predict", content=b"none", headers=PNG)
        client.get("/nothing")
        client.get("/other/nothing")
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = values(response.text)
    assert found["ding_cls_requests_total[('path', '/predict'), ('status', '200')]"] == 2
    assert found["ding_cls_requests_total[('path', '/predict'), ('status', '422')]"] == 1
    assert found["ding_cls_requests_total[('path', 'other'), ('status', '404')]"] == 2
    assert found["ding_cls_images_total[('outcome', 'answered')]"] == 3
    assert found["ding_cls_images_total[('outcome', 'refused')]"] == 2
    assert found["ding_cls_batch_images_sum"] == 3
    assert found["ding_cls_waiting_images"] == 0
    assert found["ding_cls_request_seconds_count[('path', '/predict')]"] == 3


def test_each_server_has_counts_of_its_own() -> None:
    first, second = ServerMetrics(), ServerMetrics()
    first.batches.observe(3)
    assert b"ding_cls_batch_images_sum 3.0" in first.text()
    assert b"ding_cls_batch_images_sum 0.0" in second.text()


_WORKER = """
from ding_cls.serve.requests.metrics import ServerMetrics
metrics = ServerMetrics()
metrics.waiting.set(2)
metrics.requests.labels("/predict", "200").inc()
if {is_last}:
    print(metrics.text().decode())
"""


@pytest.mark.slow
def test_workers_add_their_counts_up_and_the_dead_wait_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for is_last in (False, False, True):
        code = _WORKER.format(is_last=is_last)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = values(done.stdout)
    assert found["ding_cls_requests_total[('path', '/predict'), ('status', '200')]"] == 3
    assert found["ding_cls_waiting_images"] == 2
