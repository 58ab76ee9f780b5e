"""The weights that are evaluated where they are not those being trained: averages over the updates.

An average has its own copy of the network. Training never sees it: a run with one trains as a run without.
"""

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ding_cls.errors import ConfigError
from ding_cls.models import AVERAGED, TRAINING
from ding_cls.policy.modes import Verdict
from ding_cls.policy.settings import build_optional
from ding_cls.types import RAW

_LOGGER = logging.getLogger(__name__)
ExtraEvaluations = Mapping[str, Callable[[], AbstractContextManager[None]]]
_CHOICES = ("ema", "raw", "both")


class EvaluatedWeights(Protocol):
    """What is evaluated."""

    def update(self, train_iter: int, updates_per_epoch: int | None, verdict: Verdict | None = None) -> None:
        """Take notice of an update; ``train_iter`` are finished with it. A skipped one adds nothing."""

    def network(self) -> nn.Module:
        """Return the network to evaluate now; its weights belong to this object."""

    def copies(self) -> list[nn.Module]:
        """Return the networks that there are beside the one in training."""

    def others(self) -> ExtraEvaluations:
        """Return what is evaluated too, by the prefix of its results: inside the context ``network`` returns
        that."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Rule(Protocol):
    """The share of the newest weights in an average, in [0, 1]; None where they are not to be added now.

    Its arguments are the number of updates finished, how many weights were added before, and the number of
    updates in an epoch where that is known.
    """

    def __call__(self, train_iter: int, num_averaged: int, updates_per_epoch: int | None) -> float | None: ...


class LastWeights:
    """No average: the network in training is evaluated."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def update(self, train_iter: int, updates_per_epoch: int | None, verdict: Verdict | None = None) -> None:
        """Do nothing."""

    def network(self) -> nn.Module:
        """Return the network in training."""
        return self._model

    def copies(self) -> list[nn.Module]:
        """Return none."""
        return []

    def others(self) -> ExtraEvaluations:
        """Return nothing."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ema:
    """The exponential moving average: ``decay`` of the old and ``1 - decay`` of the newest weights.

    Attributes:
        decay: share of the old weights each time; 0.9998 where ``momentum`` is missing too.
        momentum: ``1 - decay``, mmcv's way to say it; only one of them can be given.
        warm_up: for the ``n``-th time, from 0, the decay is ``(1 + n) / (warm_up + n)`` where that is less:
            an average of a few updates is not held up by the weights it began with. 0: ``decay`` always.
        interval: updates from one time to the next.
        evaluate: what is evaluated: 'ema', the average; 'raw', the weights in training: the average is kept
            in the checkpoint alone; 'both': results of the weights in training have the prefix ``raw_``, and
            those of the average decide which is best and what a checkpoint is loaded for.

    Raises:
        ConfigError: a value outside its range, or both decay and momentum.

    Source: ``tf.train.ExponentialMovingAverage(num_updates=)``, with its 10 for ``warm_up``. mmcv's EMAHook
    has the same arguments; its warm-up takes the smaller *momentum* and so has no effect, its power
    ``momentum ** interval`` freezes the average: neither is repeated.
    """

    decay: float | None = None
    momentum: float | None = None
    warm_up: int = 100
    interval: int = 1
    evaluate: str = "ema"

    def __post_init__(self) -> None:
        if self.decay is not None and self.momentum is not None:
            raise ConfigError(
                f"policy.learn.ema has decay={self.decay} and momentum={self.momentum}, which is 1 - decay; "
                "keep one of them"
            )
        _check(self.decay is None or 0 <= self.decay < 1, "ema.decay", self.decay, "at least 0, less than 1")
        _check(0 < self.share <= 1, "ema.momentum", self.momentum, "greater than 0, 1 at most")
        _check(self.warm_up >= 0, "ema.warm_up", self.warm_up, "0 or more")
        _check(
            isinstance(self.interval, int) and self.interval >= 1, "ema.interval", self.interval, "1 or more"
        )
        _check(self.evaluate in _CHOICES, "ema.evaluate", self.evaluate, "'ema', 'raw' or 'both'")

    @property
    def share(self) -> float:
        """The share of the newest weights after warm-up."""
        if self.decay is not None:
            return 1 - self.decay
        return 0.0002 if self.momentum is None else self.momentum

    def __call__(self, train_iter: int, num_averaged: int, updates_per_epoch: int | None) -> float | None:
        if train_iter % self.interval:
            return None
        return max(self.share, (self.warm_up - 1) / max(self.warm_up + num_averaged, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Swa:
    """Stochastic weight averaging: the equal mean of the weights at the ends of the last epochs.

    Before the first of these ends the network in training is evaluated. The learning rate of those epochs is
    ``optim.SwaAnnealing``'s.

    Attributes:
        start_epoch: the first epoch, from 0, whose end counts.
        lr: constant learning rate of these epochs; None: the schedule goes on.
        anneal_epochs: epochs on the way to it.
        anneal_strategy: the way there, 'cos' or 'linear'.

    Source: Averaging Weights Leads to Wider Optima and Better Generalization, Izmailov et al. 2018, algorithm
    1 (arXiv:1803.05407); as ``torch.optim.swa_utils.AveragedModel(use_buffers=True)``. BatchNorm's statistics
    are averaged too; ``policy.learn.precise_bn`` computes them anew, as the paper does.
    """

    start_epoch: int
    lr: float | None = None
    anneal_epochs: int = 10
    anneal_strategy: str = "cos"

    def __post_init__(self) -> None:
        _check(self.start_epoch >= 0, "swa.start_epoch", self.start_epoch, "0 or more")
        _check(self.anneal_epochs >= 0, "swa.anneal_epochs", self.anneal_epochs, "0 or more")
        _check(self.lr is None or self.lr > 0, "swa.lr", self.lr, "greater than 0")

    def __call__(self, train_iter: int, num_averaged: int, updates_per_epoch: int | None) -> float | None:
        if updates_per_epoch is None:
            raise ConfigError(
                "policy.learn.swa counts epochs, and nobody told their length: "
                "policy.learn_mode.set_attribute('updates_per_epoch', len(loader))"
            )
        epochs, rest = divmod(train_iter, updates_per_epoch)
        return None if rest or epochs <= self.start_epoch else 1 / (num_averaged + 1)


class WeightAverage:
    """An average of a network's weights by a rule, on their device.

    Buffers of floats, as BatchNorm's statistics, are averaged like weights; others, as its counter, are
    copied.

    Args:
        model: the network in training; the average begins with its weights.
        rule: which share the newest weights have.
        evaluate: as in ``Ema``.
    """

    def __init__(self, model: nn.Module, rule: Rule, evaluate: str = "ema") -> None:
        self._model = model
        self._rule = rule
        self._name = type(rule).__name__.lower()
        self._evaluate = evaluate
        self._is_evaluated = evaluate != "raw"
        self._copy = copy.deepcopy(model).eval().requires_grad_(False)
        self._num_averaged = 0
        self._late: Verdict | None = None

    @torch.no_grad()
    def update(self, train_iter: int, updates_per_epoch: int | None, verdict: Verdict | None = None) -> None:
        """Add the weights after an update, where that is due."""
        self._settle()
        share = self._rule(train_iter, self._num_averaged, updates_per_epoch)
        flag = None if verdict is None else verdict.flag
        if share is None or (verdict is not None and flag is None and verdict.read()[0]):
            return
        averages, newest = [], []
        for average, value in zip(_tensors(self._copy), _tensors(self._model), strict=True):
            if average.is_floating_point():
                averages.append(average)
                newest.append(value.detach())
            else:
                average.copy_(value if flag is None else torch.where(flag > 0, average, value))
        if flag is None:
            torch._foreach_lerp_(averages, newest, share)
        else:
            self._late = verdict
            steps = torch._foreach_sub(newest, averages)
            torch._foreach_mul_(steps, (1 - flag) * share)
            torch._foreach_add_(averages, steps)
        self._num_averaged += 1

    def _settle(self) -> None:
        """Take back the count of an update that the device had skipped."""
        if self._late is not None:
            self._num_averaged -= self._late.read()[0]
            self._late = None

    def network(self) -> nn.Module:
        """Return the average; the network in training before anything was averaged, or where the average is
        not to be evaluated."""
        self._settle()
        return self._copy if self._num_averaged and self._is_evaluated else self._model

    def copies(self) -> list[nn.Module]:
        """Return the average."""
        return [self._copy]

    def others(self) -> ExtraEvaluations:
        """Return the weights in training, where both are evaluated."""
        return {RAW: self._raw} if self._evaluate == "both" else {}

    @contextmanager
    def _raw(self) -> Iterator[None]:
        self._is_evaluated = False
        try:
            yield
        finally:
            self._is_evaluated = True

    def state_dict(self) -> dict[str, Any]:
        """Return the average, and how many weights are in it.

        What is evaluated lies under 'model'; an average that is not, or not yet, under 'kept'.
        """
        self._settle()
        name = "model" if self._num_averaged and self._evaluate != "raw" else "kept"
        return {name: self._copy.state_dict(), "num_averaged": self._num_averaged, "rule": self._name}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with a state; without one, or with that of another rule, begin anew, with the weights that
        the network has now."""
        if state.get("rule", self._name) != self._name:
            _LOGGER.warning(
                "the checkpoint's average is by %s: that by %s begins anew", state["rule"], self._name
            )
            state = {}
        self._num_averaged, self._late = state.get("num_averaged", 0), None
        self._copy.load_state_dict(state.get("model", state.get("kept", self._model.state_dict())))


class ScheduleFreeWeights:
    """What a schedule-free optimizer wants evaluated: it keeps one kind of weights to train and one to judge.

    Such an optimizer has ``train()`` and ``eval()``, which change the weights in place, and not to the last
    bit there and back. Here it does so for a moment: the weights in training are put back as they were.

    Source: The Road Less Scheduled, Defazio et al. 2024 (arXiv:2405.15682).
    """

    def __init__(self, model: nn.Module, optimizer: Any) -> None:
        self._model = model
        self._optimizer = optimizer
        self._copy = copy.deepcopy(model).eval().requires_grad_(False)
        self._is_fresh = False
        self._optimizer.train()

    def update(self, train_iter: int, updates_per_epoch: int | None, verdict: Verdict | None = None) -> None:
        """Know that the copy is out of date."""
        self._is_fresh = False

    @torch.no_grad()
    def network(self) -> nn.Module:
        """Return a copy with the weights to evaluate."""
        if not self._optimizer.state:
            # Before its first step there is one kind of weights; not every optimizer can turn to the other.
            return self._model
        if not self._is_fresh:
            kept = [each.clone() for each in self._model.parameters()]
            self._optimizer.eval()
            for ours, now in zip(_tensors(self._copy), _tensors(self._model), strict=True):
                ours.copy_(now)
            self._optimizer.train()
            for parameter, value in zip(self._model.parameters(), kept, strict=True):
                parameter.copy_(value)
            self._is_fresh = True
        return self._copy

    def copies(self) -> list[nn.Module]:
        """Return the copy."""
        return [self._copy]

    def others(self) -> ExtraEvaluations:
        """Return nothing."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights to evaluate, where they are others than those in training."""
        network = self.network()
        return {} if network is self._model else {"model": network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the copy of a state; without one it follows from the network and the optimizer."""
        self._is_fresh = "model" in state
        if self._is_fresh:
            self._copy.load_state_dict(state["model"])


def evaluated_weights(model: nn.Module, optimizer: Optimizer, learn: Mapping[str, Any]) -> EvaluatedWeights:
    """Return what ``learn.ema``, ``learn.swa`` or a schedule-free optimizer wants evaluated.

    Raises:
        ConfigError: more than one of them is there, or a value cannot be used.
    """
    rules: dict[str, Rule | None] = {
        "ema": build_optional(Ema, learn, "ema"),
        "swa": build_optional(Swa, learn, "swa"),
    }
    given = {f"policy.learn.{name}": rule for name, rule in rules.items() if rule is not None}
    is_free = is_schedule_free(optimizer)
    if len(given) + is_free > 1:
        own = [f"the optimizer {type(optimizer).__name__}"] if is_free else []
        raise ConfigError(f"{' and '.join([*given, *own])} each say what is evaluated; keep one of them")
    if is_free:
        return ScheduleFreeWeights(model, optimizer)
    rule = next(iter(given.values()), None)
    if isinstance(rule, Swa) and learn["max_iters"] is None and rule.start_epoch >= learn["train_epoch"]:
        raise ConfigError(
            f"policy.learn.swa.start_epoch is {rule.start_epoch}, and the epochs are numbered 0 to "
            f"{learn['train_epoch'] - 1}: nothing would be averaged; begin earlier, or train longer"
        )
    if rule is None:
        return LastWeights(model)
    return WeightAverage(model, rule, rule.evaluate if isinstance(rule, Ema) else "ema")


def with_average(state: Mapping[str, Any], average: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy's state with that of its ``EvaluatedWeights``, as a checkpoint has them.

    An average that is judged lies under 'model' and the weights in training under ``TRAINING``, so a file
    holds each of them once.
    """
    if "model" not in average:
        return {**state, AVERAGED: dict(average)}
    rest = {name: value for name, value in average.items() if name != "model"}
    return {**state, "model": average["model"], TRAINING: state["model"], AVERAGED: rest}


def average_in(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state of a checkpoint's ``EvaluatedWeights``; in older files it holds its own weights."""
    average: Mapping[str, Any] = state.get(AVERAGED, {})
    return {**average, "model": state["model"]} if TRAINING in state else average


def is_schedule_free(optimizer: Optimizer) -> bool:
    """Return whether an optimizer has weights to train and others to evaluate."""
    modes: list[Callable[..., Any] | None] = [getattr(optimizer, name, None) for name in ("train", "eval")]
    return all(callable(each) for each in modes)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _check(is_fine: bool, key: str, value: Any, allowed: str) -> None:
    if not is_fine:
        raise ConfigError(f"policy.learn.{key} is {value!r}; it must be {allowed}")
