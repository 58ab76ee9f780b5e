"""``init_cfg``: layers by name get the values that torch's initialisers draw."""

from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import LinearClsHead, new_network
from ding_cls.models.layers.init import initialise_by_cfg


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1, bias=False), nn.Linear(8, 2)
    )


@pytest.mark.parametrize(
    ("cfg", "draw"),
    [
        ({"type": "Kaiming", "layer": "Conv2d"}, lambda w: nn.init.kaiming_normal_(w, 0, "fan_out", "relu")),
        (
            {"type": "Kaiming", "layer": "Conv2d", "a": 1, "mode": "fan_in", "distribution": "uniform"},
            lambda w: nn.init.kaiming_uniform_(w, 1, "fan_in", "relu"),
        ),
        ({"type": "Xavier", "layer": "Conv2d", "gain": 2.0}, lambda w: nn.init.xavier_normal_(w, 2.0)),
        ({"type": "Normal", "layer": ["Conv2d"], "std": 0.1}, lambda w: nn.init.normal_(w, 0, 0.1)),
        (
            {"type": "TruncNormal", "layer": "_ConvNd", "std": 0.02},
            lambda w: nn.init.trunc_normal_(w, 0, 0.02),
        ),
        ({"type": "Uniform", "layer": "Conv2d", "a": -1.0}, lambda w: nn.init.uniform_(w, -1, 1)),
        ({"type": "Constant", "layer": "Conv2d", "val": 0.5}, lambda w: nn.init.constant_(w, 0.5)),
    ],
)
def test_layers_of_a_name_are_drawn_by_torch(cfg: dict[str, Any], draw: Any) -> None:
    found, expected = network(), network()
    torch.manual_seed(1)
    initialise_by_cfg(found, {**cfg, "bias": 0.25})
    torch.manual_seed(1)
    for layer in (expected[0], expected[2]):
        draw(layer.weight)
    nn.init.constant_(expected[0].bias, 0.25)
    assert all(torch.equal(*pair) for pair in zip(found.parameters(), expected.parameters(), strict=True))


def test_a_list_is_worked_off_in_order() -> None:
    found = network()
    initialise_by_cfg(
        found,
        [
            {"type": "Constant", "layer": ["Linear", "_BatchNorm"], "val": 3, "bias": 1},
            {"type": "Constant", "layer": "Linear", "val": 2},
            {"type": "Pretrained", "checkpoint": "not looked at here"},
        ],
    )
    assert (found[1].weight == 3).all()
    assert (found[1].bias == 1).all()
    assert (found[3].weight == 2).all()
    assert (found[3].bias == 0).all()


def test_a_description_of_parts_draws_part_by_part() -> None:
    half = {"type": "Constant", "layer": "Conv2d", "val": 0.5}
    zero = {"type": "Constant", "layer": "Linear", "val": 0.0}
    parts = {
        "type": "ImageClassifier",
        "backbone": {"type": "ResNet", "depth": 18, "init_cfg": [half]},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 512},
        "init_cfg": zero,
    }
    found = new_network(parts, num_classes=3)
    assert (found.backbone.layer4[0].conv2.weight == 0.5).all()
    assert (found.head.fc.weight == 0).all()
    assert parts["backbone"]["init_cfg"] == [half]
    named = new_network({"name": "squeezenet1_1", "init_cfg": half}, num_classes=3)
    assert (named.classifier[1].weight == 0.5).all()


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "Orthogonal"}, "init_cfg has type='Orthogonal'; it must be one of Constant, Normal"),
        ({"type": "Normal", "layer": "Conv3d"}, "layer='Conv3d', and Sequential has no such layer"),
        ({"type": "Normal", "layer": "Linear", "stdd": 1}, "init_cfg of type='Normal' cannot be used"),
        ({"type": "Normal", "layer": "Linear", "override": {}}, "override, which is not supported"),
        ("Normal", "init_cfg is 'Normal'; it must be dict"),
    ],
)
def test_what_does_not_exist_is_named(cfg: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        initialise_by_cfg(network(), cfg)


def test_without_a_name_every_layer_is_drawn() -> None:
    found = network()
    initialise_by_cfg(found, {"type": "Constant", "val": 0.5, "bias": 2.0})
    assert all(
        (each == (0.5 if name.endswith("weight") else 2.0)).all() for name, each in found.named_parameters()
    )
    head = LinearClsHead(3, 6, init_cfg={"type": "Constant", "val": 0.5})
    assert (head.fc.weight == 0.5).all()
