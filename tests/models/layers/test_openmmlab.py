"""mmcv's builders of layers and initial values."""

from typing import Any

import pytest
import torch
from torch import nn

from ding_cls import models
from ding_cls.errors import ConfigError
from ding_cls.models import ConvModule, build_activation_layer, build_conv_layer, build_norm_layer

MAPS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cfg", [None, {"type": "Conv2d"}, {"type": "Conv"}])
def test_a_convolution_is_built(cfg: Any) -> None:
    layer = build_conv_layer(cfg, 4, 6, kernel_size=3, stride=2, padding=1, bias=False)
    assert isinstance(layer, nn.Conv2d)
    assert layer(MAPS).shape == (2, 6, 4, 4)
    assert layer.bias is None


@pytest.mark.parametrize(
    ("cfg", "kind", "name"),
    [
        ({"type": "BN", "requires_grad": False}, nn.BatchNorm2d, "bn1"),
        ({"type": "SyncBN"}, nn.SyncBatchNorm, "bn1"),
        ({"type": "GN", "num_groups": 2}, nn.GroupNorm, "gn1"),
        ({"type": "IN"}, nn.InstanceNorm2d, "in1"),
        ({"type": "LN", "eps": 1e-6}, nn.LayerNorm, "ln1"),
    ],
)
def test_a_normalization_is_built_with_its_name(cfg: Any, kind: type, name: str) -> None:
    found, layer = build_norm_layer(cfg, 4, postfix=1)
    assert (found, type(layer)) == (name, kind)
    assert all(each.requires_grad == cfg.get("requires_grad", True) for each in layer.parameters())
    assert build_norm_layer(cfg, 4)[0] == name[:-1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: build_conv_layer({"type": "DCN"}, 4, 4, 3),
            "conv_cfg has type='DCN'; it must be one of",
        ),
        (lambda: build_norm_layer({}, 4), r"norm_cfg is \{\}; it must be dict\(type='BN', ...\)"),
        (lambda: build_norm_layer({"type": "XN"}, 4), "norm_cfg has type='XN'"),
        (lambda: build_activation_layer({"type": "Rel"}), "act_cfg has type='Rel'"),
        (lambda: ConvModule(4, 4, 3, order=("conv", "norm", "norm")), "ConvModule has order="),
    ],
)
def test_what_does_not_exist_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_a_convolution_with_what_follows_it() -> None:
    module = ConvModule(4, 6, 3, padding=1, norm_cfg={"type": "BN"})
    assert [name for name, _ in module.named_children()] == ["conv", "bn", "activate"]
    assert (module.conv.bias, module.with_norm, module.with_activation) == (None, True, True)
    module.eval()
    assert torch.equal(module(MAPS), module.activate(module.bn(module.conv(MAPS))))
    assert torch.equal(module(MAPS, activate=False, norm=False), module.conv(MAPS))
    plain = ConvModule(4, 6, 1, act_cfg=None)
    assert plain.conv.bias is not None
    assert torch.equal(plain(MAPS), plain.conv(MAPS))
    first = ConvModule(4, 6, 1, norm_cfg={"type": "BN"}, order=("norm", "act", "conv"))
    assert first.norm.num_features == 4


@pytest.mark.parametrize(
    ("name", "arguments", "mean", "std"),
    [
        ("constant_init", {"val": 3}, 3.0, 0.0),
        ("normal_init", {"mean": 1, "std": 0.5}, 1.0, 0.5),
        ("trunc_normal_init", {"std": 0.5}, 0.0, 0.5),
        ("uniform_init", {"a": 2, "b": 4}, 3.0, 0.577),
        ("xavier_init", {}, 0.0, (2 / 600) ** 0.5),
        ("xavier_init", {"distribution": "uniform"}, 0.0, (2 / 600) ** 0.5),
        ("kaiming_init", {}, 0.0, (2 / 200) ** 0.5),
        ("kaiming_init", {"mode": "fan_in"}, 0.0, (2 / 400) ** 0.5),
    ],
)
def test_initial_values_of_a_layer(name: str, arguments: Any, mean: float, std: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(400, 200)
    getattr(models, name)(layer, bias=0.25, **arguments)
    assert layer.weight.mean().item() == pytest.approx(mean, abs=0.01)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.03, abs=1e-6)
    assert torch.equal(layer.bias, torch.full((200,), 0.25))


def test_a_probability_as_a_bias() -> None:
    assert torch.tensor(models.bias_init_with_prob(0.01)).sigmoid().item() == pytest.approx(0.01)
