"""What a user names decides what predicts; an ONNX file stands alone."""

from pathlib import Path

import pytest

import ding_cls
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.inference.onnx.predictor import OnnxPredictor
from ding_cls.inference.predictor import Predictor
from tests.onnx_files import write_onnx


def test_an_onnx_file_is_loaded_by_its_name(tmp_path: Path) -> None:
    for name in ("a.onnx", "B.ONNX"):
        predictor = ding_cls.load(write_onnx(tmp_path / name), tta=True, device="cpu")
        assert type(predictor) is OnnxPredictor
        assert predictor.tta
    assert type(ding_cls.load([tmp_path / "a.onnx"])) is OnnxPredictor


def test_a_run_is_still_a_predictor_of_torch(trained: Path) -> None:
    predictor = ding_cls.load(trained)
    assert type(predictor) is Predictor
    assert repr(predictor) == "<Predictor of 4 classes: 'ash', 'birch', 'cedar', 'tabby, tabby cat'>"


def test_what_does_not_go_with_an_onnx_file_is_told(tmp_path: Path, trained: Path) -> None:
    file = str(write_onnx(tmp_path / "a.onnx"))
    for pair in ([file, str(trained)], [str(trained), file], [file, file]):
        with pytest.raises(ConfigError, match=r"a\.onnx' is an ONNX file, and a mean is of checkpoints"):
            ding_cls.load(pair)
    with pytest.raises(ConfigError, match="holds its network; leave out --model and --pretrained"):
        ding_cls.load(file, model="resnet18")
    with pytest.raises(ConfigError, match=r"device='cuda:0': the ONNX file '.*a\.onnx' runs on the CPU"):
        ding_cls.load(file, device="cuda:0")
    with pytest.raises(ConfigError, match="has the names of its classes; leave 'classes' out"):
        ding_cls.load(file, classes=["a", "b", "c"])
    with pytest.raises(CheckpointError, match=r"the ONNX file '.*b\.onnx' does not exist"):
        ding_cls.load(tmp_path / "b.onnx")
