"""Cosine heads, and ArcFace's margin against angles written out."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import ArcFaceClsHead, CosineClsHead, build_head

VECTORS = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(40) % 3


def test_logits_are_scaled_cosines() -> None:
    head = CosineClsHead(3, 6, scale=10.0)
    expected = 10 * functional.cosine_similarity(VECTORS[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head((VECTORS,)), expected)
    torch.testing.assert_close(head(3 * VECTORS), head(VECTORS))
    torch.testing.assert_close(
        head.loss(expected, TARGETS)["loss"], functional.cross_entropy(expected, TARGETS)
    )


def test_of_subcenters_the_nearest_counts() -> None:
    head = CosineClsHead(3, 6, scale=1.0, num_subcenters=2)
    assert head.weight.shape == (6, 6)
    cosines = functional.cosine_similarity(VECTORS[:, None], head.weight[None], dim=2)
    expected = torch.stack([cosines[:, [2 * number, 2 * number + 1]].max(1).values for number in range(3)], 1)
    torch.testing.assert_close(head(VECTORS), expected)


@pytest.mark.parametrize("margins", [0.5, 3.0, [0.1, 0.2, 0.3]])
@pytest.mark.parametrize("easy", [False, True])
def test_the_margin_is_added_to_the_targets_angle(margins: Any, easy: bool) -> None:
    torch.manual_seed(0)
    head = ArcFaceClsHead(3, 6, scale=8.0, margins=margins, easy_margin=easy)
    logits = head((VECTORS,)).detach()
    expected = logits.clone()
    beyond = 0
    for row, target in enumerate(TARGETS.tolist()):
        margin = margins if isinstance(margins, float) else margins[target]
        cosine = float(logits[row, target]) / 8.0
        angle = math.acos(cosine)
        if easy:
            expected[row, target] = 8.0 * (math.cos(angle + margin) if cosine > 0 else cosine)
        elif angle + margin < math.pi:
            expected[row, target] = 8.0 * math.cos(angle + margin)
        else:
            beyond += 1
            expected[row, target] = 8.0 * (cosine - math.sin(math.pi - margin) * margin)
    torch.testing.assert_close(head.with_margin(logits, TARGETS), expected, rtol=1e-4, atol=1e-4)
    assert beyond > 0 or easy or margins != 3.0
    loss = head.loss(logits, TARGETS)["loss"]
    torch.testing.assert_close(loss, functional.cross_entropy(expected, TARGETS), rtol=1e-4, atol=1e-4)


def test_gradients_are_finite_on_the_class_itself() -> None:
    head = ArcFaceClsHead(2, 2, margins=0.5)
    head.weight.data = torch.eye(2)
    vectors = nn.Parameter(torch.eye(2))
    head.loss(head(vectors), torch.tensor([0, 1]))["loss"].backward()
    assert torch.isfinite(vectors.grad).all()


def test_margins_are_settings_and_no_weights() -> None:
    assert set(ArcFaceClsHead(2, 2).state_dict()) == {"weight"}


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"margins": [0.1]}, "one for each of its 3 classes"),
        ({"margins": 4.0}, "from 0 on and below pi"),
        ({"scale": 0}, "ArcFaceClsHead has scale=0; it must be positive"),
        ({"num_subcenters": 0}, "num_subcenters=0"),
    ],
)
def test_a_number_that_does_not_exist_is_named(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_head({"type": "ArcFaceClsHead", "num_classes": 3, "in_channels": 6, **cfg})


def test_shares_of_classes_have_no_angle() -> None:
    head = ArcFaceClsHead(3, 6)
    with pytest.raises(ConfigError, match="ArcFaceClsHead needs class numbers"):
        head.loss(head(VECTORS), torch.zeros(40, 3))
