"""What counts as a loss among what a network gives."""

import pytest
import torch
from torch import nn

from ding_cls.errors import ModelError
from ding_cls.models.outputs import only_losses, weight_keyword


class _Part(nn.Module):
    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x * weight


def test_losses_are_what_has_loss_in_its_name() -> None:
    given = {"loss": torch.tensor([1.0, 3.0]), "parts_loss": [torch.tensor(1.0), 2.0]}
    found = only_losses(_Part(), {**given, "accuracy": {"top-1": 1}})
    assert {name: value.item() for name, value in found.items()} == {"loss": 2.0, "parts_loss": 3.0}
    with pytest.raises(ModelError, match=r"_Part gave no loss, only \['acc'\]"):
        only_losses(_Part(), {"acc": 1.0})
    with pytest.raises(ModelError, match="_Part gave Tensor as its losses"):
        only_losses(_Part(), torch.zeros(1))


def test_weights_go_where_they_are_taken() -> None:
    weights = torch.ones(2)
    assert weight_keyword(_Part(), "forward", None) == {}
    assert weight_keyword(_Part(), "forward", weights)["weight"] is weights
    with pytest.raises(ModelError, match="the head Linear cannot use: its forward takes no"):
        weight_keyword(nn.Linear(1, 1), "forward", weights)
