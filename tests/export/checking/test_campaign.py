"""The usual families on 800 photographs: each file says the same, and a sabotaged one is refused."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "export.py"
NETWORKS = (
    "mobilenet_v2",
    "squeezenet1_0",
    "resnet18",
    "resnet50",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
    "timm/vit_small_patch16_224",
    "swin_t",
)

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.data,
    pytest.mark.timeout(3600),
    pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="not run: DING_TEST_DATA is unset"),
]


def program() -> Any:
    spec = importlib.util.spec_from_file_location("export_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("network", NETWORKS)
def test_a_family_says_the_same_on_800_photographs(network: str) -> None:
    (row,) = program().main(["--networks", network])
    report = row["report"]
    assert report.is_equal
    assert (report.num_images, report.num_different, report.is_synthetic) == (800, 0, False)
    assert row["spread"] > 0.1
    assert row["refused"]
    assert row["named"], row["line"]
