"""Learning rate, momentum and weight decay of a run that is not begun, asked of the schedules themselves."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from ding_cls.config.run_length import num_updates
from ding_cls.optim import LrScheduler
from ding_cls.pipeline.build import build_network
from ding_cls.pipeline.looking.opening import OpenedConfig, training_loader
from ding_cls.pipeline.looking.trace import later_stages
from ding_cls.policy.optimizer import build_lr_scheduler, build_optimizer, learning_rate_of
from ding_cls.report.schedule import ParamGroup, ScheduleForecast

# Of a longer run every so many updates are asked, besides the first and the last of each epoch.
MAX_POSITIONS = 20_000


def forecast_schedule(opened: OpenedConfig) -> ScheduleForecast:
    """Return what a run of one process would set, of the network's own parameter groups.

    Args:
        opened: a checked config.

    Raises:
        DingError: as a run would before its first update.
    """
    cfg = opened.cfg
    learn = cfg.policy.learn
    train_set, _ = opened.datasets()
    loader = training_loader(cfg, train_set)
    network, _ = build_network(cfg, len(train_set.classes), load_weights=False, check=lambda network: None)
    optimizer = build_optimizer(network, learn)
    scheduler = build_lr_scheduler(optimizer, learn)
    scheduler.updates_per_epoch = len(loader)
    count = num_updates(learn, len(loader))
    rows = {
        train_iter: _settings(scheduler, optimizer, train_iter) for train_iter in _grid(count, len(loader))
    }
    for begin, end in _jumps(rows):
        rows |= {each: _settings(scheduler, optimizer, each) for each in range(begin + 1, end)}
    positions = tuple(sorted(rows))
    remarks = [*later_stages(learn)]
    if scheduler.follows_results:
        remarks.append(
            "the schedule follows the results of evaluations: it is drawn as if they got better all along"
        )
    if (rate := learning_rate_of(learn)) != learn.learning_rate:
        remarks.append(f"auto_scale_lr makes {rate:g} of the learning rate {learn.learning_rate:g}")
    return ScheduleForecast(
        updates_per_epoch=len(loader),
        num_updates=count,
        positions=positions,
        rates=tuple(rows[each][0] for each in positions),
        groups=_groups(network, optimizer, [rows[each][1] for each in positions]),
        remarks=tuple(remarks),
    )


_Values = tuple[float | None, float | None]


def _settings(
    scheduler: LrScheduler, optimizer: torch.optim.Optimizer, train_iter: int
) -> tuple[float, tuple[_Values, ...]]:
    """Return the rate that a run logs, and momentum and weight decay of each group."""
    rate = scheduler.apply(train_iter)
    return rate, tuple((_momentum(each), each.get("weight_decay")) for each in optimizer.param_groups)


def _momentum(group: dict[str, Any]) -> float | None:
    betas = group.get("betas")
    momentum: float | None = betas[0] if betas else group.get("momentum")
    return momentum


def _groups(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, rows: Sequence[tuple[_Values, ...]]
) -> tuple[ParamGroup, ...]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = []
    for number, group in enumerate(optimizer.param_groups):
        members = group["params"]
        momenta, decays = zip(*(row[number] for row in rows), strict=True)
        found.append(
            ParamGroup(
                first=names.get(id(members[0]), "?") if members else "",
                num_tensors=len(members),
                lr_mult=float(group.get("lr_mult", 1.0)),
                momenta=momenta,
                weight_decays=decays,
            )
        )
    return tuple(found)


def _grid(count: int, updates_per_epoch: int) -> list[int]:
    """Return the updates to ask for: all, or of a long run some, with the first and last of each epoch."""
    last = max(count - 1, 0)
    if count <= MAX_POSITIONS:
        return list(range(last + 1))
    borders = range(0, count, max(updates_per_epoch, count // MAX_POSITIONS))
    around = {each for border in borders for each in (border - 1, border) if each >= 0}
    return sorted({*range(0, count, count // MAX_POSITIONS), *around, last})


def _jumps(rows: dict[int, tuple[float, Any]]) -> list[tuple[int, int]]:
    """Return between which updates that were asked, with others between, the rate changes by a tenth."""
    rates = {train_iter: rate for train_iter, (rate, _) in sorted(rows.items())}
    return [
        (begin, end)
        for begin, end in itertools.pairwise(rates)
        if end - begin > 1 and abs(rates[end] - rates[begin]) > 0.1 * max(rates[begin], rates[end])
    ]
