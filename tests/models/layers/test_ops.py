"""Single layers of any network: dropout, input channels, kinds by name."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import build_model, classifier_layer, new_network, num_channels
from ding_cls.models.layers.ops import activation_of, norm_of, set_dropout, set_in_channels

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "shufflenet_v2_x0_5", "regnet_x_400mf", "timm/resnet10t"]
)
def test_any_network_has_dropout_before_its_last_layer(name: str) -> None:
    network = build_model(name, num_classes=5, dropout=0.5)
    found, layer = classifier_layer(network)
    if name.startswith("timm/"):
        assert network.drop_rate == 0.5
        return
    assert set(dict(layer.named_parameters())) == {"weight", "bias"}
    assert found in dict(build_model(name, num_classes=5).named_modules())
    vectors = torch.randn(3, layer.in_features)
    torch.manual_seed(3)
    kept = functional.dropout(vectors, 0.5)
    torch.manual_seed(3)
    assert torch.equal(layer(vectors), functional.linear(kept, layer.weight, layer.bias))
    torch.testing.assert_close(layer.eval()(vectors), functional.linear(vectors, layer.weight, layer.bias))


def test_dropout_reaches_a_constructor_that_takes_it() -> None:
    assert build_model("mobilenet_v2", num_classes=2, dropout=0.37).classifier[0].p == 0.37


@pytest.mark.parametrize("dropout", [1.0, -0.1, "0.5", True])
def test_dropout_is_a_probability(dropout: object) -> None:
    with pytest.raises(ConfigError, match="it must be a number from 0 on and below 1"):
        build_model("resnet18", num_classes=2, dropout=dropout)


def test_dropout_is_for_linear_layers() -> None:
    with pytest.raises(ModelError, match="the last layer of Sequential, 0, is not linear"):
        set_dropout(nn.Sequential(nn.Conv2d(3, 4, 1)), 0.5)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "timm/resnet10t"])
@pytest.mark.parametrize("in_channels", [1, 5])
def test_any_network_takes_other_channels(name: str, in_channels: int) -> None:
    network = build_model(name, num_classes=5, in_channels=in_channels).eval()
    images = torch.randn(2, in_channels, 32, 32)
    logits = network(images)
    assert logits.shape == (2, 5)
    assert num_channels(network) == (3 if in_channels == 1 else 5)
    if in_channels == 1:
        assert torch.equal(
            network(images.expand(-1, 3, -1, -1)), network(images.expand(-1, 3, -1, -1).mean(1, True))
        )
        torch.testing.assert_close(network(images.expand(-1, 3, -1, -1)), logits)
        assert torch.equal(copy.deepcopy(network)(IMAGES), network(IMAGES))


def test_a_network_for_gray_pictures_of_parts_takes_coloured_ones() -> None:
    backbone = {"type": "ResNet", "depth": 18, "in_channels": 1}
    head = {"type": "LinearClsHead", "in_channels": 512}
    parts = {
        "type": "ImageClassifier",
        "backbone": backbone,
        "neck": {"type": "GlobalAveragePooling"},
        "head": head,
    }
    network = new_network(parts, num_classes=3).eval()
    assert torch.equal(network(IMAGES), network(IMAGES.mean(1, keepdim=True)))


@pytest.mark.parametrize("in_channels", [0, 1.0, True])
def test_channels_are_counted(in_channels: object) -> None:
    with pytest.raises(ModelError, match="must be a whole number from 1 on"):
        build_model("resnet18", num_classes=2, in_channels=in_channels)


def test_a_network_without_convolutions_has_no_channels() -> None:
    with pytest.raises(ModelError, match="Linear has no convolution that could take in_channels=1"):
        set_in_channels(nn.Linear(3, 4), 1)
    assert num_channels(nn.Linear(3, 4)) == 3


@pytest.mark.parametrize(
    ("cfg", "kind"),
    [
        (None, nn.BatchNorm2d),
        ({"type": "BN", "eps": 0.5}, nn.BatchNorm2d),
        ({"type": "SyncBN"}, nn.SyncBatchNorm),
        ({"type": "GN", "num_groups": 2}, nn.GroupNorm),
        ({"type": "BN1d", "requires_grad": False}, nn.BatchNorm1d),
    ],
)
def test_a_norm_by_name(cfg: dict[str, object] | None, kind: type) -> None:
    norm = norm_of(cfg)(4)
    assert type(norm) is kind
    assert norm.eps == (cfg or {}).get("eps", 1e-5)
    assert all(each.requires_grad == (cfg or {}).get("requires_grad", True) for each in norm.parameters())


def test_wrong_norms_and_activations_are_named() -> None:
    with pytest.raises(ConfigError, match="norm_cfg has type='BM'; it must be one of BN, BN1d"):
        norm_of({"type": "BM"})
    with pytest.raises(ConfigError, match=r"norm_cfg=.* cannot be used: .*num_groups"):
        norm_of({"type": "GN"})(4)
    with pytest.raises(ConfigError, match="act_cfg has type='Linear'; it must be an activation of torch"):
        activation_of({"type": "Linear"})
    with pytest.raises(ConfigError, match="cannot be used"):
        activation_of({"type": "ReLU", "slope": 1})
    assert isinstance(activation_of({"type": "HSwish"}), nn.Hardswish)
    assert isinstance(activation_of({"type": "Swish", "inplace": True}), nn.SiLU)
