"""Each switch of an update against the same update written out with nothing but torch."""

import math
import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from ding_cls.common.seed import Stream, derive_seed
from ding_cls.data import Preprocessing
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from tests.conftest import TinyNet

LR, MOMENTUM, DECAY = 0.1, 0.9, 1e-2


class Normless(nn.Module):
    """Nothing couples its samples: pieces of a batch add up to the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.stem(images)).mean((2, 3)))


class Normed(Normless):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.stem(images))).mean((2, 3)))


def network(kind: type[nn.Module] = Normed) -> nn.Module:
    torch.manual_seed(1)
    return kind()


def build(model: nn.Module, **learn: Any) -> ImageClassificationPolicy:
    settings = {
        "learning_rate": LR,
        "lr_schedule": "constant",
        "warmup_epoch": 0,
        "momentum": MOMENTUM,
        "weight_decay": DECAY,
    }
    return ImageClassificationPolicy({"cuda": False, "learn": settings | learn}, model=model)


def batch(number: int, size: int = 8, *, weights: bool = False) -> Batch:
    draw = torch.Generator().manual_seed(number)
    return Batch(
        torch.randn(size, 3, 6, 6, generator=draw),
        torch.randint(4, (size,), generator=draw),
        torch.arange(size),
        torch.rand(size, generator=draw) + 0.1 if weights else None,
    )


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)


def copied(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in state.items()}


def assert_equal(found: nn.Module, expected: nn.Module | Mapping[str, torch.Tensor]) -> None:
    wanted = expected.state_dict() if isinstance(expected, nn.Module) else expected
    state = found.state_dict()
    assert list(state) == list(wanted)
    differing = [name for name in wanted if not torch.equal(state[name], wanted[name])]
    assert differing == []


def assert_near(found: nn.Module, expected: nn.Module, tolerance: float = 1e-6) -> None:
    for (name, left), right in zip(found.named_parameters(), expected.parameters(), strict=True):
        assert (left - right).abs().max().item() <= tolerance, name


# One update, each kind of arithmetic


@pytest.mark.parametrize("as_list", [False, True])
def test_updates_equal_torch_written_out(as_list: bool) -> None:
    policy, model = build(network()), network()
    optimizer = sgd(model)
    for step in range(4):
        each = batch(step)
        found = policy.learn_mode.forward([each.images, each.targets] if as_list else each)
        logits = model(each.images)
        loss = functional.cross_entropy(logits, each.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.equal(found["total_loss"], loss.detach())
        assert found["acc1"].item() == 12.5 * (logits.argmax(1) == each.targets).sum().item()
        assert found["cur_lr"] == LR
        assert_equal(policy._model, model)
    assert list(found) == policy.learn_mode.monitor_vars()


def test_bf16_equals_torch_autocast() -> None:
    policy, model = build(network(), precision="bf16"), network()
    optimizer = sgd(model)
    for step in range(3):
        each = batch(step)
        loss = policy.learn_mode.forward(each)["total_loss"]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(each.images)
        assert logits.dtype == torch.bfloat16
        expected = functional.cross_entropy(logits.float(), each.targets)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
        assert torch.equal(loss, expected.detach())
        assert_equal(policy._model, model)
    exact = build(network())
    exact.learn_mode.forward(batch(0))
    assert not torch.equal(exact._model.stem.weight, policy._model.stem.weight)


def test_fp16_equals_torchs_grad_scaler() -> None:
    policy, model = build(network(), precision="fp16"), network()
    optimizer, scaler = sgd(model), torch.amp.GradScaler("cpu")
    for step in range(3):
        each = batch(step)
        loss = policy.learn_mode.forward(each)["total_loss"]
        with torch.autocast("cpu", torch.float16):
            logits = model(each.images)
        expected = functional.cross_entropy(logits.float(), each.targets)
        optimizer.zero_grad()
        scaler.scale(expected).backward()
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(loss, expected.detach())
        assert_equal(policy._model, model)
    assert policy.learn_mode.state_dict()["scaler"] == scaler.state_dict()


def test_an_overflow_is_skipped_whole_and_its_scale_is_resumed() -> None:
    policy = build(network(), precision="fp16")
    policy.learn_mode.forward(batch(0))
    before, momentum = copied(policy._model.state_dict()), momentum_of(policy)
    wild = batch(1)
    wild.images[0, 0, 0, 0] = 1e6  # beyond 65504, the largest fp16 number
    assert not policy.learn_mode.forward(wild)["total_loss"].isfinite()
    assert_equal(policy._model, before)  # BatchNorm's statistics included
    assert momentum_of(policy) == momentum
    state = deepcopy(policy.learn_mode.state_dict())  # as a file would be
    assert state["scaler"]["scale"] == 2.0**15
    assert state["scaler"]["_growth_tracker"] == 0
    assert state["train_iter"] == 2

    other = build(network(), precision="fp16")
    other.learn_mode.load_state_dict(state)
    for mode in (policy.learn_mode, other.learn_mode):
        mode.forward(batch(2))
    assert_equal(other._model, policy._model)
    assert not torch.equal(policy._model.stem.weight, before["stem.weight"])
    assert other.learn_mode.state_dict()["scaler"] == policy.learn_mode.state_dict()["scaler"]
    assert other.learn_mode.state_dict()["scaler"]["scale"] == 2.0**15


def test_the_very_first_update_may_overflow() -> None:
    policy = build(network(), precision="fp16")
    before = copied(policy._model.state_dict())
    wild = batch(1)
    wild.images.fill_(1e6)
    policy.learn_mode.forward(wild)
    assert_equal(policy._model, before)
    assert policy.learn_mode.state_dict()["optimizer"]["state"] == {}


def momentum_of(policy: ImageClassificationPolicy) -> list[list[float]]:
    states = policy.learn_mode.state_dict()["optimizer"]["state"].values()
    return [each["momentum_buffer"].flatten().tolist() for each in states]


# Pieces, weights, smoothing, memory order


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("size", "pieces"), [(8, 2), (8, 4), (8, 3), (7, 2), (3, 8)])
def test_pieces_add_up_to_the_whole_batch(size: int, pieces: int, weights: bool) -> None:
    whole, split = build(network(Normless)), build(network(Normless), accumulation_steps=pieces)
    for step in range(3):
        each = batch(step, size, weights=weights)
        expected, found = whole.learn_mode.forward(each), split.learn_mode.forward(each)
        assert found["total_loss"].item() == pytest.approx(expected["total_loss"].item(), abs=1e-6)
        assert found["acc1"].item() == expected["acc1"].item()
        assert_near(split._model, whole._model)


def test_accumulation_really_computes_in_pieces() -> None:
    model, sizes = network(Normless), []
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    build(model, accumulation_steps=3).learn_mode.forward(batch(0))
    assert sizes == [3, 3, 2]


def test_label_smoothing_and_sample_weights_equal_the_formula() -> None:
    each, smoothing = batch(3, weights=True), 0.2
    policy = build(network(), label_smoothing=smoothing)
    # The log-softmax written out; 4 classes.
    logits = network()(each.images).detach().double()
    logs = logits - logits.exp().sum(1, keepdim=True).log()
    of_target = logs[torch.arange(8), each.targets]
    losses = -(1 - smoothing) * of_target - smoothing * logs.mean(1)
    assert each.weights is not None
    expected = (losses * each.weights.double()).sum() / each.weights.double().sum()
    assert policy.learn_mode.forward(each)["total_loss"].item() == pytest.approx(expected.item(), abs=1e-6)
    plain = build(network(), label_smoothing=smoothing)
    loss = plain.learn_mode.forward(batch(3))["total_loss"].item()
    assert loss == pytest.approx(losses.mean().item(), abs=1e-6)


def test_equal_weights_are_no_weights() -> None:
    each = batch(0)
    weighted = Batch(each.images, each.targets, each.sample_ids, torch.full((8,), 0.25))
    with_weights, without = build(network()), build(network())
    found = with_weights.learn_mode.forward(weighted)["total_loss"].item()
    assert found == pytest.approx(without.learn_mode.forward(each)["total_loss"].item(), abs=1e-6)
    assert_near(with_weights._model, without._model)


def test_channels_last_changes_the_order_in_memory_alone() -> None:
    policy, plain = build(network(), channels_last=True), build(network())
    seen = []
    policy._model.stem.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    assert policy._model.stem.weight.is_contiguous(memory_format=torch.channels_last)
    for step in range(3):
        found, expected = policy.learn_mode.forward(batch(step)), plain.learn_mode.forward(batch(step))
        assert found["total_loss"].item() == pytest.approx(expected["total_loss"].item(), abs=1e-5)
    assert_near(policy._model, plain._model, 1e-5)
    assert seen == [True] * 3
    assert torch.allclose(
        policy.eval_mode.forward(batch(9)), plain.eval_mode.forward(batch(9)), rtol=0, atol=1e-5
    )


# Randomness


def dropped(seed: int, train_iter: int, rank: int) -> float:
    """Return the loss of one update under dropout at a position."""
    policy = build(network(TinyNet))
    policy.learn_mode.set_attribute("seed", seed)
    policy._rank = rank
    policy._train_iter = train_iter
    return policy.learn_mode.forward(batch(0))["total_loss"].item()


def test_dropout_depends_on_seed_update_and_rank_alone() -> None:
    positions = [(seed, step, rank) for seed in (0, 1) for step in (0, 1, 2) for rank in (0, 1)]
    losses = []
    for number, position in enumerate(positions):
        torch.manual_seed(number)
        first = dropped(*position)
        torch.manual_seed(number + 1000)
        assert dropped(*position) == first
        losses.append(first)
    assert len(set(losses)) == len(positions) == 12


def test_dropout_is_torchs_own_under_the_derived_seed() -> None:
    model = network(TinyNet).train()
    torch.manual_seed(derive_seed(Stream.STEP, 7, 3, 1))
    expected = functional.cross_entropy(model(batch(0).images), batch(0).targets).item()
    assert dropped(7, 3, 1) == expected


def test_an_update_leaves_the_global_generators_as_they_were() -> None:
    policy = build(network(TinyNet))
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    policy.learn_mode.forward(batch(0))
    policy.eval_mode.forward(batch(0))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]


def test_an_update_that_fails_leaves_the_global_generator_as_it_was() -> None:
    policy, state = build(network(TinyNet)), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="channels"):
        policy.learn_mode.forward([torch.zeros(2, 5, 6, 6), torch.zeros(2, dtype=torch.int64)])
    assert torch.equal(torch.get_rng_state(), state)
    assert policy.learn_mode.state_dict()["train_iter"] == 0


# Learning rate


def rates(policy: ImageClassificationPolicy, count: int, *, step_every: int = 0) -> list[float]:
    found = []
    for number in range(1, count + 1):
        found.append(policy.learn_mode.forward(batch(0))["cur_lr"])
        assert policy._optimizer.param_groups[0]["lr"] == found[-1]
        if step_every and number % step_every == 0:
            policy.learn_mode.get_attribute("lr_scheduler").step()
    return found


def test_the_rate_follows_the_updates_where_the_epochs_length_is_told() -> None:
    warm = {"learning_rate": 0.5, "warmup_lr": 0.1, "warmup_epoch": 1}
    policy = build(network(), **warm, lr_schedule="step", decay_epoch=2, decay_rate=0.1)
    policy.learn_mode.set_attribute("updates_per_epoch", 4)
    expected = [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, *[0.05] * 8, 0.005]
    # step() only marks the epoch here.
    assert rates(policy, 17, step_every=4) == pytest.approx(expected, rel=1e-12)

    cosine = build(network(), **warm, lr_schedule="cosine", train_epoch=3, min_lr=0.1)
    cosine.learn_mode.set_attribute("updates_per_epoch", 2)
    expected = [0.1, 0.3, *(0.1 + 0.4 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)), 0.1]
    assert rates(cosine, 7) == pytest.approx(expected, rel=1e-12)


def test_the_rate_follows_the_calls_of_step_in_a_loop_that_is_not_ours() -> None:
    policy = build(
        network(),
        learning_rate=0.4,
        warmup_lr=0.2,
        warmup_epoch=2,
        lr_schedule="step",
        decay_epoch=3,
        decay_rate=0.5,
    )
    expected = [0.2] * 3 + [0.3] * 3 + [0.4] * 3 + [0.2] * 3
    assert rates(policy, 12, step_every=3) == pytest.approx(expected, rel=1e-12)
    other = build(network(), learning_rate=0.4, lr_schedule="step", decay_epoch=3, decay_rate=0.5)
    other.learn_mode.load_state_dict(policy.learn_mode.state_dict())
    assert rates(other, 1) == [0.2]


# Input


def test_pixels_without_anything_that_normalises_are_an_error() -> None:
    pixels = torch.randint(256, (4, 6, 6, 3), dtype=torch.uint8)
    raw = Batch(pixels, torch.tensor([0, 1, 2, 3]), torch.arange(4))
    policy, before = build(network()), network().state_dict()
    for forward in (policy.learn_mode.forward, policy.eval_mode.forward):
        with pytest.raises(
            ConfigError, match=r"uint8 images and nothing that normalises them; set.*prepare_batch"
        ):
            forward(raw)
    assert_equal(policy._model, before)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    prepare = Preprocessing(image_size=6, resize_size=6, mean=mean, std=std).prepare
    policy.eval_mode.set_attribute("prepare_batch", prepare)
    images = pixels.permute(0, 3, 1, 2).float() / 255
    normalised = (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    assert torch.allclose(policy.eval_mode.forward(raw), network().eval()(normalised), atol=1e-5)


def test_evaluation_has_no_gradient_and_changes_nothing() -> None:
    policy = build(network(TinyNet))
    policy.learn_mode.forward(batch(0))
    before = copied(policy._model.state_dict())
    first, second = policy.eval_mode.forward(batch(1)), policy.eval_mode.forward(batch(1).images)
    assert torch.equal(first, second)
    assert first.dtype == torch.float32
    assert not first.requires_grad
    assert_equal(policy._model, before)
    assert not policy._model.training
    policy.learn_mode.forward(batch(2))
    assert policy._model.training


# State


def test_a_state_of_another_network_leaves_everything_untouched() -> None:
    policy, other = build(network()), build(network(TinyNet))
    policy.learn_mode.forward(batch(0))
    before, momentum = copied(policy._model.state_dict()), momentum_of(policy)
    other.learn_mode.forward(batch(0))
    wrong = other.learn_mode.state_dict()
    wrong["model"]["head.weight"] = torch.zeros(5, 8)
    del wrong["model"]["norm.bias"]
    wrong["model"]["extra"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"does not fit this Normed: 3 keys differ") as caught:
        policy.learn_mode.load_state_dict(wrong)
    for words in ("head.weight", "norm.bias", "extra", "5", "4"):
        assert words in str(caught.value)
    assert_equal(policy._model, before)
    assert momentum_of(policy) == momentum
    assert policy.learn_mode.state_dict()["train_iter"] == 1


def test_state_goes_on_to_the_last_bit() -> None:
    policy = build(network(TinyNet))
    for step in range(3):
        policy.learn_mode.forward(batch(step))
    other = build(network(TinyNet))
    other.learn_mode.load_state_dict(deepcopy(policy.learn_mode.state_dict()))
    policy.learn_mode.set_attribute("seed", 4)
    other.learn_mode.set_attribute("seed", 4)
    for step in range(3, 6):
        losses = [each.learn_mode.forward(batch(step))["total_loss"].item() for each in (policy, other)]
        assert losses[0] == losses[1]
    assert_equal(other._model, policy._model)


def test_keys_of_a_wrapped_network_are_read() -> None:
    policy = build(network())
    state = {f"module.{name}": torch.ones_like(each) for name, each in network().state_dict().items()}
    policy.eval_mode.load_state_dict({"model": state})
    assert torch.equal(policy._model.stem.weight, torch.ones(8, 3, 3, 3))


def test_weights_alone_are_a_state_at_update_0() -> None:
    policy = build(network())
    policy.learn_mode.load_state_dict({"model": network(Normed).state_dict()})
    assert policy.learn_mode.state_dict()["train_iter"] == 0


def test_changed_settings_of_the_optimizer_hold_after_a_load() -> None:
    policy = build(network())
    policy.learn_mode.forward(batch(0))
    changed = build(network(), momentum=0.5, weight_decay=0.0, nesterov=True)
    changed.learn_mode.load_state_dict(policy.learn_mode.state_dict())
    (group,) = changed._optimizer.param_groups
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.5, 0.0, True)
    assert momentum_of(changed) == momentum_of(policy)


# The device


class NoReads(TorchDispatchMode):
    """Counts the reads of a tensor's value by the host."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("precision", "reads"), [("fp32", 0), ("bf16", 0), ("fp16", 0)])
def test_an_update_reads_no_tensor(precision: str, reads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = build(
        network(TinyNet), precision=precision, accumulation_steps=2, label_smoothing=0.1, channels_last=True
    )
    policy.learn_mode.forward(batch(0, weights=True))
    each = batch(1, weights=True)
    for name in ("tolist", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, refused)
    with NoReads() as host:
        found = policy.learn_mode.forward(each)
    assert host.count == reads
    assert isinstance(found["total_loss"], torch.Tensor)
    with host:
        float(found["total_loss"])
    assert host.count == reads + 1, "the counter does not count"


def refused(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("an update read a tensor")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_update_never_waits_for_the_device(precision: str) -> None:
    policy = ImageClassificationPolicy(
        {"cuda": True, "learn": {"precision": precision, "accumulation_steps": 2, "warmup_epoch": 0}},
        model=network(TinyNet),
    )
    batches = [batch(number).pin_memory() for number in range(4)]
    policy.learn_mode.forward(batches[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = [policy.learn_mode.forward(each) for each in batches[1:]]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(each["total_loss"].isfinite().item() for each in found)
    assert all(float(each["forward_time"]) > 0 for each in found)


@pytest.mark.gpu
def test_a_gpu_computes_what_the_cpu_does() -> None:
    on_cpu = build(network())
    on_gpu = ImageClassificationPolicy({**on_cpu._cfg, "cuda": True}, model=network())
    torch.backends.cudnn.allow_tf32 = False
    for step in range(3):
        losses = [each.learn_mode.forward(batch(step))["total_loss"].item() for each in (on_cpu, on_gpu)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert_near(on_gpu._model.cpu(), on_cpu._model, 1e-4)
