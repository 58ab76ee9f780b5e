"""Clipping with accumulation and mixed precision against the loop that torch's documentation writes."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.policy.settings import build_optional
from ding_cls.policy.update.grad_clip import Clipping
from tests.policy.test_classification import assert_equal, batch, build, network, sgd

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
CLIPS: list[dict[str, Any]] = [
    {"max_norm": 0.05},
    {"max_norm": 0.01, "norm_type": 1},
    {"max_norm": 0.02, "norm_type": "inf"},
    {"clip_value": 0.004},
]


def clipped_by_hand(model: nn.Module, clip: dict[str, Any]) -> torch.Tensor:
    if "clip_value" in clip:
        norm = torch.cat([each.grad.flatten() for each in model.parameters()]).norm()
        nn.utils.clip_grad_value_(model.parameters(), clip["clip_value"])
        return norm
    return nn.utils.clip_grad_norm_(
        model.parameters(), clip["max_norm"], norm_type=float(clip.get("norm_type", 2))
    )


@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("precision", DTYPES)
def test_an_update_is_torchs_documented_order(precision: str, pieces: int, clip: dict[str, Any]) -> None:
    policy = build(network(), precision=precision, accumulation_steps=pieces, grad_clip=clip)
    plain = build(network(), precision=precision, accumulation_steps=pieces)
    model, dtype = network(), DTYPES[precision]
    optimizer, scaler = sgd(model), torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    for step in range(4):
        each = batch(step)
        found = policy.learn_mode.forward(each)
        plain.learn_mode.forward(each)
        optimizer.zero_grad()
        for piece in each.split(pieces):
            with torch.autocast("cpu", dtype, enabled=dtype is not None):
                logits = model(piece.images)
            loss = functional.cross_entropy(logits.float(), piece.targets) * (len(piece) / len(each))
            scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = clipped_by_hand(model, clip)
        scaler.step(optimizer)
        scaler.update()
        assert_equal(policy._model, model)
        assert found["grad_norm"].item() == pytest.approx(norm.item(), rel=1e-6)
        assert "grad_norm" in policy.learn_mode.monitor_vars()
    assert not torch.equal(plain._model.stem.weight, model.stem.weight)


def test_a_gradient_within_the_limit_stays_to_the_last_bit() -> None:
    clipped, plain = build(network(), grad_clip={"max_norm": 1e3}), build(network())
    for policy in (clipped, plain):
        policy.learn_mode.forward(batch(0))
    assert_equal(clipped._model, plain._model)


def test_an_overflow_is_still_skipped() -> None:
    policy = build(network(), precision="fp16", grad_clip={"max_norm": 1.0})
    policy.learn_mode.forward(batch(0))
    before = {name: value.clone() for name, value in policy._model.state_dict().items()}
    wild = batch(1)
    wild.images[0, 0, 0, 0] = 1e6
    assert not policy.learn_mode.forward(wild)["grad_norm"].isfinite()
    assert_equal(policy._model, before)


def test_norm_by_hand() -> None:
    layer = nn.Linear(2, 1)
    layer.weight.grad, layer.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert Clipping(max_norm=1.0)(layer.parameters()).item() == 5.0
    assert torch.cat([layer.weight.grad[0], layer.bias.grad]).tolist() == pytest.approx([0.6, 0, 0.8])
    assert Clipping(clip_value=0.7)(layer.parameters()).item() == pytest.approx(1.0)
    assert torch.cat([layer.weight.grad[0], layer.bias.grad]).tolist() == pytest.approx([0.6, 0, 0.7])
    layer.weight.grad = None
    assert Clipping(max_norm=math.inf)(layer.parameters()).item() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, r"max_norm=None and clip_value=None; exactly one of them must be given"),
        ({"max_norm": 1, "clip_value": 1}, "exactly one"),
        ({"max_norm": 0}, r"policy\.learn\.grad_clip\.max_norm is 0; it must be greater than 0"),
        ({"max_norm": 1, "norm_type": -2}, "norm_type is -2"),
        ({"max_nrom": 1}, r"policy\.learn\.grad_clip 'Clipping' has no argument 'max_nrom'; did you mean"),
        (35, r"policy\.learn\.grad_clip is 35; it must be a dict"),
    ],
)
def test_what_cannot_be_used_is_named(given: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_optional(Clipping, {"grad_clip": given}, "grad_clip")


def test_none_is_no_clipping() -> None:
    assert build_optional(Clipping, {"grad_clip": None}, "grad_clip") is None
