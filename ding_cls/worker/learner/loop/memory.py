"""An update that does not fit into memory: one line with the size of its batches and one to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.errors import OutOfMemoryError


def memory_error(error: Exception, facts: Mapping[str, Any]) -> OutOfMemoryError | None:
    """Return the error to raise where another means that memory ran out; None for any other.

    Args:
        error: what ended training.
        facts: what is known of the run; ``config`` is its config, where it has one.
    """
    # On the CPU torch raises a plain RuntimeError.
    on_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    if not on_cpu and not isinstance(error, MemoryError | torch.OutOfMemoryError):
        return None
    learn = facts.get("config", {}).get("policy", {}).get("learn", {})
    size, steps = learn.get("batch_size"), learn.get("accumulation_steps") or 1
    advice = "use smaller batches or images"
    if isinstance(size, int) and size > 1:
        advice = (
            f"policy.learn.batch_size is {size}: try policy.learn.accumulation_steps={2 * steps} (the same "
            f"batch in pieces), policy.learn.batch_size={size // 2}, or smaller images"
        )
    if "DataLoader worker" in str(error):
        advice += ", or fewer workers: policy.learn.learner.dataloader.num_workers"
    reason = (str(error).strip().splitlines() or [""])[-1].partition(". ")[0]
    return OutOfMemoryError(f"out of memory{f' ({reason})' if reason else ''}; {advice}")
