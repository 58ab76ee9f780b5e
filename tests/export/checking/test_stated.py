"""What a file says of itself is so; its preprocessing gives the pixels of the run's own, or is not stated."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from ding_cls.data import PIPELINES, PipelinePreprocessing
from ding_cls.export.checking import stated
from ding_cls.export.checking.equality import check_described, check_equality
from ding_cls.export.checking.stated import stated_preprocessing
from ding_cls.export.description import described
from ding_cls.export.lowering import lowered
from ding_cls.inference import Predictor
from ding_cls.inference.onnx.description import KEY
from ding_cls.inference.onnx.seal import BLANK, SEAL, sealed
from tests.export.graphs import CLASSES, SIZE, Pooled, tiny_predictor, write_pooled


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


def test_the_numbers_that_normalise_are_tried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(preprocessing: Any) -> dict[str, Any]:
        found = lowered(preprocessing)
        return {**found, "mean": found["mean"][::-1]}

    monkeypatch.setattr(stated, "lowered", swapped)
    found, reason = stated_preprocessing(tiny_predictor(), None)
    assert found == {}
    assert reason.startswith("the steps without torch give other pixels of 'a synthetic image'")


def test_images_of_one_size_do_not_hide_a_missing_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stated, "lowered", lambda preprocessing: {**lowered(preprocessing), "steps": []})
    images = [np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8) for _ in range(3)]
    assert stated_preprocessing(tiny_predictor(), images)[0] == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"classes": CLASSES[::-1]}, "its classes, as it says in its metadata, is ('fir', "),
        ({"has_several_labels": True}, "its has_several_labels, as it says in its metadata, is True, and"),
        ({"num_tasks": 3}, "its num_tasks, "),
        ({"threshold": 0.1}, "its threshold, "),
        ({"layout": "float"}, "its layout, "),
        ({"height": 9}, "its height, "),
        ({"calibration": {"temperature": 2.0}}, "its calibration, "),
        ({"preprocessing": {"steps": [], "mean": [0, 0, 0], "std": [1, 1, 1]}}, "the preprocessing that it"),
        (
            {"preprocessing": {"steps": [{"op": "x"}]}},
            "what 'the file' says of its preprocessing cannot be used",
        ),
        ({"preprocessing": {}}, ""),
    ],
    ids=str,
)
def test_what_a_file_says_of_itself_must_be_so(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    predictor = tiny_predictor()
    file = write_pooled(tmp_path / "a.onnx", predictor)
    example = torch.empty(SIZE, SIZE, 3, dtype=torch.uint8)
    true = described(predictor, example, "uint8", lowered(predictor.preprocessing))
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: replace(true, **change).to_json()})
    onnx.save(model, file)
    report = check_equality(predictor, file, samples=4)
    assert report.problem.startswith(reason)
    assert report.is_equal == (not reason)
    assert report.num_different == 0


@pytest.mark.parametrize("changed", [b"ash", b"oops"], ids=["a name", "no text"])
def test_a_flipped_byte_that_no_logit_shows_is_found(tmp_path: Path, changed: bytes) -> None:
    predictor = tiny_predictor()
    file = write_pooled(tmp_path / "a.onnx", predictor)
    example = torch.empty(SIZE, SIZE, 3, dtype=torch.uint8)
    true = described(predictor, example, "uint8", lowered(predictor.preprocessing))
    model = onnx.load(file)
    model.doc_string = "oops"
    onnx.helper.set_model_props(model, {KEY: true.to_json(), SEAL: BLANK})
    content = sealed(model.SerializeToString())
    file.write_bytes(content)
    assert check_equality(predictor, file, samples=4).is_equal
    place = content.index(changed)
    file.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    report = check_equality(predictor, file, samples=4)
    assert report.problem == "it is damaged: its bytes have not the SHA-256 that it says of them"
    assert not report.is_equal


def test_of_many_classes_the_first_that_differs_is_shown(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    predictor.classes = tuple(f"class {number}" for number in range(1000))
    file = write_pooled(tmp_path / "a.onnx", predictor)
    true = described(predictor, torch.empty(SIZE, SIZE, 3, dtype=torch.uint8), "uint8", {})
    model = onnx.load(file)
    other = replace(true, classes=(*true.classes[:700], "rose", *true.classes[701:]))
    onnx.helper.set_model_props(model, {KEY: other.to_json()})
    onnx.save(model, file)
    problem = check_equality(predictor, file, samples=4).problem
    said, _, true_text = problem.partition(", and that of the checkpoint ...")
    assert "'class 699', 'rose', 'class 701'" in said
    assert "'class 699', 'class 700', 'class 701'" in true_text
    assert len(problem) < 300


def test_what_is_written_says_all_that_it_shall(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(tmp_path / "a.onnx", predictor)
    true = described(predictor, torch.empty(SIZE, SIZE, 3, dtype=torch.uint8), "uint8", {})
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: replace(true, run={"sha256": "0" * 64}).to_json()})
    onnx.save(model, file)
    assert check_equality(predictor, file, samples=4).is_equal
    report = check_described(predictor, file, None, samples=4, description=true)
    assert report.problem.startswith("its run, as it says in its metadata, is {'sha256': '000")
