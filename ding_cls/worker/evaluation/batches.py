"""The batches of an evaluation, each sample once, whatever loader yields them: a recount, a mean over them.

It must not know metrics.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import torch

from ding_cls.data import EvalLoader
from ding_cls.data.loader import keep_workers_through_signals
from ding_cls.distributed.comm import all_reduce_sums, gather_objects
from ding_cls.errors import ConfigError, DataError
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch


class EvaluationStoppedError(Exception):
    """A signal came while an evaluation ran; nothing of it was kept."""


def eval_batches(loader: Any, is_interrupted: Callable[[], bool]) -> Iterator[tuple[Any, torch.Tensor]]:
    """Yield (what the policy takes, targets), less the repeats that a padding sampler put at the end.

    Raises:
        EvaluationStoppedError: ``is_interrupted`` returned True between two batches.
    """
    keep_workers_through_signals(loader)
    left = num_valid(loader)
    for data in loader:
        if is_interrupted():
            raise EvaluationStoppedError
        batch, targets = (
            (data, data.targets) if isinstance(data, Batch) else (data[0], torch.as_tensor(data[1]))
        )
        count = len(targets) if left is None else min(left, len(targets))
        if count < len(targets):
            batch = batch.part(0, count) if isinstance(batch, Batch) else batch[:count]
            targets = targets[:count]
        if left is not None:
            left -= count
        if count:
            yield batch, targets


def checked_count(loader: Any, count: int, *, world_size: int) -> tuple[int, str]:
    """Compare the number evaluated, of all ranks, with the dataset's. All ranks call it together.

    Returns:
        how many samples the result covers, and a line where an unknown sampler chose other samples.

    Raises:
        DataError: on all ranks alike: there is none, the ranks have different datasets, or the loader leaves
            samples out.
    """
    shares = gather_objects((_size_of(loader), _num_chosen(loader)))
    sizes, chosen = zip(*shares, strict=True)
    expected = count if sizes[0] is None else sizes[0]
    if count == 0:
        raise DataError("the evaluation data are empty")
    if other := next((rank for rank, size in enumerate(sizes) if size != sizes[0]), 0):
        raise DataError(
            f"the evaluation data of rank {other} hold {sizes[other]} samples, those of rank 0 {sizes[0]}; "
            "give all ranks the same files"
        )
    if count == expected * world_size and num_valid(loader) is None:
        # Every rank went through the whole set: means and shares are those of one.
        count = expected
    if count == expected:
        return count, ""
    message = f"{count} samples were evaluated, the data set holds {expected}"
    for name, owner in (("loader", getattr(loader, "batch_sampler", None)), ("sampler", sampler_of(loader))):
        if count < expected and getattr(owner, "drop_last", False):
            raise DataError(f"{message}; its {name} has drop_last=True, use drop_last=False")
    is_whole = isinstance(loader, EvalLoader)
    if is_whole or isinstance(sampler_of(loader), torch.utils.data.SequentialSampler):
        raise DataError(f"{message}; its loader does not go through the whole set")
    if None not in chosen and count < sum(chosen):
        raise DataError(f"{message}, of which its sampler chose {sum(chosen)}; its loader ends too early")
    return count, f"{message}; the result is that of the samples its sampler chose"


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
        DataError: there is no sample, or ``check`` finds some missing.
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


def _size_of(loader: Any) -> int | None:
    dataset = getattr(loader, "dataset", None)
    return len(dataset) if isinstance(dataset, Sized) else None


def _num_chosen(loader: Any) -> int | None:
    """Return how many samples this rank's sampler chooses, without the repeats that it pads with."""
    valid = num_valid(loader)
    if valid is not None:
        return valid
    try:
        return len(sampler_of(loader))
    except (TypeError, NotImplementedError):
        return None


def num_valid(loader: Any) -> int | None:
    """Return how many of this rank's samples are no repeats, where its sampler is known to pad; else None."""
    sampler = sampler_of(loader)
    if isinstance(sampler, torch.utils.data.DistributedSampler):
        return len(range(sampler.rank, len(sampler.dataset), sampler.num_replicas))  # type: ignore[arg-type]
    valid: int | None = getattr(sampler, "num_valid", None)
    return valid


def sampler_of(loader: Any) -> Any:
    """Return what chooses the loader's samples; None where that is not known."""
    # torch's DataLoader shows a SequentialSampler in ``sampler`` when it was given a batch sampler instead.
    batches = getattr(loader, "batch_sampler", None)
    return getattr(loader if batches is None else batches, "sampler", None)
