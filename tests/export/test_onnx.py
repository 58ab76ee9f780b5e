"""The ONNX file that torch's exporter makes of a network."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ding_cls.errors import ConfigError, ExportError
from ding_cls.export import onnx as exporting
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.network import example_image
from ding_cls.export.onnx import onnx_content
from ding_cls.inference import Predictor
from ding_cls.inference.onnx.description import KEY, ModelDescription
from ding_cls.inference.onnx.seal import SEAL
from tests.conftest import TinyNet
from tests.export.graphs import tiny_predictor

DESCRIBED = ModelDescription(("<a>", 'b, "c"', "d\ne", "\u202ef"), 8, 8)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    tiny = tiny_predictor()
    network = TinyNet()
    network.norm.running_mean.uniform_(-1, 1)
    return Predictor(network, tiny.preprocessing, tiny.classes, device="cpu")


@pytest.fixture(scope="module")
def content(predictor: Predictor) -> bytes:
    return onnx_content(predictor, example_image(predictor, None), DESCRIBED)


@pytest.mark.slow
def test_the_graph_has_names_opset_and_any_batch_size(content: bytes) -> None:
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]
    (taken,), (given,) = model.graph.input, model.graph.output
    dimensions = [
        [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (taken, given)
    ]
    assert (taken.name, given.name) == ("images", "logits")
    assert dimensions == [["batch", 8, 8, 3], ["batch", 4]]
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8


@pytest.mark.slow
def test_the_file_says_what_it_is_and_nothing_of_this_machine(content: bytes) -> None:
    model = onnx.load_from_string(content)
    entry, seal = model.metadata_props
    assert (entry.key, seal.key) == (KEY, SEAL)
    assert ModelDescription.from_json(entry.value, "x.onnx") == DESCRIBED
    assert json.loads(entry.value)["classes"] == list(DESCRIBED.classes)
    for path in (Path(__file__).parents[2], Path(sys.prefix), Path.cwd()):
        assert str(path).encode() not in content
    scopes = [each.value for node in model.graph.node for each in node.metadata_props]
    assert any("model." in each for each in scopes)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 7])
def test_it_computes_what_torch_does(predictor: Predictor, content: bytes, count: int) -> None:
    images = torch.randint(0, 256, (count, 8, 8, 3), dtype=torch.uint8)
    wanted = predictor.model(predictor.preprocessing.normalize(images)).detach().numpy()
    np.testing.assert_allclose(OnnxCandidate(content, predictor)(images), wanted, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_floats_come_normalised(predictor: Predictor, capfd: pytest.CaptureFixture[str]) -> None:
    description = ModelDescription(DESCRIBED.classes, 8, 8, layout="float")
    content = onnx_content(predictor, example_image(predictor, None), description)
    assert capfd.readouterr() == ("", "")
    taken = onnx.load_from_string(content).graph.input[0].type.tensor_type
    assert [each.dim_value for each in taken.shape.dim[1:]] == [3, 8, 8]
    images = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8)
    wanted = predictor.model(predictor.preprocessing.normalize(images)).detach().numpy()
    np.testing.assert_allclose(OnnxCandidate(content, predictor)(images), wanted, rtol=0, atol=1e-6)


def test_too_much_for_one_file_is_said_at_once(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_MAX_BYTES", 100)
    with pytest.raises(ExportError, match="an ONNX file holds 2 GB: export with --format torch_export"):
        onnx_content(predictor, example_image(predictor, None), DESCRIBED)


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_what_is_not_installed_is_named(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=rf"need {missing}, which .*: pip install 'ding_cls\[export\]'"):
        onnx_content(predictor, example_image(predictor, None), DESCRIBED)
