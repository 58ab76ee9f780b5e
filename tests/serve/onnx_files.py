"""A tiny ONNX file, made without torch: its process starts in a second."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ding_cls.inference.onnx.description import KEY, ModelDescription

CLASSES = ("ash", "<b>birch</b>", 'ce"dar, fir', "oak")
_STEPS = [{"op": "resize", "height": 16, "width": 16, "filter": "bilinear"}]


def write_onnx(path: Path) -> Path:
    """Write a network that names images by their mean colour."""
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32) / 50
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 16, 16, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    preprocessing = {"steps": _STEPS, "mean": [0.5] * 3, "std": [0.5] * 3}
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, ModelDescription(CLASSES, 16, 16, preprocessing=preprocessing).to_json()
    onnx.save(model, path)
    return path
