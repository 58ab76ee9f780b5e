"""Tiny ONNX files as an export writes them, made in milliseconds: logits are linear in the pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ding_cls.inference.onnx.description import KEY, ModelDescription

STEPS = [
    {"op": "resize_side", "side": "short", "length": 10, "filter": "bilinear"},
    {"op": "crop", "height": 8, "width": 9},
]
DESCRIPTION = ModelDescription(
    ("ash", "<b>&", "n02123045"),
    8,
    9,
    preprocessing={"steps": STEPS, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
)


def weights(description: ModelDescription) -> np.ndarray:
    """Return the matrix from pixels, as the graph flattens them, to logits of all tasks."""
    num_inputs = description.height * description.width * 3
    num_outputs = (description.num_tasks or 1) * len(description.classes)
    scale = 0.002 if description.layout == "uint8" else 0.1
    return np.random.default_rng(0).normal(0, scale, (num_inputs, num_outputs)).astype(np.float32)


def write_onnx(
    path: Path,
    description: ModelDescription = DESCRIPTION,
    *,
    location: str | None = None,
    entry: str | None = None,
    **changes: object,
) -> Path:
    """Write a file; return its path.

    Args:
        path: where to.
        description: what it says of itself, and computes for.
        location: of its weights in another file; None: they are inside.
        entry: in place of the description's text; empty: none.
        changes: of the description.
    """
    description = replace(description, **changes)  # type: ignore[arg-type]
    height, width = description.height, description.width
    is_uint8 = description.layout == "uint8"
    shape = ["n", height, width, 3] if is_uint8 else ["n", 3, height, width]
    tasks = [] if description.num_tasks is None else [description.num_tasks]
    outputs = [*tasks, len(description.classes)]
    weight = numpy_helper.from_array(weights(description), "weight")
    if location is not None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(
                "images", TensorProto.UINT8 if is_uint8 else TensorProto.FLOAT, shape
            )
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", *outputs])],
        [weight, numpy_helper.from_array(np.array([-1, *outputs]), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if entry != "":
        helper.set_model_props(model, {KEY: entry or description.to_json()})
    path.write_bytes(model.SerializeToString())
    return path
