"""timm's own weights in a network of timm."""

import pytest
import torch

from ding_cls.models import build_model
from ding_cls.models.weights.timm import copy_timm_weights

timm = pytest.importorskip("timm")


def test_a_last_layer_of_another_size_is_told_to_be_new(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_model("timm/test_resnet", num_classes=3)
    head = network.get_parameter("fc.weight").clone()
    twin = timm.create_model("test_resnet", num_classes=3)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: twin)
    assert copy_timm_weights(network).endswith("; newly initialised: fc.weight, fc.bias")
    assert torch.equal(network.get_parameter("fc.weight"), head)
    assert torch.equal(network.get_parameter("conv1.0.weight"), twin.get_parameter("conv1.0.weight"))
