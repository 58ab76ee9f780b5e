"""An ONNX file with the weights of a tiny run, made without torch's exporter, which takes ten seconds."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import ding_cls
from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.places import checkpoint_file
from ding_cls.export.lowering import lowered
from ding_cls.inference.onnx.description import KEY, ModelDescription


def write_file(run: Path, path: Path) -> Path:
    """Write the tiny network of a run as a graph that takes normalised floats."""
    predictor = ding_cls.load(run)
    calibration = read_checkpoint(checkpoint_file(run)).get("calibration") or {}
    state = {name: each.numpy() for name, each in predictor.model.state_dict().items()}
    norm = [f"backbone.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    stem, head = ["backbone.stem.weight", "backbone.stem.bias"], ["head.fc.weight", "head.fc.bias"]
    shape = [0, -1, len(predictor.classes)] if predictor.num_tasks else [0, -1]
    nodes = [
        helper.make_node("Conv", ["images", *stem], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["maps", *norm], ["normed"]),
        helper.make_node("Relu", ["normed"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Flatten", ["means"], ["vectors"]),
        helper.make_node("Gemm", ["vectors", *head], ["scores"], transB=1),
        helper.make_node("Reshape", ["scores", "shape"], ["logits"]),
    ]
    tasks = [predictor.num_tasks] if predictor.num_tasks else []
    weights = [numpy_helper.from_array(state[name], name) for name in (*stem, *norm, *head)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", *tasks, len(predictor.classes)])],
        [*weights, numpy_helper.from_array(np.array(shape), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    description = ModelDescription(
        predictor.classes,
        8,
        8,
        layout="float",
        preprocessing=lowered(predictor.preprocessing),
        has_several_labels=predictor.has_several_labels,
        num_tasks=predictor.num_tasks,
        threshold=predictor.threshold,
        calibration=calibration,
        run={"train_iter": 10},
    )
    helper.set_model_props(model, {KEY: description.to_json()})
    onnx.save(model, path)
    return path
