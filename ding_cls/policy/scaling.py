"""The optimizer's step of fp16, whose gradients may overflow."""

from collections.abc import Sequence

import torch
from torch import Tensor


def scaled_step(
    scaler: torch.amp.GradScaler,
    optimizer: torch.optim.Optimizer,
    buffers: Sequence[Tensor],
    before: Sequence[Tensor],
) -> None:
    """Step unless a gradient overflowed; a skipped update leaves BatchNorm's buffers alone too.

    Args:
        scaler: has scaled the gradients.
        optimizer: steps.
        buffers: what the forward pass has changed, set back in place where the step is skipped.
        before: copies of them, from before that pass.
    """
    scaler.step(optimizer)
    (found_inf,) = scaler._found_inf_per_device(optimizer).values()
    overflowed = found_inf > 0
    with torch.no_grad():
        for buffer, earlier in zip(buffers, before, strict=True):
            buffer.copy_(torch.where(overflowed, earlier, buffer))
    scaler.update()
