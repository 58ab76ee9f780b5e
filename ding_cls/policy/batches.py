"""The forms in which a policy takes a batch."""

from typing import Any

import torch

from ding_cls.types import Batch


def as_batch(data: Any) -> Batch:
    """Return a ``Batch`` as it is; ``[images, targets]``, or images alone, as one.

    Images alone are only looked at: their targets are class 0.
    """
    if isinstance(data, Batch):
        return data
    images, targets = (data[0], data[1]) if isinstance(data, list | tuple) else (data, None)
    if targets is None:
        targets = torch.zeros(len(images), dtype=torch.int64)
    return Batch(images, targets, torch.arange(len(images)))
