"""Layer decay: which layer a parameter is in, for the networks of both libraries."""

import math
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import build_model
from ding_cls.optim import build_optimizer
from ding_cls.optim.layer_decay import layer_scales


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.blocks = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(2))
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)


def depths(model: nn.Module) -> dict[str, int]:
    """Return the layer of each parameter, counted from the head, which is 0."""
    return {name: round(-math.log2(scale)) for name, scale in layer_scales(model, 0.5).items()}


def test_rates_fall_from_block_to_block() -> None:
    cfg = {
        "type": "AdamW",
        "lr": 0.8,
        "weight_decay": 0.1,
        "constructor": "LearningRateDecayOptimizerConstructor",
        "paramwise_cfg": {"layer_decay_rate": 0.5, "norm_decay_mult": 0.0, "bias_lr_mult": 2.0},
    }
    model = Tiny()
    rates = {
        parameter: (group["lr"], group["weight_decay"], group["lr_mult"])
        for group in build_optimizer(model, cfg).param_groups
        for parameter in group["params"]
    }
    found = {name: rates[parameter] for name, parameter in model.named_parameters()}
    assert found == {
        "stem.weight": (0.1, 0.1, 0.125),
        "stem.bias": (0.2, 0.1, 0.25),
        "blocks.0.weight": (0.2, 0.1, 0.25),
        "blocks.0.bias": (0.4, 0.1, 0.5),
        "blocks.1.weight": (0.4, 0.1, 0.5),
        "blocks.1.bias": (0.8, 0.1, 1.0),
        "norm.weight": (0.8, 0.0, 1.0),
        "norm.bias": (0.8, 0.0, 1.0),
        "head.weight": (0.8, 0.1, 1.0),
        "head.bias": (1.6, 0.1, 2.0),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "resnet18",
            {
                "conv1.weight": 9,
                "bn1.bias": 9,
                "layer1.0.conv1.weight": 8,
                "layer1.1.bn2.weight": 7,
                "layer2.0.downsample.0.weight": 6,
                "layer4.1.conv2.weight": 1,
                "fc.weight": 0,
            },
        ),
        (
            "vit_b_16",
            {
                "class_token": 13,
                "conv_proj.weight": 13,
                "encoder.pos_embedding": 13,
                "encoder.layers.encoder_layer_0.mlp.0.weight": 12,
                "encoder.layers.encoder_layer_11.ln_2.bias": 1,
                "encoder.ln.weight": 0,
                "heads.head.weight": 0,
            },
        ),
        ("mobilenet_v2", {"features.0.0.weight": 19, "features.18.0.weight": 1, "classifier.1.bias": 0}),
        (
            "convnext_tiny",
            {
                "features.0.0.weight": 19,
                "features.1.0.layer_scale": 18,
                "features.1.2.block.0.weight": 16,
                "features.2.1.weight": 16,
                "features.7.2.block.0.weight": 1,
                "classifier.2.bias": 0,
            },
        ),
        (
            "swin_t",
            {
                "features.0.0.weight": 13,
                "features.1.0.norm1.weight": 12,
                "features.2.reduction.weight": 11,
                "features.3.0.norm1.weight": 10,
                "norm.weight": 0,
                "head.weight": 0,
            },
        ),
        (
            "efficientnet_b0",
            {"features.0.0.weight": 17, "features.1.0.block.0.0.weight": 16, "features.8.0.weight": 0},
        ),
    ],
)
def test_torchvisions_layers(name: str, expected: dict[str, int]) -> None:
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
    found = depths(model)
    assert {each: found[each] for each in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "vit_tiny_patch16_224",
            {"cls_token": 13, "patch_embed.proj.weight": 13, "blocks.0.norm1.weight": 12, "norm.weight": 0},
        ),
        ("resnet18", {"conv1.weight": 9, "layer1.0.conv1.weight": 8, "layer4.1.bn2.bias": 1, "fc.bias": 0}),
        (
            "swin_tiny_patch4_window7_224",
            {
                "patch_embed.proj.weight": 13,
                "layers.0.blocks.0.norm1.weight": 12,
                "layers.1.downsample.reduction.weight": 11,
                "layers.1.blocks.0.norm1.weight": 10,
                "head.fc.weight": 0,
            },
        ),
    ],
)
def test_timms_layers(name: str, expected: dict[str, int]) -> None:
    timm = pytest.importorskip("timm")
    found = depths(timm.create_model(name))
    assert {each: found[each] for each in expected} == expected


@pytest.mark.parametrize(
    ("paramwise", "expected"),
    [
        (None, r"needs paramwise_cfg=dict\(layer_decay_rate=\) greater than 0, and 1 at most, not none"),
        ({"layer_decay_rate": 1.5}, r"not \[1\.5\]"),
        ({"layer_decay_rate": 0.5, "norm_decay": 0}, "paramwise_cfg has no setting 'norm_decay'"),
    ],
)
def test_what_cannot_be_used_is_named(paramwise: Any, expected: str) -> None:
    cfg = {
        "type": "SGD",
        "lr": 0.1,
        "constructor": "LearningRateDecayOptimizerConstructor",
        "paramwise_cfg": paramwise,
    }
    with pytest.raises(ConfigError, match=expected):
        build_optimizer(Tiny(), cfg)


def test_a_network_without_numbered_layers_has_its_parts_for_layers() -> None:
    assert layer_scales(nn.Linear(2, 2), 0.5) == {"weight": 1, "bias": 1}
    two = nn.ModuleDict({"body": nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})})
    two["head"] = nn.Linear(2, 2)
    assert {name: value for name, value in layer_scales(two, 0.5).items() if "weight" in name} == {
        "body.a.weight": 0.25,
        "body.b.weight": 0.5,
        "head.weight": 1,
    }
    row = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    assert [layer_scales(row, 0.5)[f"{number}.bias"] for number in range(4)] == [0.125, 0.25, 0.5, 1]


@pytest.mark.parametrize(
    ("name", "num_layers", "head"),
    [("densenet121", 11, "classifier"), ("googlenet", 13, "fc"), ("lenet5", 4, "classifier")],
)
def test_networks_without_numbered_blocks_fall_from_part_to_part(
    name: str, num_layers: int, head: str
) -> None:
    scales = layer_scales(build_model(name, num_classes=3), 0.5)
    values = list(dict.fromkeys(scales.values()))
    assert sorted(values) == [0.5**power for power in range(num_layers - 1, -1, -1)]
    assert {key.partition(".")[0] for key, value in scales.items() if value == 1} == {head}
