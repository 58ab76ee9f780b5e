"""An exported network in int8: what it says of itself, and what it costs."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper

from ding_cls.answers.proportions import wilson
from ding_cls.errors import ConfigError, DataError, ExportError
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.quantized import MARK, QuantizationReport, quantize_onnx
from tests.export.graphs import change_weight, tiny_predictor, write_pooled


def images(count: int, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    return list(
        np.broadcast_to(generator.integers(0, 256, (count, 1, 1, 3), np.uint8), (count, 8, 8, 3)).copy()
    )


def answers(predictor: Any, sources: list[npt.NDArray[np.uint8]]) -> list[Any]:
    return [each.label for each in predictor(sources)]


def test_it_is_judged_beside_float32_and_keeps_what_the_file_says(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    file, out = write_pooled(tmp_path / "a.onnx", predictor), tmp_path / "int8.onnx"
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"ding_cls": "<description>"})
    onnx.save(model, file)
    sources = images(100)
    targets = answers(predictor, sources)
    wrong = [0, 1, 2]
    for number in wrong:
        targets[number] = (targets[number] + 1) % 4
    report = quantize_onnx(predictor, file, out, sources, targets=targets, calibration=images(40, 1))
    assert (report.num_images, report.num_calibration, report.num_right_float) == (100, 40, 97)
    assert report.num_right is not None
    assert 90 <= report.num_agreeing <= 100
    assert report.loss == 97 - report.num_right
    assert report.sizes == (out.stat().st_size, file.stat().st_size)
    quantized = onnx.load(out)
    entries = {each.key: each.value for each in quantized.metadata_props}
    assert (entries["ding_cls"], entries[MARK]) == ("<description>", "int8")
    kinds = {numpy_helper.to_array(each).dtype for each in quantized.graph.initializer}
    assert np.dtype(np.int8) in kinds
    for count in (1, 2, 7):
        pixels = predictor.stacked([predictor.prepare(each)[0] for each in sources[:count]])
        assert OnnxCandidate(out, predictor)(pixels).shape == (count, 4)


def test_without_images_to_calibrate_a_fifth_is_set_aside(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(tmp_path / "a.onnx", predictor)
    report = quantize_onnx(predictor, file, tmp_path / "b.onnx", images(50))
    assert (report.num_images, report.num_calibration, report.num_right, report.loss) == (40, 10, None, None)
    assert "there are no labels to judge its accuracy by" in report.lines()


@pytest.mark.parametrize(
    ("arguments", "targets", "right"),
    [
        ({"num_tasks": 2}, lambda found: [list(each) for each in found], 20),
        ({"num_tasks": 2}, lambda found: [[each[0], (each[1] + 1) % 4] for each in found], 0),
        (
            {"has_several_labels": True},
            lambda found: [[int(number in each) for number in range(4)] for each in found],
            20,
        ),
        ({"has_several_labels": True}, lambda found: [[-1] * 4 for _ in found], 20),
        ({}, lambda found: [np.eye(4)[each] for each in found], 20),
    ],
)
def test_labels_of_each_kind_are_judged(tmp_path: Path, arguments: Any, targets: Any, right: int) -> None:
    predictor = tiny_predictor(**arguments)
    file, sources = write_pooled(tmp_path / "a.onnx", predictor), images(20)
    found = answers(predictor, sources)
    report = quantize_onnx(
        predictor, file, tmp_path / "b.onnx", sources, targets=targets(found), calibration=images(20, 1)
    )
    assert report.num_right_float == right


def test_the_text_has_intervals_and_warns_of_a_large_loss() -> None:
    report = QuantizationReport(250, 128, 210, 200, 225, (2_600_000, 9_100_000), (82.4, 33.6))
    low, high = wilson(200, 250)
    assert report.lines() == [
        "int8: calibrated on 128 images, judged on 250 others",
        f"accuracy in int8 80.0 % ({low:.1f} to {high:.1f}), in float32 90.0 % (85.7 to 93.1): 10.0 points "
        "lost",
        "the same answer as in float32: 84.0 % (78.9 to 88.0)",
        "int8 2.6 MB, float32 9.1 MB; images/s of the network alone: int8 82.4, float32 33.6",
        "warning: int8 costs this network 10.0 points; keep float32",
    ]
    assert len(QuantizationReport(250, 128, 210, 213, 225, (1, 1), (1, 1)).lines()) == 4


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(tmp_path / "a.onnx", predictor)
    with pytest.raises(ConfigError, match="is the file in float32"):
        quantize_onnx(predictor, file, file, images(10))
    with pytest.raises(DataError, match="10 images have 9 labels"):
        quantize_onnx(predictor, file, tmp_path / "b.onnx", images(10), targets=[0] * 9)
    with pytest.raises(DataError, match="no images to calibrate"):
        quantize_onnx(predictor, file, tmp_path / "b.onnx", images(1))
    change_weight(file, "bias", lambda bias: bias[:2])
    with pytest.raises(ExportError):
        quantize_onnx(predictor, file, tmp_path / "b.onnx", images(10))
    assert not (tmp_path / "b.onnx").exists()
