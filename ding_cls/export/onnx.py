"""A trained network as the content of an ONNX file.

It must not know whether that says the same; `ding_cls.export.files` asks before it publishes one.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from ding_cls.errors import ConfigError, ExportError
from ding_cls.export.network import exported_program, failures_named, quiet
from ding_cls.inference.onnx.description import KEY, Layout, ModelDescription
from ding_cls.inference.onnx.seal import BLANK, SEAL, sealed
from ding_cls.inference.predictor import Predictor

OPSET = 18
INPUT, OUTPUT = "images", "logits"

# What protobuf can hold, less some room for the graph itself.
_MAX_BYTES = 2**31 - 2**24
# Which module of the network a node is of; the exporter notes paths of this machine besides.
_KEPT = "pkg.torch.onnx.name_scopes"


def onnx_content(predictor: Predictor, example: torch.Tensor, description: ModelDescription) -> bytes:
    """Return an ONNX file with the weights in it: input ``images``, output ``logits``, any batch size.

    Args:
        predictor: with one network.
        example: an image as its pipeline makes it.
        description: what the file says of itself.

    Raises:
        ConfigError: onnx is not installed, or the pipeline cannot feed the layout.
        ExportError: the network cannot be exported, or is too large for one file.
    """
    library()
    num_bytes = sum(each.numel() * each.element_size() for each in predictor.model.state_dict().values())
    if num_bytes > _MAX_BYTES:
        raise ExportError(
            f"the weights have {num_bytes / 1e9:.1f} GB, and an ONNX file holds 2 GB: export with --format "
            "torch_export or safetensors"
        )
    model = onnx_program(predictor, example, description.layout).model_proto
    _tidy(model.graph)
    return content_with(model, {KEY: description.to_json()})


def content_with(model: Any, entries: dict[str, str]) -> bytes:
    """Return a model as a file's content, with these entries of metadata alone and a seal.

    Args:
        model: an ONNX model; it gets the entries.
        entries: by name.
    """
    library().helper.set_model_props(model, {**entries, SEAL: BLANK})
    return sealed(model.SerializeToString())


def onnx_program(predictor: Predictor, example: torch.Tensor, layout: Layout) -> torch.onnx.ONNXProgram:
    """Return what torch's exporter makes of a predictor's network: the same each time, names included.

    Raises:
        ConfigError: as `onnx_content`.
        ExportError: the network cannot be exported.
    """
    library()
    program = exported_program(predictor, example, layout)
    with failures_named(predictor.model), quiet(), torch.no_grad():
        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            external_data=False,
            verbose=False,
        )
        if exported is None:
            raise ExportError("torch's exporter returned nothing")
    return exported


def library() -> Any:
    """Return the package onnx.

    Raises:
        ConfigError: it, or what exports to it, is not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"ONNX files need {error.name}, which is not installed: pip install 'ding_cls[export]'"
        ) from error
    return onnx


def _tidy(graph: Any) -> None:
    """Give the first dimension its name, and take out what the exporter notes of this machine."""
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    pattern = re.compile(rf"\b{re.escape(symbol)}\b")
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = pattern.sub("batch", dimension.dim_param)
    for noted in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        kept = [each for each in noted.metadata_props if each.key == _KEPT]
        del noted.metadata_props[:]
        noted.metadata_props.extend(kept)
