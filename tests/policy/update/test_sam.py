"""Sharpness-aware minimization against the algorithm written out."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import SeesawLoss, build_loss
from ding_cls.policy.update.sam import Sharpness
from tests.policy.test_classification import (
    NoReads,
    Normless,
    assert_equal,
    assert_near,
    batch,
    build,
    momentum_of,
    network,
    sgd,
)


def written_out(
    model: nn.Module, optimizer: torch.optim.Optimizer, each: Any, rho: float, adaptive: bool
) -> None:
    """Do one update as in algorithm 1; BatchNorm's statistics are those of the first pass."""
    optimizer.zero_grad()
    functional.cross_entropy(model(each.images), each.targets).backward()
    statistics = [buffer.clone() for buffer in model.buffers()]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    sizes = [parameter.detach().abs() if adaptive else torch.ones_like(parameter) for parameter in before]
    gradients = [p.grad * size for p, size in zip(model.parameters(), sizes, strict=True)]
    norm = torch.cat([each.flatten() for each in gradients]).norm()
    with torch.no_grad():
        for parameter, gradient, size in zip(model.parameters(), gradients, sizes, strict=True):
            parameter.add_(rho * size * gradient / norm)
    optimizer.zero_grad()
    functional.cross_entropy(model(each.images), each.targets).backward()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), before, strict=True):
            parameter.copy_(value)
        for buffer, value in zip(model.buffers(), statistics, strict=True):
            buffer.copy_(value)
    optimizer.step()


@pytest.mark.parametrize("adaptive", [False, True])
def test_an_update_is_the_algorithms(adaptive: bool) -> None:
    policy, model = build(network(), sam={"rho": 0.5, "adaptive": adaptive}), network()
    plain, optimizer = build(network()), sgd(model)
    for step in range(3):
        found = policy.learn_mode.forward(batch(step))
        loss = plain.learn_mode.forward(batch(step))["total_loss"]
        if step == 0:
            # What is shown is the loss at the weights, not the perturbed ones.
            assert torch.equal(found["total_loss"], loss)
        written_out(model, optimizer, batch(step), 0.5, adaptive)
        assert_near(policy._model, model)
        for ours, expected in zip(policy._model.buffers(), model.buffers(), strict=True):
            torch.testing.assert_close(ours, expected)
    assert not torch.allclose(plain._model.stem.weight, model.stem.weight, atol=1e-4)


def seesaw_written_out(model: nn.Module, loss: nn.Module, pieces: list[Any], total: int) -> None:
    for piece in pieces:
        (loss(model(piece.images), piece.targets) * (len(piece) / total)).backward()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("is_in_head", [False, True])
def test_a_loss_that_counts_counts_each_sample_once(is_in_head: bool, pieces: int, precision: str) -> None:
    described = {"type": "SeesawLoss", "num_classes": 4}
    learn = {"sam": {"rho": 0.5}, "accumulation_steps": pieces, "precision": precision}
    model, loss = network(), SeesawLoss(num_classes=4)
    if is_in_head:
        policy = build(WithLoss(network(), build_loss(described)), **learn)
    else:
        policy = build(network(), loss=described, **learn)
    ours = policy._model.inner if is_in_head else policy._model
    counter = policy._model.loss if is_in_head else policy._loss.module
    optimizer, counts = sgd(model), torch.zeros(4, dtype=torch.int64)
    for step in range(3):
        each = batch(step)
        policy.learn_mode.forward(each)
        counts += each.targets.bincount(minlength=4)
        assert torch.equal(counter.cum_samples, counts)
        parts = each.split(pieces)
        optimizer.zero_grad()
        before_counts = loss.cum_samples.clone()
        seesaw_written_out(model, loss, parts, len(each))
        statistics = [buffer.clone() for buffer in model.buffers()]
        kept = [parameter.detach().clone() for parameter in model.parameters()]
        gradients = [parameter.grad for parameter in model.parameters()]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.add_(0.5 * gradient / norm)
        optimizer.zero_grad()
        # Uphill each piece meets the counts that it met at the weights.
        loss.cum_samples.copy_(before_counts)
        seesaw_written_out(model, loss, parts, len(each))
        with torch.no_grad():
            for tensors, values in ((model.parameters(), kept), (model.buffers(), statistics)):
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value)
        optimizer.step()
        assert torch.equal(loss.cum_samples, counts)
        assert_near(ours, model, 1e-6 if precision == "fp32" else 3e-3)


class WithLoss(nn.Module):
    """A network that brings its loss."""

    computes_loss = True

    def __init__(self, inner: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.inner, self.loss = inner, loss

    def forward(self, images: torch.Tensor, targets: torch.Tensor | None = None) -> Any:
        logits = self.inner(images)
        return logits if targets is None else (logits, {"loss": self.loss(logits.float(), targets)})


def test_pieces_go_uphill_by_the_whole_batchs_gradient() -> None:
    whole = build(network(Normless), sam={"rho": 0.5})
    split = build(network(Normless), sam={"rho": 0.5}, accumulation_steps=3)
    for step in range(3):
        whole.learn_mode.forward(batch(step))
        split.learn_mode.forward(batch(step))
    assert_near(split._model, whole._model)


def test_fp16s_scale_does_not_change_the_way_up() -> None:
    policies = [build(network(), sam={"rho": 0.5}, precision="fp16") for _ in range(2)]
    policies[1]._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for policy in policies:
        policy.learn_mode.forward(batch(0))
    assert_near(policies[0]._model, policies[1]._model, 1e-3)


def test_an_overflow_leaves_everything_as_it_was() -> None:
    policy = build(network(), sam={}, precision="fp16")
    policy.learn_mode.forward(batch(0))
    before = {name: value.clone() for name, value in policy._model.state_dict().items()}
    momentum = momentum_of(policy)
    wild = batch(1)
    wild.images[0, 0, 0, 0] = 1e6
    policy.learn_mode.forward(wild)
    assert_equal(policy._model, before)
    assert momentum_of(policy) == momentum


def test_without_a_gradient_there_is_no_way_up() -> None:
    layer = nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    with Sharpness().perturbed_weights(layer):
        assert torch.equal(layer.weight, before)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    with Sharpness(rho=0.5).perturbed_weights(layer):
        torch.testing.assert_close(layer.weight, before + torch.tensor([[0.3, 0.4]]))
        assert layer.weight.grad is None
    assert torch.equal(layer.weight, before)


def test_rho_is_greater_than_0() -> None:
    with pytest.raises(ConfigError, match=r"policy\.learn\.sam\.rho is 0; it must be greater than 0"):
        build(network(), sam={"rho": 0})


@pytest.mark.parametrize(
    "options",
    [
        {"grad_clip": {"max_norm": 0.1}},
        {"grad_clip": {"clip_value": 0.1}},
        {"ema": {}},
        {"sam": {}},
        {"sam": {"adaptive": True}, "ema": {}, "grad_clip": {"max_norm": 0.1}, "precision": "bf16"},
        {"momentum_schedule": {"type": "OneCycle"}, "weight_decay_schedule": {"type": "Step", "step": 1}},
        {"optimizer": {"type": "ScheduleFreeSGD"}},
    ],
    ids=str,
)
def test_an_update_reads_no_tensor(options: dict[str, Any]) -> None:
    if "optimizer" in options:
        pytest.importorskip("pytorch_optimizer")
    policy = build(network(), accumulation_steps=2, **options)
    policy.learn_mode.forward(batch(0))
    with NoReads() as host:
        policy.learn_mode.forward(batch(1))
    assert host.count == 0
