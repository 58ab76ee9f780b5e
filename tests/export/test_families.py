"""Networks of each kind leave the house only as they are: exported, compared, sabotaged and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from ding_cls.data import PipelinePreprocessing
from ding_cls.export.checking.equality import compare_logits
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.checking.synthetic import synthetic_images
from ding_cls.export.files import export_onnx
from ding_cls.inference import Predictor
from ding_cls.models import new_network

pytestmark = pytest.mark.slow


def parts(**head: Any) -> dict[str, Any]:
    """Return a classifier of parts."""
    return {
        "type": "ImageClassifier",
        "backbone": {"type": "ResNet", "depth": 18},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"in_channels": 512, **head},
    }


# Network, number of classes, size in pixels, several labels.
CASES: dict[str, tuple[Any, int, tuple[int, int], bool]] = {
    "our ResNet-18": ({"name": "resnet18"}, 7, (64, 64), False),
    "two classes, not square": ({"name": "resnet18"}, 2, (64, 96), False),
    "LeNet": ({"name": "lenet5"}, 10, (32, 32), False),
    "parts, 1,000 classes": (parts(type="LinearClsHead", num_classes=1000), 1000, (64, 64), False),
    "several labels": (parts(type="MultiLabelLinearClsHead", num_classes=6), 6, (64, 64), True),
    "several heads": (parts(type="MultiTaskHead", num_tasks=3, num_classes=4), 4, (64, 64), False),
}


def predictor_of(name: str) -> Predictor:
    """Return a predictor with random weights, norms drawn too, so that each layer has a say."""
    model, num_classes, size, has_several_labels = CASES[name]
    torch.manual_seed(0)
    network = new_network(model, num_classes=num_classes)
    with torch.no_grad():
        for part, values in network.named_parameters():
            if values.ndim == 1:
                values.uniform_(0.5, 1.5) if part.endswith("weight") else values.uniform_(-0.3, 0.3)
    return Predictor(
        network,
        PipelinePreprocessing([{"type": "Resize", "size": list(size)}]),
        [f"class {number}" for number in range(num_classes)],
        has_several_labels=has_several_labels,
        device="cpu",
    )


@pytest.mark.parametrize("name", CASES)
def test_it_is_exported_as_it_is_and_a_sabotaged_file_is_refused(name: str, tmp_path: Path) -> None:
    predictor, file = predictor_of(name), tmp_path / "a.onnx"
    sources = synthetic_images(predictor, count=12)
    with torch.inference_mode():
        logits = predictor.model(torch.stack([predictor.preprocess(each) for each in sources]))
    assert logits.std(0).min() > 1e-2, "the images would all be answered alike"
    report = export_onnx(predictor, file, images=sources)
    assert report.is_equal
    assert (report.num_images, report.is_synthetic) == (12, False)
    model = onnx.load(file)
    weights = [each for each in model.graph.initializer if len(each.dims) >= 2]
    middle = weights[len(weights) // 2]
    values = numpy_helper.to_array(middle).copy()
    values[0] += 0.3 * np.abs(values).max()
    middle.CopyFrom(numpy_helper.from_array(values, middle.name))
    onnx.save(model, tmp_path / "b.onnx")
    assert not compare_logits(predictor, OnnxCandidate(tmp_path / "b.onnx", predictor), sources).is_equal
