"""Several tasks in one head, and logarithms of probabilities."""

import pytest
import torch
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LogSoftmaxHead, MultiTaskHead, build_head

VECTORS = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([[0, 1], [2, 2], [1, 0], [3, 3], [0, 0]])


def test_the_loss_of_tasks_is_the_mean_of_theirs() -> None:
    head = MultiTaskHead(4, 6, num_tasks=2)
    logits = head((VECTORS,))
    assert logits.shape == (5, 2, 4)
    assert torch.equal(logits.flatten(1), head.fc(VECTORS))
    losses = torch.stack(
        [functional.cross_entropy(logits[:, k], TARGETS[:, k], reduction="none") for k in (0, 1)]
    )
    torch.testing.assert_close(head.loss(logits, TARGETS)["loss"], losses.mean())
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0])
    expected = (losses.mean(0) * weights).sum() / weights.sum()
    torch.testing.assert_close(head.loss(logits, TARGETS, weights)["loss"], expected)


@pytest.mark.parametrize("mid_channels", [[], [8]])
def test_log_softmax_with_nll_is_cross_entropy(mid_channels: list[int]) -> None:
    torch.manual_seed(0)
    head = LogSoftmaxHead(4, 6, mid_channels)
    found = head((VECTORS,))
    torch.testing.assert_close(found.exp().sum(1), torch.ones(5))
    logits = head.fc(head.pre_logits((VECTORS,)))
    expected = functional.cross_entropy(logits, TARGETS[:, 0])
    torch.testing.assert_close(head.loss(found, TARGETS[:, 0])["loss"], expected)


def test_the_tutorials_head_is_one_of_these() -> None:
    head = build_head(
        {
            "type": "LogSoftmaxHead",
            "num_classes": 10,
            "in_channels": 2048,
            "mid_channels": [256],
            "dropout_rate": 0.4,
        }
    )
    (hidden,) = head.layers
    assert [type(each).__name__ for each in hidden] == ["Linear", "ReLU", "Dropout"]
    assert (hidden[0].out_features, hidden[2].p, head.fc.in_features) == (256, 0.4, 256)


def test_tasks_are_counted() -> None:
    with pytest.raises(ConfigError, match="MultiTaskHead has num_tasks=0"):
        MultiTaskHead(4, 6, num_tasks=0)
