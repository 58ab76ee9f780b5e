"""The mean of what several networks, or several views of an image, say; as logits, which all else takes.

It knows tensors alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional


def mirrored(images: torch.Tensor) -> torch.Tensor:
    """Return images with left and right exchanged: uint8 ``(N, H, W, 3)``, or floats ``(N, 3, H, W)``."""
    return images.flip(-1 if images.is_floating_point() else -2)


def mean_logits(views: Sequence[torch.Tensor], *, has_several_labels: bool) -> torch.Tensor:
    """Return the logits, float32, whose probabilities are the mean of the probabilities of several logits.

    With one label an image, in each task, these are ``log(mean(softmax(view)))``; with several
    ``logit(mean(sigmoid(view)))``. Both are computed by way of their logarithms, in float64, so that a
    probability near 0 or 1 keeps its digits, and a loss stays finite. Of a single view it is that.

    Args:
        views: float ``(N, C)`` or, of K tasks, ``(N, K, C)`` each, on one device.
        has_several_labels: an image may have several labels, each class by itself.
    """
    if len(views) == 1:
        return views[0]
    device = views[0].device
    # Apple's GPUs know no float64.
    exact = torch.stack([(each.cpu() if device.type == "mps" else each).double() for each in views])
    if has_several_labels:
        there, absent = functional.logsigmoid(exact), functional.logsigmoid(-exact)
        mean = there.logsumexp(0) - absent.logsumexp(0)
    else:
        mean = exact.log_softmax(-1).logsumexp(0) - math.log(len(views))
    return mean.float().to(device)
