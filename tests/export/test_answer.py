"""What a written file says of one image is what the checkpoint says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import DataError
from ding_cls.export.answer import answer_of, check_fits
from ding_cls.export.files import Format, export_file
from ding_cls.inference import Predictor
from tests.export.graphs import CLASSES, Pooled, tiny_predictor


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(1).integers(0, 256, (13, 17, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "an image.png")
    return tmp_path / "an image.png"


@pytest.mark.parametrize(
    "format",
    ["safetensors", *(pytest.param(each, marks=pytest.mark.slow) for each in ("onnx", "torch_export"))],
)
@pytest.mark.parametrize("arguments", [{}, {"num_tasks": 3}, {"has_several_labels": True}], ids=str)
def test_the_answer_is_the_checkpoints(image: Path, format: Format, arguments: dict[str, Any]) -> None:
    predictor = tiny_predictor(**arguments)
    ending = {"onnx": "onnx", "torch_export": "pt2", "safetensors": "safetensors"}[format]
    exported = export_file(predictor, f"tiny.{ending}", format, samples=3)
    found, wanted = answer_of(exported, predictor, image), predictor(image)[0]
    assert (found.label, found.name, found.path) == (wanted.label, wanted.name, str(image))
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-6)


def test_an_image_of_another_size_is_refused(image: Path) -> None:
    predictor = Predictor(Pooled(), PipelinePreprocessing([]), CLASSES, device="cpu")
    own = [np.zeros((8, 8, 3), np.uint8)]
    check_fits(predictor, own, own[0])
    with pytest.raises(DataError, match=r"leaves '.*an image.png' \(13, 17, 3\), its own images \(8, 8, 3\)"):
        check_fits(predictor, own, image)
