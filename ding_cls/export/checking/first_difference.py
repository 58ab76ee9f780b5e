"""Where in an ONNX file the first value is that torch computes otherwise.

The values of torch are those of the program that its exporter makes of the network, each of which has a name;
the exporter leaves these names in the file. It must not know how two answers are judged.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export.graph_signature import InputKind

from ding_cls.errors import ExportError
from ding_cls.export.checking.session import OnnxCandidate, open_session
from ding_cls.export.network import exported_network, failures_named, quiet
from ding_cls.export.onnx import OUTPUT, library, onnx_program
from ding_cls.inference.predictor import Predictor

_NUMBER = re.compile(r"_\d+$")
Values = Mapping[str, npt.NDArray[Any]]

# Of ViT-S, exported faithfully, no value is further from torch's than 1.2e-6 of the largest.
_ROUNDING = 1e-6
_STANDS_OUT = 10
# FLOAT, FLOAT16, DOUBLE and BFLOAT16 of onnx.TensorProto.
_REAL = (1, 10, 11, 16)


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """What was found.

    Attributes:
        node: the name of the node; empty where the values could not be compared.
        op_type: what it computes.
        module: of which module of the network it is; empty where that is not known.
        difference: the largest distance of its values from torch's.
        magnitude: the largest absolute value of torch's.
        before: the nodes before it that torch has no value for: it may be one of them.
        reason: why it is not sure, or none was found.
    """

    node: str = ""
    op_type: str = ""
    module: str = ""
    difference: float = 0.0
    magnitude: float = 0.0
    before: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        if not self.node:
            return f"no node can be named: {self.reason}"
        inside = f", of {self.module}" if self.module else ""
        line = (
            f"first differing node: {self.node} ({self.op_type}{inside}), by {self.difference:.2g} of "
            f"{self.magnitude:.2g}"
        )
        if self.before:
            line += f", or one of the nodes before it that torch does not have: {_few(self.before)}"
        return f"{line}; {self.reason}" if self.reason else line


def first_difference(
    predictor: Predictor, file: str | os.PathLike[str], pixels: torch.Tensor
) -> FirstDifference:
    """Return the first node of a file whose values are not those of torch.

    Args:
        predictor: what the file was made of.
        file: the ONNX file.
        pixels: images on which the two differ, as the predictor's preprocessing leaves them.

    Raises:
        ConfigError: there is no ONNX or no ONNX Runtime.
    """
    onnx = library()
    candidate = OnnxCandidate(file, predictor)
    try:
        program = onnx_program(predictor, pixels[0], candidate.layout).exported_program
        if program is None:
            raise ExportError("torch's exporter keeps no program beside the file")
        feed = candidate.feed(pixels)
        (images,) = feed.values()
        wanted = _values_of_torch(program, torch.from_numpy(images))
        network = exported_network(predictor, pixels[0], candidate.layout)
        with failures_named(network), torch.inference_mode():
            logits = network(torch.from_numpy(images)).numpy()
    except ExportError as error:
        return FirstDifference(reason=str(error))
    if _distance(logits, wanted[OUTPUT])[0] > _STANDS_OUT * _ROUNDING:
        return FirstDifference(
            reason="the program that torch's exporter makes of the network differs from it already, as where "
            "Python code depends on values"
        )
    model = onnx.load(os.fspath(file))
    found = _values_of_file(model, feed, wanted)
    return _first(model.graph, wanted, found)


def _values_of_torch(program: torch.export.ExportedProgram, images: torch.Tensor) -> Values:
    """Return the values of a program, by name; its output under the name that it has in files."""
    tensors = {**program.state_dict, **program.constants}
    inputs = [
        images if spec.kind == InputKind.USER_INPUT else tensors[str(spec.target)]
        for spec in program.graph_signature.input_specs
    ]
    recorder = _Recorder(program.graph_module)
    with quiet(), torch.no_grad():
        logits, *_ = recorder.run(*inputs)
    return {**recorder.values, OUTPUT: logits.numpy()}


class _Recorder(torch.fx.Interpreter):
    """Runs a program and keeps its values."""

    def __init__(self, module: torch.fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, npt.NDArray[Any]] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run a node; `torch.fx.Interpreter` calls it."""
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, torch.Tensor):
            self.values[n.name] = value.numpy(force=True)
        return value


def _values_of_file(model: Any, feed: dict[str, npt.NDArray[Any]], wanted: Values) -> Values:
    """Return the values of an ONNX model that are among others, by name."""
    onnx = library()
    inner = {name for node in model.graph.node for name in node.output}
    # A value called as a tensor of weights gets another number in the file: mean_1 is not torch's mean_1.
    taken = {each.name for each in model.graph.initializer}
    names = [name for name in wanted if name in inner and _NUMBER.sub("", name) not in taken]
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    has = {each.name for each in asked.graph.output}
    asked.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in has
    )
    session = open_session(asked.SerializeToString())
    values = dict(zip(names, session.run(names, feed), strict=True)) if names else {}
    return {name: each for name, each in values.items() if name == OUTPUT or each.shape == wanted[name].shape}


def _first(graph: Any, wanted: Values, found: Values) -> FirstDifference:
    """Return the first node in a graph's order whose values stand out from what rounding makes of values."""
    producers = {name: node for node in graph.node for name in node.output}
    if not set(found) - {OUTPUT}:
        return FirstDifference(reason="the names of its values are not those that torch's exporter gives")
    rounding = _ROUNDING
    largest_step = (0.0, "")
    for name in (each for node in graph.node for each in node.output if each in found):
        relative, _, _ = _distance(wanted[name], found[name])
        if relative > _STANDS_OUT * rounding:
            return _difference(graph, producers, name, wanted, found)
        largest_step = max(largest_step, (relative / rounding, name))
        rounding = max(rounding, relative)
    if OUTPUT not in found:
        return FirstDifference(reason=f"the file has no value {OUTPUT!r}")
    return _difference(
        graph,
        producers,
        largest_step[1] or OUTPUT,
        wanted,
        found,
        reason="no node stands out from the rounding of float32, of which this is the largest step",
    )


def _distance(wanted: npt.NDArray[Any], found: npt.NDArray[Any]) -> tuple[float, float, float]:
    """Return the largest distance of two arrays by the largest value, itself, and the largest value."""
    if wanted.shape != found.shape:
        return np.inf, np.inf, float(np.abs(wanted).max(initial=0))
    if not wanted.size:
        return 0.0, 0.0, 0.0
    # A mask of attention is infinite on both sides.
    with np.errstate(invalid="ignore"):
        distance = np.where(
            wanted == found, 0.0, np.abs(wanted.astype(np.float64) - found.astype(np.float64))
        )
    distance[~np.isfinite(distance)] = np.inf
    magnitude = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    return float(distance.max()) / max(magnitude, 1e-30), float(distance.max()), magnitude


def _difference(
    graph: Any, producers: Mapping[str, Any], name: str, wanted: Values, found: Values, *, reason: str = ""
) -> FirstDifference:
    node = producers[name]
    kinds = {each.name: each.type.tensor_type.elem_type for each in graph.value_info}
    whole = {each for each, kind in kinds.items() if kind not in _REAL}
    _, difference, magnitude = _distance(wanted[name], found[name])
    before: list[str] = []
    inputs = list(node.input)
    while inputs:
        value = inputs.pop()
        # What counts and places has no part in the numbers, and torch computes it in Python.
        if value in found or value not in producers or value in whole:
            continue
        inner = producers[value]
        if inner.name not in before:
            before.append(inner.name)
            inputs += inner.input
    order = [each.name for each in graph.node]
    return FirstDifference(
        node.name,
        node.op_type,
        _module(node),
        difference,
        magnitude,
        tuple(sorted(before, key=order.index)),
        reason,
    )


def _module(node: Any) -> str:
    """Return of which module a node is, as the exporter notes it."""
    noted = [each.value for each in node.metadata_props if each.key.endswith("name_scopes")]
    try:
        scopes = ast.literal_eval(noted[0]) if noted else []
    except (ValueError, SyntaxError):
        return ""
    inner = [str(each) for each in scopes[:-1] if each]
    return inner[-1].removeprefix("model").removeprefix(".") if inner else ""


def _few(names: Sequence[str], count: int = 4) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[-count:]) + more
