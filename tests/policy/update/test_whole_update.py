"""All switches of an update together, against one loop written out with nothing but torch."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from tests.policy.test_classification import DECAY, LR, MOMENTUM, assert_near, batch, network, sgd

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
UPDATES, FREED_AFTER = 5, 2
MAX_NORM, EMA_DECAY, RHO = 0.05, 0.75, 0.3
FROZEN = ("stem", "norm")


class ByHand:
    """Forward and backward of each piece, once more at perturbed weights, unscale, clip, step, average."""

    def __init__(self, device: str, precision: str, *, pieces: int, is_sharp: bool) -> None:
        self.model = network().to(device)
        self.average = network().to(device)
        self.optimizer = sgd(self.model)
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")
        self.device, self.dtype = device, DTYPES[precision]
        self.pieces, self.is_sharp = pieces, is_sharp
        self.norm = torch.zeros(())

    def update(self, number: int, images: torch.Tensor, targets: torch.Tensor) -> None:
        self._freeze(number < FREED_AFTER)
        self.optimizer.zero_grad()
        self._passes(images, targets)
        if self.is_sharp:
            self._passes_uphill(images, targets)
        self.scaler.unscale_(self.optimizer)
        self.norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._average()

    def _freeze(self, is_frozen: bool) -> None:
        self.model.train()
        for name in FROZEN:
            part = self.model.get_submodule(name)
            part.requires_grad_(not is_frozen).train(not is_frozen)

    def _passes(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        size = -(-len(images) // self.pieces)
        for begin in range(0, len(images), size):
            wanted = targets[begin : begin + size]
            with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
                logits = self.model(images[begin : begin + size])
            loss = functional.cross_entropy(logits.float(), wanted) * (len(wanted) / len(images))
            self.scaler.scale(loss).backward()

    def _passes_uphill(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        trained = [each for each in self.model.parameters() if each.grad is not None]
        before = [each.detach().clone() for each in trained]
        statistics = [each.clone() for each in self.model.buffers()]
        norm = torch.cat([each.grad.flatten() for each in trained]).norm()
        with torch.no_grad():
            for each in trained:
                each += RHO * each.grad / norm
        self.optimizer.zero_grad()
        self._passes(images, targets)
        with torch.no_grad():
            for each, value in zip(trained, before, strict=True):
                each.copy_(value)
            for each, value in zip(self.model.buffers(), statistics, strict=True):
                each.copy_(value)

    @torch.no_grad()
    def _average(self) -> None:
        for name, value in self.average.state_dict().items():
            newest = self.model.state_dict()[name]
            mean = EMA_DECAY * value + (1 - EMA_DECAY) * newest
            value.copy_(mean if value.is_floating_point() else newest)


def policy_of(device: str, precision: str, *, pieces: int, is_sharp: bool) -> ImageClassificationPolicy:
    learn: dict[str, Any] = {
        "learning_rate": LR,
        "lr_schedule": "constant",
        "warmup_epoch": 0,
        "momentum": MOMENTUM,
        "weight_decay": DECAY,
        "precision": precision,
        "accumulation_steps": pieces,
        "grad_clip": {"max_norm": MAX_NORM},
        "ema": {"decay": EMA_DECAY, "warm_up": 0},
        "freeze": {"patterns": list(FROZEN), "until_epoch": 1},
        "sam": {"rho": RHO} if is_sharp else None,
    }
    policy = ImageClassificationPolicy({"cuda": device == "cuda", "learn": learn}, model=network())
    policy.learn_mode.set_attribute("updates_per_epoch", FREED_AFTER)
    return policy


@pytest.mark.parametrize("is_sharp", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_clip_pieces_precision_freezing_average_and_sharpness_together(
    device: str, precision: str, pieces: int, is_sharp: bool
) -> None:
    policy = policy_of(device, precision, pieces=pieces, is_sharp=is_sharp)
    hand = ByHand(device, precision, pieces=pieces, is_sharp=is_sharp)
    begin = {name: value.clone() for name, value in hand.model.state_dict().items()}
    # Without a perturbed step every sum has one order; a direction is free of the scale but for a rounding.
    tolerance = 0.0 if device == "cpu" and not is_sharp else 1e-6 if precision == "fp32" else 2e-3
    clipped = 0
    for number in range(UPDATES):
        each: Batch = batch(number)
        found = policy.learn_mode.forward(each)
        hand.update(number, each.images.to(device), each.targets.to(device))
        assert_near(policy._model, hand.model, tolerance)
        average = policy.learn_mode.get_attribute("eval_model")
        assert_near(average, hand.average, max(tolerance, 1e-6))
        for ours, expected in zip(policy._model.buffers(), hand.model.buffers(), strict=True):
            torch.testing.assert_close(ours, expected)
        assert found["grad_norm"].item() == pytest.approx(hand.norm.item(), rel=1e-5 + 20 * tolerance)
        clipped += hand.norm.item() > MAX_NORM
        if number < FREED_AFTER:
            frozen = {name: value for name, value in begin.items() if name.startswith(FROZEN)}
            assert len(frozen) == 7
            assert all(torch.equal(policy._model.state_dict()[name], value) for name, value in frozen.items())
    assert clipped == UPDATES
    assert not torch.equal(policy._model.stem.weight, begin["stem.weight"])
    assert policy.learn_mode.state_dict()["scaler"] == hand.scaler.state_dict()
