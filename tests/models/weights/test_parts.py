"""Weights of a backbone: its library's own, with gray images too, or none."""

import pytest
import torch
from torch import Tensor

from ding_cls.errors import ModelError
from ding_cls.models import build_backbone, load_initial_weights, new_network
from tests.models.weights.test_initial import RESNET, of_parts, pretrained


def test_torchvisions_weights_have_an_address(
    file: str, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "ding_cls.models.weights.parts.fetch_weights", lambda name: asked.append(name) or file
    )
    for backbone in (
        {**RESNET, "init_cfg": pretrained("torchvision://resnet18")},
        {**RESNET, "pretrained": True},
    ):
        description = of_parts(backbone=backbone)
        network = new_network(description, num_classes=3)
        load_initial_weights(network, description)
        assert torch.equal(network.backbone.conv1.weight, state["conv1.weight"])
    assert asked == ["resnet18", "resnet18"]
    by_hand = build_backbone({"type": "torchvision/resnet18", "pretrained": True})
    assert torch.equal(by_hand.network.conv1.weight, state["conv1.weight"])


def test_gray_pictures_have_torchvisions_weights_too(
    file: str, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ding_cls.models.weights.initial.fetch_weights", lambda name: file)
    norm = {"type": "BN", "requires_grad": True}
    description = of_parts(backbone={**RESNET, "in_channels": 1, "norm_cfg": norm}, pretrained=True)
    network = new_network(description, num_classes=3)
    (report,) = load_initial_weights(network, description)
    assert report.resized == ("backbone.conv1.weight (3 to 1 channels)",)
    torch.testing.assert_close(network.backbone.conv1.weight, state["conv1.weight"].sum(1, keepdim=True))


def test_variants_have_no_weights_of_torchvision() -> None:
    description = of_parts(backbone={"type": "ResNetV1d", "depth": 18, "pretrained": True})
    network = new_network(description, num_classes=3)
    with pytest.raises(ModelError, match="no pretrained weights for a ResNetV1d; give a file"):
        load_initial_weights(network, description)
