"""Heads for several labels: against binary cross-entropy and against the paper's formulas written out."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import CSRAClsHead, MultiLabelClsHead, MultiLabelLinearClsHead, build_head

GENERATOR = torch.Generator().manual_seed(0)
VECTORS = torch.randn(5, 6, generator=GENERATOR)
MAPS = torch.randn(5, 6, 3, 4, generator=GENERATOR)
LABELS = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, -1], [1, 1, 1]], dtype=torch.float32)


def test_the_loss_is_binary_cross_entropy_summed_over_classes() -> None:
    head = MultiLabelLinearClsHead(3, 6)
    logits = head((VECTORS,))
    assert torch.equal(logits, functional.linear(VECTORS, head.fc.weight, head.fc.bias))
    losses = functional.binary_cross_entropy_with_logits(logits, LABELS.abs(), reduction="none").sum(1)
    torch.testing.assert_close(head.loss(logits, LABELS)["loss"], losses.mean())
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0])
    expected = (losses * weights).sum() / weights.sum()
    torch.testing.assert_close(head.loss(logits, LABELS, weights)["loss"], expected)
    assert torch.equal(MultiLabelClsHead()((VECTORS, LABELS)), LABELS)


def attended(scores: torch.Tensor, temperature: int, lam: float) -> torch.Tensor:
    """The paper's formulas for one class of one picture, pixel by pixel."""
    if temperature == 99:
        return scores.sum() / len(scores) + lam * max(scores)
    shares = torch.stack([(temperature * each).exp() for each in scores])
    return scores.sum() / len(scores) + lam * (shares / shares.sum() * scores).sum()


@pytest.mark.parametrize(
    ("num_heads", "temperatures"),
    [(1, [1]), (2, [1, 99]), (4, [1, 2, 4, 99]), (6, [1, 2, 3, 4, 5, 99]), (8, [1, 2, 3, 4, 5, 6, 7, 99])],
)
def test_residual_attention_is_the_papers(num_heads: int, temperatures: list[int]) -> None:
    torch.manual_seed(0)
    head = CSRAClsHead(3, 6, num_heads=num_heads, lam=0.3)
    found = head((MAPS,))
    for sample in range(5):
        for number in range(3):
            expected = torch.zeros(())
            for fc, temperature in zip(head.fcs, temperatures, strict=True):
                weight = fc.weight[number] / fc.weight[number].square().sum().sqrt()
                scores = torch.einsum("c,chw->hw", weight, MAPS[sample]).flatten()
                expected = expected + attended(scores, temperature, 0.3)
            torch.testing.assert_close(found[sample, number], expected)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "CSRAClsHead", "num_heads": 3}, "num_heads=3; it must be one of 1, 2, 4, 6, 8"),
        ({"type": "CSRAClsHead", "num_classes": 0}, "CSRAClsHead has num_classes=0"),
        ({"type": "MultiLabelLinearClsHead", "in_channels": 0}, "MultiLabelLinearClsHead has in_channels=0"),
    ],
)
def test_a_number_that_does_not_exist_is_named(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_head({"num_classes": 3, "in_channels": 6, **cfg})


def test_initial_values_are_drawn_as_asked() -> None:
    for cfg in ({"type": "CSRAClsHead", "num_heads": 2}, {"type": "MultiLabelLinearClsHead"}):
        init = {"type": "Normal", "layer": "Linear", "std": 1e-6}
        head = build_head({**cfg, "num_classes": 3, "in_channels": 6, "init_cfg": init})
        assert all(each.abs().max() < 1e-4 for each in head.parameters())
