"""Of a sabotaged file the first node is named whose values differ from torch's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from ding_cls.data import Preprocessing
from ding_cls.export.checking.equality import check_equality
from ding_cls.export.files import export_onnx
from ding_cls.inference import Predictor
from tests.export.graphs import CLASSES

pytestmark = pytest.mark.slow
Model = Any


class Layered(nn.Module):
    """Two convolutions, one with BatchNorm behind a ReLU, attention-like layers, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.mid = nn.Conv2d(8, 12, 3)
        self.mlp = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 20), nn.GELU())
        self.fc = nn.Linear(20, len(CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.stem(images).relu())
        maps = self.mid(maps).relu().mean((2, 3))
        return self.fc(self.mlp(maps))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    network = Layered()
    with torch.no_grad():
        # Far from equal, so that classes in another order are another answer.
        network.fc.weight.mul_(5)
        network.norm.running_mean.uniform_(-1, 1)
        network.norm.running_var.uniform_(0.5, 2)
    return Predictor(network, Preprocessing(image_size=16, resize_size=16), CLASSES, device="cpu")


@pytest.fixture(scope="module")
def exported(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("layered") / "layered.onnx"
    assert export_onnx(predictor, file).is_equal
    return file


def tensor_of(model: Model, ending: str) -> Any:
    (found,) = (each for each in model.graph.initializer if f".{each.name}".endswith(f".{ending}"))
    return found


def changed(ending: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Model], None]:
    """Return what replaces one tensor of weights by what a function makes of it."""

    def sabotage(model: Model) -> None:
        tensor = tensor_of(model, ending)
        values = np.ascontiguousarray(change(numpy_helper.to_array(tensor).copy()))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    return sabotage


def one_number(values: np.ndarray) -> np.ndarray:
    values.flat[5] += 0.3
    return values


def swap_mean_and_std(model: Model) -> None:
    mean, std = tensor_of(model, "mean"), tensor_of(model, "std")
    mean.name, std.name = std.name, mean.name


def batch_norm_constant(model: Model) -> None:
    (node,) = (each for each in model.graph.node if each.op_type == "BatchNormalization")
    (tensor,) = (each for each in model.graph.initializer if each.name == node.input[4])
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.5), tensor.name))


def gelu_by_tanh(model: Model) -> None:
    """Replace Erf(x / sqrt 2) of the exact GELU by the tanh of its approximation."""
    (place,) = (number for number, node in enumerate(model.graph.node) if node.op_type == "Erf")
    erf = model.graph.node[place]
    # erf(z) is about tanh(2 / sqrt(pi) * (z + 0.08943 z^3)).
    constants = {"g_cube": 0.089430 + 0.02, "g_scale": 2 / np.pi**0.5}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()
    )
    steps = [
        helper.make_node("Mul", [erf.input[0], erf.input[0]], ["g_1"], "g_1"),
        helper.make_node("Mul", ["g_1", erf.input[0]], ["g_2"], "g_2"),
        helper.make_node("Mul", ["g_2", "g_cube"], ["g_3"], "g_3"),
        helper.make_node("Add", ["g_3", erf.input[0]], ["g_4"], "g_4"),
        helper.make_node("Mul", ["g_4", "g_scale"], ["g_5"], "g_5"),
        helper.make_node("Tanh", ["g_5"], list(erf.output), "g_tanh"),
    ]
    nodes = [*model.graph.node[:place], *steps, *model.graph.node[place + 1 :]]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def classes_in_another_order(model: Model) -> None:
    last = model.graph.node[-1]
    last.output[0] = "in_order"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 0, 2, 3]), "order"))
    model.graph.node.append(
        helper.make_node("Gather", ["in_order", "order"], ["logits"], "reordered", axis=1)
    )


def not_rectified(model: Model) -> None:
    """Replace the second ReLU by the identity."""
    node = [each for each in model.graph.node if each.op_type == "Relu"][1]
    node.op_type = "Identity"


SABOTAGES: dict[str, tuple[Callable[[Model], None], str, str]] = {
    "a changed weight": (changed("mid.weight", one_number), "Conv", "mid"),
    "a transposed kernel": (changed("mid.weight", lambda weight: weight.swapaxes(2, 3)), "Conv", "mid"),
    "a BatchNorm constant": (batch_norm_constant, "BatchNormalization", "norm"),
    "mean and std swapped": (swap_mean_and_std, "Sub", ""),
    "another GELU": (gelu_by_tanh, "Mul", "mlp.2"),
    "a head turned round": (changed("fc.weight", lambda weight: weight[::-1]), "Gemm", "fc"),
    "classes in another order": (classes_in_another_order, "Gather", ""),
    "no ReLU": (not_rectified, "Identity", ""),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_first_differing_node_is_named(
    predictor: Predictor, exported: Path, tmp_path: Path, name: str
) -> None:
    sabotage, op_type, module = SABOTAGES[name]
    model = onnx.load(exported)
    sabotage(model)
    onnx.save(model, tmp_path / "bad.onnx")
    report = check_equality(predictor, tmp_path / "bad.onnx")
    assert not report.is_equal
    inside = f"{op_type}, of {module}" if module else op_type
    assert f"({inside}), by " in report.differing_node
    assert report.differing_node in report.lines()
