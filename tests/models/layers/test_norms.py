"""``norm_cfg`` of networks that other libraries built: set in place, or refused with what there is."""

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models.layers.norms import set_norms


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))


def test_settings_reach_every_layer_of_the_kind() -> None:
    cfg = {"type": "BN", "eps": 1e-3, "momentum": 0.2, "requires_grad": False}
    owner = network()
    assert set_norms(owner, cfg, "backbone 'VGG'") is owner
    for layer in (owner[1], owner[2][0]):
        assert (layer.eps, layer.momentum) == (1e-3, 0.2)
        assert not any(each.requires_grad for each in layer.parameters())
    assert owner[0].weight.requires_grad
    assert cfg["requires_grad"] is False


def test_layer_norms_have_an_eps() -> None:
    layer = nn.LayerNorm(4)
    set_norms(nn.Sequential(layer), {"type": "LN", "eps": 0.5}, "backbone 'ConvNeXt'")
    assert layer.eps == 0.5
    assert layer.weight.requires_grad


def test_synchronised_layers_keep_their_numbers() -> None:
    owner = network()
    owner[1].running_mean.fill_(0.25)
    names = list(owner.state_dict())
    found = set_norms(owner, {"type": "SyncBN", "momentum": 0.3}, "backbone 'VGG'")
    assert list(found.state_dict()) == names
    assert isinstance(found[1], nn.SyncBatchNorm)
    assert found[1].momentum == 0.3
    assert torch.equal(found[1].running_mean, torch.full((4,), 0.25))


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "LN"}, "backbone 'VGG' has norm_cfg=.*it has BatchNorm: leave it out"),
        ({"type": "GN", "num_groups": 2}, "it has BatchNorm: leave it out"),
        ({"type": "BN", "affine": False}, "has affine in its norm_cfg; of BN it takes eps, momentum"),
    ],
)
def test_what_the_network_does_not_have_is_refused(cfg: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        set_norms(network(), cfg, "backbone 'VGG'")
    with pytest.raises(ConfigError, match="it has none: leave it out"):
        set_norms(nn.Linear(1, 1), {"type": "BN"}, "backbone 'own'")
