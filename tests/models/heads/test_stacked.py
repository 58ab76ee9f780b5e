"""Heads with hidden layers, and dropout before the linear one."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LinearClsHead, StackedLinearClsHead, VisionTransformerClsHead, build_head

VECTORS = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


def test_layers_stand_in_a_row() -> None:
    head = StackedLinearClsHead(
        3, 6, [8, 4], dropout_rate=0.2, norm_cfg={"type": "BN1d"}, act_cfg={"type": "HSwish"}
    ).eval()
    kinds = [[type(each) for each in layer] for layer in head.layers]
    assert kinds == [[nn.Linear, nn.BatchNorm1d, nn.Hardswish, nn.Dropout]] * 2
    assert [layer[0].bias for layer in head.layers] == [None, None]
    vectors = VECTORS
    for layer in head.layers:
        vectors = functional.hardswish(layer.bn(functional.linear(vectors, layer.fc.weight)))
    assert torch.equal(head.pre_logits((VECTORS,)), vectors)
    assert torch.equal(head((VECTORS, VECTORS)), head.fc(vectors))
    assert head.fc.weight.shape == (3, 4)


def test_by_default_relu_and_nothing_else() -> None:
    head = StackedLinearClsHead(3, 6, [8])
    assert [type(each) for each in head.layers[0]] == [nn.Linear, nn.ReLU]
    assert head.layers[0].fc.bias is not None
    assert set(head.state_dict()) == {"layers.0.fc.weight", "layers.0.fc.bias", "fc.weight", "fc.bias"}


def test_the_head_of_a_transformer_has_a_hidden_layer_or_none() -> None:
    assert len(VisionTransformerClsHead(3, 6).layers) == 0
    head = VisionTransformerClsHead(3, 6, hidden_dim=8)
    assert [type(each) for each in head.layers[0]] == [nn.Linear, nn.Tanh]


def test_zeros_in_a_transformers_head_leave_its_hidden_layer_alone() -> None:
    zeros = {"type": "Constant", "layer": "Linear", "val": 0.0}
    head = VisionTransformerClsHead(3, 400, hidden_dim=300, init_cfg=zeros)
    assert not any(each.any() for each in head.fc.parameters())
    hidden = head.layers[0].get_submodule("fc")
    assert hidden.weight.std().item() == pytest.approx(1 / 20, rel=0.02)
    assert not hidden.bias.any()


def test_dropout_stands_before_the_linear_layer() -> None:
    head = LinearClsHead(3, 6, dropout=0.5)
    torch.manual_seed(1)
    found = head(VECTORS)
    torch.manual_seed(1)
    assert torch.equal(found, head.fc(functional.dropout(VECTORS, 0.5)))
    assert torch.equal(head.eval()(VECTORS), head.fc(VECTORS))


def test_all_layers_are_drawn_as_asked() -> None:
    init = {"type": "Normal", "layer": "Linear", "std": 1e-6}
    head = StackedLinearClsHead(3, 6, [8, 4], init_cfg=init)
    assert all(each.abs().max() < 1e-4 for each in head.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mid_channels": 8}, "mid_channels=8; it must be a list"),
        ({"mid_channels": [8, 0]}, "mid_channels=0; it must be a whole number"),
        ({"mid_channels": [8], "dropout_rate": 1.0}, "dropout is 1.0"),
        ({"mid_channels": [8], "act_cfg": {"type": "Rellu"}}, "act_cfg has type='Rellu'"),
    ],
)
def test_what_does_not_exist_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_head({"type": "StackedLinearClsHead", "num_classes": 3, "in_channels": 6, **arguments})
