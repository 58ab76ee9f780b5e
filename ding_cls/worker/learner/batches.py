"""What the loop needs to know of loaders, batches, policies and outputs of any make."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from ding_cls.data.loader import keep_workers_through_signals
from ding_cls.errors import CheckpointError
from ding_cls.types import Batch
from ding_cls.worker.learner.engine import Engine

SORTED_WARNING = (
    "the first batch comes sorted by class: is the training loader shuffled? "
    "Give torch's DataLoader shuffle=True or our DistributedSampler"
)


def seek(loader: Any, epoch: int, first_batch: int) -> None:
    """Make the next iteration of ``loader`` begin at a batch of an epoch.

    Raises:
        CheckpointError: the loader cannot begin in mid-epoch.
    """
    keep_workers_through_signals(loader)
    if hasattr(loader, "set_position"):
        loader.set_position(epoch, first_batch)
        return
    if first_batch:
        raise CheckpointError(
            f"this run stands at batch {first_batch} of epoch {epoch}, and a {type(loader).__name__} can "
            "only begin an epoch; use build_train_loader, or give the loader a method "
            "set_position(epoch, first_batch)"
        )
    set_epoch = getattr(getattr(loader, "sampler", None), "set_epoch", None)
    if set_epoch is not None:
        set_epoch(epoch)


def timed(loader: Iterable[Any], engine: Engine) -> Iterator[Any]:
    """Yield the batches; assign the learner's ``data_time``, and add waiting and training to its
    ``training_seconds``."""
    began = time.perf_counter()
    for batch in loader:
        engine.data_time = time.perf_counter() - began
        try:
            yield batch
        finally:
            # The loop may be left at this batch: its last update counts too.
            now = time.perf_counter()
            engine.training_seconds += now - began
            began = now


def batch_length(data: Any, *, world_size: int = 1) -> int:
    """Return the number of samples in a batch of any form, those of all processes."""
    if isinstance(data, Batch) and data.share is not None:
        return data.share.whole
    if isinstance(data, list | tuple):
        return len(data[0]) * world_size
    return (len(data) if hasattr(data, "__len__") else 1) * world_size


def is_sorted_by_class(data: Any) -> bool:
    """Return whether the batch's targets never fall: the mark of a loader that does not shuffle.

    Our own loader's batches are not asked: it always shuffles.
    """
    targets = data[1] if isinstance(data, list | tuple) else None
    if not isinstance(targets, torch.Tensor) or targets.ndim != 1 or len(targets) < 8:
        return False
    return bool((targets[1:] >= targets[:-1]).all())


def warn_sorted(logger: logging.Logger, data: Any) -> None:
    """Warn of a run's first batch if it comes sorted by class."""
    if is_sorted_by_class(data):
        logger.warning(SORTED_WARNING)


def fill_buffer(buffer: Mapping[str, dict[str, Any]], outputs: Mapping[str, Any]) -> None:
    """Put what an update returned where it is logged: ``[histogram]NAME`` in its own place."""
    scalars = buffer["scalar"]
    for name, value in outputs.items():
        if name.startswith("["):
            kind = next((each for each in ("scalars", "histogram") if name.startswith(f"[{each}]")), "scalar")
            buffer[kind][name.removeprefix(f"[{kind}]")] = value
        else:
            scalars[name] = value
