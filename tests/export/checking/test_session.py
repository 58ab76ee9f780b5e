"""An ONNX file in ONNX Runtime: what it takes, and what cannot be run."""

from pathlib import Path

import pytest
import torch

from ding_cls.errors import ConfigError, ExportError
from ding_cls.export.checking.session import OnnxCandidate
from tests.export.graphs import SIZE, tiny_predictor, write_pooled


@pytest.mark.parametrize("layout", ["uint8", "float"])
def test_it_takes_what_the_preprocessing_leaves(tmp_path: Path, layout: str) -> None:
    predictor = tiny_predictor()
    candidate = OnnxCandidate(write_pooled(tmp_path / "a.onnx", predictor, layout=layout), predictor)
    assert candidate.size == (SIZE, SIZE)
    pixels = torch.randint(0, 256, (3, SIZE, SIZE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        wanted = predictor.model(predictor.preprocessing.normalize(pixels))
    assert torch.allclose(torch.from_numpy(candidate(pixels)), wanted, atol=1e-5)


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"bad\.onnx' cannot be used: "):
        OnnxCandidate(tmp_path / "bad.onnx", tiny_predictor())
    with pytest.raises(ExportError, match=r"none\.onnx' does not exist"):
        OnnxCandidate(tmp_path / "none.onnx", tiny_predictor())


def test_without_onnx_runtime_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    (tmp_path / "a.onnx").touch()
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[export\]'"):
        OnnxCandidate(tmp_path / "a.onnx", tiny_predictor())
