"""The loss that training minimises, over other data and without an update."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from ding_cls.distributed.comm import all_reduce_sums
from ding_cls.errors import ConfigError
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch


def mean_loss(
    policy: EvalMode, batches: Iterable[tuple[Any, torch.Tensor]], *, check: Callable[[int], object]
) -> float:
    """Return the mean over the samples of all batches and ranks.

    Args:
        policy: its attribute ``eval_loss`` turns a batch into the mean loss of its samples, 0-dim.
        batches: what the policy takes, and targets.
        check: called with the number of samples of all ranks, on each of them.

    Raises:
        ConfigError: the policy has no such attribute.
        DataError: there is no sample, or ``check`` says that some are missing.
    """
    try:
        loss_of = policy.get_attribute("eval_loss")
    except (AttributeError, KeyError) as error:
        raise ConfigError(
            "policy.eval.evaluator.loss_interval asks for the training loss, and the policy has no attribute "
            "'eval_loss': a callable from a batch to the mean loss of its samples"
        ) from error
    count, totals = 0, []
    for batch, targets in batches:
        count += len(targets)
        loss = loss_of(batch if isinstance(batch, Batch) else [batch, targets])
        totals.append(loss.double() * len(targets))
    total = torch.stack(totals).sum() if totals else torch.zeros((), dtype=torch.float64)
    sums = all_reduce_sums({"count": torch.tensor(count), "total": total})
    check(int(sums["count"]))
    return float(sums["total"] / sums["count"])
