"""The preprocessing that a file states gives the pixels of the run's own, or is not stated."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.data import PIPELINES, PipelinePreprocessing
from ding_cls.export.checking import stated
from ding_cls.export.checking.stated import stated_preprocessing
from ding_cls.inference import Predictor
from tests.export.graphs import CLASSES, Pooled, tiny_predictor


@PIPELINES.register_module()
class DarkerForExport:
    """A step of the user's own."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return {**results, "img": results["img"] // 2}


def test_the_usual_steps_are_stated() -> None:
    found, reason = stated_preprocessing(tiny_predictor(), None)
    assert reason == ""
    assert [each["op"] for each in found["steps"]] == ["resize_side", "crop"]
    assert len(found["mean"]) == len(found["std"]) == 3


def test_a_step_of_the_users_own_is_named() -> None:
    preprocessing = PipelinePreprocessing([{"type": "DarkerForExport"}])
    predictor = Predictor(Pooled(), preprocessing, CLASSES, device="cpu")
    found, reason = stated_preprocessing(predictor, None)
    assert found == {}
    assert "the step DarkerForExport of the run's evaluation has no equal without torch" in reason


@pytest.mark.parametrize("is_float", [False, True])
def test_one_other_pixel_is_a_reason(monkeypatch: pytest.MonkeyPatch, is_float: bool) -> None:
    steps: list[dict[str, Any]] = [{"type": "Resize", "size": (8, 8)}]
    floats = [{"type": "ToDtype", "dtype": "float32", "scale": True}] if is_float else []
    predictor = Predictor(Pooled(), PipelinePreprocessing(steps + floats), CLASSES, device="cpu")
    images = [np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8) for _ in range(3)]
    found, reason = stated_preprocessing(predictor, images)
    if is_float and not found:
        pytest.skip(reason)
    assert reason == ""
    prepared, calls = stated.prepared, []

    def off_by_one(image: Image.Image, steps: Any) -> Any:
        calls.append(image)
        pixels = prepared(image, steps)
        pixels[0, 0, 0] ^= len(calls) == 2
        return pixels

    monkeypatch.setattr(stated, "prepared", off_by_one)
    found, reason = stated_preprocessing(predictor, images)
    assert found == {}
    assert reason == "the steps without torch give other pixels of 'image 1' than the run's evaluation"
