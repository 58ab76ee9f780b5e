"""An update that is not finite leaves no trace, whoever decides it: the host or the device."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ding_cls.distributed import get_rank
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.update.finite import FiniteUpdates
from ding_cls.types import Batch
from tests.distributed.ranks import run_ranks
from tests.policy.test_classification import NoReads, Normed, build, network

STEPS = 2
# What goes on: the position, and fp16's search for a scale.
MOVING = ("train_iter", "lr_scheduler", "scaler")


class Breaking(torch.autograd.Function):
    """Is the identity, with infinite gradients."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * float("inf")


class Jump(nn.Module):
    """A loss that is infinite while ``is_wild``, with the gradients of a finite one."""

    is_wild = False

    def forward(self, logits: Tensor, targets: Tensor, **kwargs: Any) -> Tensor:
        loss = nn.functional.cross_entropy(logits, targets)
        return loss + (float("inf") if self.is_wild else 0.0)


def batch(step: int, *, is_bad: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(8, 3, 6, 6, generator=generator)
    if is_bad:
        images[5] = float("nan")
    return Batch(images, torch.arange(8) % 4, torch.arange(8))


def state_of(policy: ImageClassificationPolicy) -> dict[str, Any]:
    return deepcopy({k: v for k, v in policy.learn_mode.state_dict().items() if k not in MOVING})


def assert_same(left: Any, right: Any, where: str = "state") -> None:
    if isinstance(left, Mapping):
        assert left.keys() == right.keys(), where
        for name in left:
            assert_same(left[name], right[name], f"{where}.{name}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for number, pair in enumerate(zip(left, right, strict=True)):
            assert_same(*pair, f"{where}.{number}")
    elif isinstance(left, Tensor):
        assert torch.equal(left, right), where
    else:
        assert left == right, where


def prepared(on_device: bool = False, **learn: Any) -> ImageClassificationPolicy:
    policy = build(network(Normed), **learn)
    policy.learn_mode.set_attribute("updates_per_epoch", 1)
    if on_device:
        modules = [policy._model, *policy._loss.modules()]
        policy._finite = FiniteUpdates(
            policy._optimizer, policy._scaler, modules, torch.device("cpu"), on_device=True
        )
        assert policy._finite._is_on_device
    return policy


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "accumulation": {"accumulation_steps": 3},
    "norm": {"grad_clip": {"max_norm": 0.1}},
    "value": {"grad_clip": {"clip_value": 0.01}},
    "ema": {"ema": {"decay": 0.5}},
    "swa": {"swa": {"start_epoch": 0}},
    "sam": {"sam": {"rho": 0.1}},
    "frozen": {"freeze": {"patterns": ["stem*"]}},
    "seesaw": {"loss": {"type": "SeesawLoss", "num_classes": 4}},
    "adam": {"optimizer": {"type": "Adam"}},
    "adamw, ema, fp16": {"optimizer": {"type": "AdamW"}, "ema": {"decay": 0.5}, "precision": "fp16"},
    "everything": {
        "accumulation_steps": 2,
        "ema": {"decay": 0.9, "warm_up": 0},
        "sam": {"rho": 0.1},
        "grad_clip": {"max_norm": 1.0},
        "precision": "bf16",
    },
}
OTHERS: dict[str, dict[str, Any]] = {
    "rmsprop": {"optimizer": {"type": "RMSprop"}},
    "dampened": {"optimizer": {"type": "SGD", "dampening": 0.5}},
    "no momentum": {"momentum": 0.0},
}


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("steps", [0, STEPS])
def test_a_bad_update_leaves_no_trace(name: str, on_device: bool, steps: int) -> None:
    policy, twin = (prepared(on_device, **SETTINGS[name]) for _ in range(2))
    for step in range(steps):
        for each in (policy, twin):
            each.learn_mode.forward(batch(step))
    before = state_of(policy)
    found = policy.learn_mode.forward(batch(9, is_bad=True))
    assert not found["total_loss"].isfinite(), "the fault did not happen"
    verdict = policy.learn_mode.get_attribute("verdict")
    assert verdict.read()[0]
    after = state_of(policy)
    if on_device and steps == 0:
        # A momentum that begins at zero is there already.
        before.pop("optimizer"), after.pop("optimizer")
    assert_same(after, before)
    assert policy.learn_mode.state_dict()["train_iter"] == steps + 1
    twin._train_iter += 1
    for each in (policy, twin):
        each._scaler.load_state_dict(twin._scaler.state_dict())
        assert each.learn_mode.forward(batch(steps))["total_loss"].isfinite()
    assert_same(state_of(policy), state_of(twin))
    assert not torch.equal(policy._model.head.weight, before["model"]["head.weight"])


@pytest.mark.parametrize("name", OTHERS)
def test_other_optimizers_are_left_alone_too(name: str) -> None:
    policy = prepared(**OTHERS[name])
    policy.learn_mode.forward(batch(0))
    before = state_of(policy)
    assert not policy.learn_mode.forward(batch(9, is_bad=True))["total_loss"].isfinite()
    assert_same(state_of(policy), before)


@pytest.mark.parametrize("name", ["rmsprop", "dampened"])
def test_the_host_decides_where_no_kernel_takes_a_flag(name: str) -> None:
    policy = build(network(Normed), **OTHERS[name])
    finite = FiniteUpdates(policy._optimizer, policy._scaler, [], torch.device("cpu"), on_device=True)
    assert not finite._is_on_device


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("name", ["plain", "adam", "ema", "norm"])
def test_where_the_device_decides_the_host_reads_nothing(name: str, precision: str) -> None:
    policy = prepared(True, **SETTINGS[name] | {"precision": precision})
    policy._finite._memory = None
    policy.learn_mode.forward(batch(0))
    with NoReads() as host:
        for number, is_bad in enumerate((False, True, False), 1):
            policy.learn_mode.forward(batch(number, is_bad=is_bad))
    assert host.count == 0
    assert policy.learn_mode.get_attribute("verdict").read() == (False, False)


def test_an_average_counts_what_was_added() -> None:
    for on_device in (False, True):
        policy = prepared(on_device, **SETTINGS["ema"])
        for number, is_bad in enumerate((False, True, False, True)):
            policy.learn_mode.forward(batch(number, is_bad=is_bad))
        assert policy.learn_mode.state_dict()["averaged"]["num_averaged"] == 2


def test_infinite_gradients_of_a_finite_loss() -> None:
    policy = prepared()
    policy.learn_mode.forward(batch(0))
    before = state_of(policy)
    handle = policy._model.head.register_forward_hook(lambda *args: Breaking.apply(args[2]))
    assert policy.learn_mode.forward(batch(1))["total_loss"].isfinite()
    handle.remove()
    assert_same(state_of(policy), before)


def test_an_infinite_loss_with_finite_gradients() -> None:
    policy = prepared()
    policy._loss.module = Jump()
    policy.learn_mode.forward(batch(0))
    before = state_of(policy)
    policy._loss.module.is_wild = True
    policy.learn_mode.forward(batch(1))
    assert policy._model.head.weight.grad.isfinite().all(), "the fault is another"
    assert_same(state_of(policy), before)


def test_statistics_that_overflow_while_the_loss_stays_finite() -> None:
    policy = prepared()
    policy.learn_mode.forward(batch(0))
    before = state_of(policy)
    wild = batch(1)
    wild.images[:] *= 1e25  # BatchNorm divides it out again, and its variance is beyond fp32
    policy.learn_mode.forward(wild)
    assert_same(state_of(policy), before)


def test_a_gradient_whose_norm_overflows_is_not_clipped_to_nothing() -> None:
    policy = prepared(grad_clip={"max_norm": 1.0})
    policy.learn_mode.forward(batch(0))
    before = state_of(policy)
    policy._model.head.weight.register_hook(lambda grad: grad * 1e30)
    assert not policy.learn_mode.forward(batch(1))["grad_norm"].isfinite()
    assert policy._model.head.weight.grad.isfinite().all(), "the fault is another"
    assert_same(state_of(policy), before)


def test_weights_that_a_step_made_infinite_are_found_by_the_next() -> None:
    policy = prepared()
    policy.learn_mode.forward(batch(0))
    with torch.no_grad():
        policy._model.stem.bias[0] = -float("inf")  # BatchNorm and ReLU need not show it
    policy.learn_mode.forward(batch(1))
    assert policy.learn_mode.get_attribute("verdict").read() == (True, True)


def test_a_mask_of_infinities_is_no_fault() -> None:
    model = network(Normed)
    model.register_buffer("mask", torch.full((3,), -float("inf")))
    policy = build(model)
    policy.learn_mode.forward(batch(0))
    assert policy.learn_mode.get_attribute("verdict").read() == (False, False)
    assert policy.learn_mode.get_attribute("masks") == {"mask"}


def test_fp16_counts_where_a_smaller_scale_is_no_way_out() -> None:
    policy = build(network(Normed), precision="fp16", loss_scale={"init_scale": 4.0})
    counted = []
    for number in range(5):
        policy.learn_mode.forward(batch(number, is_bad=True))
        counted.append(policy.learn_mode.get_attribute("verdict").read())
    assert counted == [(True, False)] * 2 + [(True, True)] * 3  # 4, 2, then 1 and less
    constant = build(network(Normed), precision="fp16", loss_scale=512.0)
    constant.learn_mode.forward(batch(0, is_bad=True))
    assert constant.learn_mode.get_attribute("verdict").read() == (True, True)


def test_a_verdict_is_taken_once() -> None:
    policy = prepared()
    assert policy.learn_mode.get_attribute("verdict") is None
    policy.learn_mode.forward(batch(0))
    assert policy.learn_mode.get_attribute("verdict") is not None
    assert policy.learn_mode.get_attribute("verdict") is None


def test_an_adam_saved_elsewhere_goes_on_where_the_device_decides() -> None:
    before = prepared(optimizer={"type": "Adam"})
    before.learn_mode.forward(batch(0))
    state = deepcopy(before.learn_mode.state_dict())
    after = prepared(True, optimizer={"type": "Adam"})
    after.learn_mode.load_state_dict(state)
    assert after.learn_mode.forward(batch(1))["total_loss"].isfinite()
    assert_same(state_of(after)["optimizer"]["state"][0]["step"], torch.tensor(2.0))


def looked_at(kind: str) -> list[Any]:
    """Return what each rank's verdict is, and whether its state stayed, where rank 1 alone is at fault."""
    policy = build(network(Normed), accumulation_steps=2, ema={"decay": 0.5})
    policy.learn_mode.set_attribute("updates_per_epoch", 1)
    loss = policy._loss.module = Jump()
    rank = get_rank()
    for step in range(STEPS):
        policy.learn_mode.forward(batch(10 * rank + step))
    before = state_of(policy)
    wild = batch(50 + rank, is_bad=kind == "image" and rank == 1)
    if kind == "statistics" and rank == 1:
        wild.images[:] *= 1e25
    loss.is_wild = kind == "loss" and rank == 1
    found = policy.learn_mode.forward(wild)["total_loss"]
    assert_same(state_of(policy), before)
    verdict = policy.learn_mode.get_attribute("verdict").read()
    loss.is_wild = False
    policy.learn_mode.forward(batch(60 + rank))
    return [bool(found.isfinite()), verdict, policy._model.head.weight.tolist()]


@pytest.mark.dist
@pytest.mark.parametrize("kind", ["image", "loss", "statistics"])
def test_all_ranks_decide_alike(kind: str) -> None:
    first, second = run_ranks(looked_at, 2, kind)
    assert first[0], "rank 0 is at fault too"
    assert second[0] == (kind == "statistics")
    assert first[1] == second[1] == (True, True)
    assert first[2] == second[2]
    assert torch.tensor(first[2]).isfinite().all()


def test_the_look_changes_no_bit() -> None:
    look: Callable[..., Any] = torch._amp_foreach_non_finite_check_and_unscale_
    values = [torch.tensor([-0.0, 1e-45, 3e38, 1 / 3])]
    values += [values[0].to(each) for each in (torch.float64, torch.bfloat16)]
    values += [torch.tensor([6e-8, 65504.0], dtype=torch.float16), torch.randn(3, 4).T, torch.empty(0)]
    found, one = torch.zeros(()), torch.ones(())
    before = [each.clone() for each in values]
    values[1][2] = before[1][2] = 1e300
    look(values, found, one)
    assert found == 0
    for each, value in zip(before, values, strict=True):
        assert torch.equal(each, value)
        assert torch.equal(each.signbit(), value.signbit())
    for wild in (float("nan"), float("inf"), -float("inf")):
        for position in range(4):
            found.zero_()
            wilds = [each.clone() for each in values]
            wilds[position].view(-1)[-1:] = wild
            look(wilds, found, one)
            assert found == 1
            assert not torch.add(one, torch.tensor(wild), alpha=0).isfinite()
