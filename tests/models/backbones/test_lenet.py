"""LeNet-5: its layers, as a backbone and as a whole network."""

import torch

from ding_cls.models import LeNet5, build_backbone, build_model


def test_its_layers_are_the_papers() -> None:
    network = LeNet5(num_classes=10)
    # Layers C1 (156), C3 with all connections (2,416), C5 (48,120), F6 (10,164), output (850).
    assert sum(each.numel() for each in network.parameters()) == 156 + 2416 + 48120 + 10164 + 850
    (logits,) = network(torch.zeros(2, 1, 32, 32))
    assert logits.shape == (2, 10)
    (features,) = build_backbone({"type": "LeNet5"})(torch.zeros(2, 1, 32, 32))
    assert features.shape == (2, 120, 1, 1)


def test_by_name_it_takes_colour_or_gray() -> None:
    images = torch.randn(2, 3, 32, 32)
    assert build_model("lenet5", num_classes=4)(images).shape == (2, 4)
    gray = build_model("lenet5", num_classes=4, in_channels=1)
    assert gray.features[0].weight.shape == (6, 1, 5, 5)
    assert torch.equal(gray(images), gray(images.mean(1, keepdim=True)))
