"""Weights alone, as safetensors."""

import sys
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors import safe_open
from torch import nn

from ding_cls.data import Preprocessing
from ding_cls.errors import ConfigError
from ding_cls.export.network import example_image
from ding_cls.export.weights import WeightsCandidate, weights_content
from ding_cls.inference import Predictor
from ding_cls.inference.onnx.description import KEY, ModelDescription
from tests.export.graphs import CLASSES, tiny_predictor

DESCRIBED = ModelDescription(CLASSES, 8, 8, layout="float")


def written(predictor: Predictor) -> torch.Tensor:
    """Write the weights; return an image."""
    example = example_image(predictor, None)
    Path("tiny.safetensors").write_bytes(weights_content(predictor, example, DESCRIBED))
    return example


def test_the_weights_have_the_networks_names(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    written(predictor)
    with safe_open("tiny.safetensors", "pt") as file:
        assert ModelDescription.from_json(file.metadata()[KEY], "file") == DESCRIBED
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    predictor.model.load_state_dict(found)


class Tied(nn.Module):
    """Two names for one weight, the second on its side."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.last = nn.Linear(3, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(self.first(images.mean((2, 3)))))


@pytest.mark.parametrize("network", [Tied, lambda: torchvision.models.mnasnet0_5(num_classes=4)])
def test_what_is_read_back_is_what_answers(tmp_path: Path, network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    preprocessing = Preprocessing(image_size=32, resize_size=32)
    predictor = Predictor(network(), preprocessing, CLASSES, device="cpu")
    example = written(predictor)
    candidate = WeightsCandidate("tiny.safetensors", predictor, example)
    images = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        wanted = predictor.model(predictor.preprocessing.normalize(images))
    assert torch.equal(torch.from_numpy(candidate(images)), wanted)


def test_safetensors_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    predictor = tiny_predictor()
    with pytest.raises(ConfigError, match=r"need safetensors.*pip install 'ding_cls\[export\]'"):
        weights_content(predictor, example_image(predictor, None), DESCRIBED)
