"""The learning rate range test (Smith, Cyclical Learning Rates, 2017, section 3.3): train a little while the
rate grows, and look where the loss falls and where it grows.

It must not touch the run's folder.
"""

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.config.defaults import POLICY, defaults
from ding_cls.config.tree import at, drop, put
from ding_cls.data import TrainLoader
from ding_cls.errors import DataError
from ding_cls.pipeline.dry_run.temporary import load_first_weights, temporary_run
from ding_cls.pipeline.train import assemble
from ding_cls.types import Batch

FIRST_RATE, LAST_RATE = 1e-7, 10.0
NUM_UPDATES = 100
DIVERGED = 4.0
"""The sweep ends where the loss of the last four updates is so many times its lowest before."""

MIN_UPDATES = 10
_WIDTH, _RECENT = 4.0, 4
_OF_A_SCHEDULE = ("warmup_lr", "warmup_epoch", "decay_epoch", "decay_rate", "min_lr")


@dataclass(frozen=True, slots=True, eq=False)
class RateSweep:
    """A network's loss while its learning rate grew.

    Attributes:
        rates: the learning rate of each update, float64 ``(N,)``; of parameter groups with a factor of their
            own before that factor.
        losses: its loss, float64 ``(N,)``.
        smooth: the same averaged over neighbours: weights fall as a Gaussian's over updates.
        suggested: where ``smooth`` falls the most, over the rate's logarithm; None: it falls by no more than
            its noise.
        lowest: the rate at which ``smooth`` is lowest.
        configured: the config's own rate.
        has_diverged: the sweep ended because the loss grew.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smooth: npt.NDArray[np.float64]
    suggested: float | None
    lowest: float
    configured: float
    has_diverged: bool


def lr_find(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
    seed: int | None = None,
    **arguments: Any,
) -> RateSweep:
    """Train for at most ``NUM_UPDATES`` updates while the rate grows from 1e-7 to 10, and keep nothing.

    All else is as in the run: data, order, augmentation, network, weights, optimizer, factors of parameter
    groups. Warm-up, schedules, weight averages and what ``recipes`` change on the way are left out.

    Args:
        config: as in ``train``.
        model: as there, by its name.
        seed: as there.
        arguments: ``data pretrained epochs synthetic exp_name overrides allow_code`` as there.

    Raises:
        DingError: what the run would have raised.
        DataError: the loss is not finite from the first updates on.
    """
    rates: list[float] = []
    losses: list[float] = []
    configured: list[float] = []
    lowest = math.inf

    def sweep(cfg: Any) -> None:
        configured.append(at(cfg, "policy.learn.learning_rate") or defaults(POLICY)["learn"]["learning_rate"])
        _grow_rate(cfg)

    everything = {"model": model, **_NOTHING, **arguments}
    with temporary_run(config, seed=seed, arguments=everything, change=sweep) as (run, *_):
        policy, learner, _, loader = assemble(run, model)
        run.connect(policy, learner, loader)
        policy.learn_mode.set_attribute("updates_per_epoch", len(loader))
        load_first_weights(run, learner)
        for batch in itertools.islice(_batches(loader), NUM_UPDATES):
            output = policy.learn_mode.forward(batch)
            loss = float(output["total_loss"])
            recent = float(np.mean([*losses[1 - _RECENT :], loss]))
            lowest = min(lowest, recent)
            if not math.isfinite(loss) or recent > DIVERGED * lowest:
                break
            rates.append(output["cur_lr"])
            losses.append(loss)
    if len(losses) < MIN_UPDATES:
        raise DataError(
            f"the loss is not finite, or grows, from update {len(losses)} on, at a rate of "
            f"{FIRST_RATE:g}: look at the data and the first loss: ding-cls train ... --dry-run"
        )
    return _read(np.array(rates), np.array(losses), configured[0])


_NOTHING: dict[str, Any] = {
    "data": None,
    "pretrained": False,
    "epochs": None,
    "synthetic": False,
    "exp_name": None,
    "overrides": (),
    "allow_code": False,
}


def _grow_rate(cfg: Any) -> None:
    """Let a config's rate grow by the same factor each update, and nothing else follow a schedule."""
    gamma = (LAST_RATE / FIRST_RATE) ** (1 / (NUM_UPDATES - 1))
    settings: dict[str, Any] = {
        "learning_rate": FIRST_RATE,
        "lr_schedule": {"type": "Exp", "gamma": gamma, "by_epoch": False},
        "max_iters": NUM_UPDATES,
        # They would begin amid the sweep, or be refused for a later begin than its end.
        "recipes": [],
        **dict.fromkeys(("momentum_schedule", "weight_decay_schedule", "auto_scale_lr", "swa"), None),
    }
    for name in _OF_A_SCHEDULE:
        drop(cfg, f"policy.learn.{name}")
    for name, value in settings.items():
        put(cfg, f"policy.learn.{name}", value)


def _batches(loader: TrainLoader) -> Iterator[Batch]:
    while True:
        yield from loader


def _read(rates: npt.NDArray[np.float64], losses: npt.NDArray[np.float64], configured: float) -> RateSweep:
    """Return a sweep with what its losses say."""
    distance = np.subtract.outer(np.arange(len(losses)), np.arange(len(losses)))
    weights = np.exp(-0.5 * (distance / _WIDTH) ** 2)
    smooth = weights @ losses / weights.sum(1)
    lowest = int(smooth.argmin())
    slope = np.gradient(smooth, np.log(rates))[: lowest + 1]
    steepest = int(slope.argmin())
    # About four standard errors of a mean of such weights.
    is_clear = smooth[0] - smooth[lowest] > np.std((losses - smooth)[: lowest + 1])
    return RateSweep(
        rates=rates,
        losses=losses,
        smooth=smooth,
        suggested=float(rates[steepest]) if is_clear else None,
        lowest=float(rates[lowest]),
        configured=float(configured),
        has_diverged=len(losses) < NUM_UPDATES,
    )
