"""Schedules that torch has and mmcv lacks: cosines with restarts, and the constant rate of SWA."""

import math
from dataclasses import dataclass, replace

from ding_cls.optim.schedules.base import SCHEDULES, check
from ding_cls.optim.schedules.mmcv import Counting
from ding_cls.types import Position, Schedule


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class CosineAnnealingWarmRestarts(Counting):
    """Half a cosine to ``eta_min`` in each period, each longer than the one before.

    Attributes:
        T_0: length of the first period.
        T_mult: factor of each period's length.
        eta_min: the learning rate at the end of each.

    Source: SGDR, Loshchilov & Hutter 2017, eq. 5 (arXiv:1608.03983), in the form of torch's class of this
    name, whose arguments these are.
    """

    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0

    def __post_init__(self) -> None:
        check(isinstance(self.T_0, int) and self.T_0 >= 1, self, "T_0", "a whole number from 1 on")
        check(isinstance(self.T_mult, int) and self.T_mult >= 1, self, "T_mult", "a whole number from 1 on")

    def __call__(self, base_lr: float, position: Position) -> float:
        since, length = self.progress(position), self.T_0
        while since >= length:
            since -= length
            length *= self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * since / length)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SwaAnnealing:
    """A schedule that from an epoch on goes to a constant learning rate, that of weight averaging.

    Attributes:
        schedule: the learning rates before.
        start_epoch: the last epoch with these, counted from 0; its end is the first to be averaged.
        lr: the constant.
        anneal_epochs: epochs on the way; 0: at once.
        anneal_strategy: the way.

    Source: the values of ``torch.optim.swa_utils.SWALR``.
    """

    schedule: Schedule
    start_epoch: int
    lr: float
    anneal_epochs: int = 10
    anneal_strategy: str = "cos"

    def __post_init__(self) -> None:
        check(self.anneal_strategy in ("cos", "linear"), self, "anneal_strategy", "cos or linear")

    def __call__(self, base_lr: float, position: Position) -> float:
        since = position.epoch - self.start_epoch
        if since < 0:
            return self.schedule(base_lr, position)
        start = replace(position, train_iter=self.start_epoch * position.updates_per_epoch)
        share = min(since / self.anneal_epochs, 1.0) if self.anneal_epochs else 1.0
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.lr * share + self.schedule(base_lr, start) * (1 - share)
