"""A tiny network of torch, and the same as an ONNX file, made by hand in milliseconds."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ding_cls.data import Preprocessing
from ding_cls.inference import Predictor

SIZE = 8
CLASSES = ("ash", "birch", "cedar", "fir")


class TaskHead(nn.Module):
    """Logits of several tasks of one vector."""

    def __init__(self, num_tasks: int | None) -> None:
        super().__init__()
        self.num_tasks = num_tasks

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits if self.num_tasks is None else logits.reshape(len(logits), self.num_tasks, -1)


class Pooled(nn.Module):
    """Mean of each channel, then a linear layer."""

    def __init__(self, num_classes: int = len(CLASSES), num_tasks: int | None = None) -> None:
        super().__init__()
        self.fc = nn.Linear(3, num_classes * (num_tasks or 1))
        self.head = TaskHead(num_tasks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.fc(images.mean((2, 3))))


def tiny_predictor(*, scale: float = 1.0, num_tasks: int | None = None, **arguments: Any) -> Predictor:
    """Return a predictor of `Pooled` with weights of a seed; ``scale`` makes its logits larger."""
    torch.manual_seed(3)
    network = Pooled(num_tasks=num_tasks)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    preprocessing = Preprocessing(image_size=SIZE, resize_size=SIZE)
    return Predictor(network, preprocessing, CLASSES, device="cpu", **arguments)


def write_pooled(path: Path, predictor: Predictor, *, layout: str = "uint8", batch: str | int = "N") -> Path:
    """Write the ONNX file of a `tiny_predictor`."""
    network: Any = predictor.model
    values = predictor.preprocessing.normalization
    outputs = [len(CLASSES)] if network.head.num_tasks is None else [network.head.num_tasks, len(CLASSES)]
    weights = {
        "weight": network.fc.weight.detach().numpy(),
        "bias": network.fc.bias.detach().numpy(),
        "mean": np.array(values.mean, np.float32) * 255,
        "std": np.array(values.std, np.float32) * 255,
        "shape": np.array([-1, *outputs], np.int64),
    }
    axes = [1, 2] if layout == "uint8" else [2, 3]
    first = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "mean"], ["sub"]),
        helper.make_node("Div", ["sub", "std"], ["normalised"]),
    ]
    taken = "normalised" if layout == "uint8" else "images"
    nodes = (first if layout == "uint8" else []) + [
        helper.make_node("ReduceMean", [taken], ["mean_1"], axes=axes, keepdims=0),
        helper.make_node("Gemm", ["mean_1", "weight", "bias"], ["linear"], transB=1),
        helper.make_node("Reshape", ["linear", "shape"], ["logits"]),
    ]
    is_bytes = layout == "uint8"
    shape = [batch, SIZE, SIZE, 3] if is_bytes else [batch, 3, SIZE, SIZE]
    kind = TensorProto.UINT8 if is_bytes else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, *outputs])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def change_weight(path: Path, name: str, change: Any) -> None:
    """Replace an initializer of a file by what a function makes of it."""
    model = onnx.load(path)
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    tensor.CopyFrom(
        numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor))), name)
    )
    onnx.save(model, path)
