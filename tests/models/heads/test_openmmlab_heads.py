"""Heads that mmclassification has for one backbone each."""

import pytest
import torch

from ding_cls.errors import ModelError
from ding_cls.models import build_head

TOKENS = torch.rand(2, 4), torch.rand(2, 4), torch.rand(2, 4)


def test_deits_head_is_the_mean_of_two_layers() -> None:
    head = build_head({"type": "DeiTClsHead", "num_classes": 3, "in_channels": 4})
    expected = (head.fc(TOKENS[0]) + head.fc_dist(TOKENS[1])) / 2
    assert torch.equal(head(TOKENS), expected)
    assert head.loss(head(TOKENS), torch.tensor([0, 2]))["loss"].requires_grad


def test_deits_hidden_layer_is_for_both_tokens() -> None:
    head = build_head({"type": "DeiTClsHead", "num_classes": 3, "in_channels": 4, "hidden_dim": 5})
    assert head.fc_dist.in_features == 5
    assert head(TOKENS).shape == (2, 3)


def test_deits_head_begins_as_described() -> None:
    zeros = {"type": "Constant", "layer": "Linear", "val": 0.0}
    head = build_head({"type": "DeiTClsHead", "num_classes": 3, "in_channels": 4, "init_cfg": zeros})
    assert not head(TOKENS).any()


@pytest.mark.parametrize("features", [torch.rand(2, 4), (torch.rand(2, 4),)])
def test_deits_head_refuses_one_token(features: torch.Tensor) -> None:
    head = build_head({"type": "DeiTClsHead", "num_classes": 3, "in_channels": 4})
    with pytest.raises(ModelError, match=r"its backbone is dict.type='DistilledVisionTransformer'"):
        head(features)


def test_efficientformers_head_is_the_mean_of_two_layers() -> None:
    head = build_head({"type": "EfficientFormerClsHead", "num_classes": 3, "in_channels": 4})
    vectors = TOKENS[-1]
    assert torch.equal(head(TOKENS), (head.head(vectors) + head.dist_head(vectors)) / 2)
    plain = build_head(
        {"type": "EfficientFormerClsHead", "num_classes": 3, "in_channels": 4, "distillation": False}
    )
    assert torch.equal(plain(vectors), plain.head(vectors))


def test_conformers_head_says_what_is_missing() -> None:
    cfg = {"type": "ConformerHead", "num_classes": 3, "in_channels": [1, 2]}
    with pytest.raises(ModelError, match="is for the backbone Conformer, which is in neither"):
        build_head(cfg)
