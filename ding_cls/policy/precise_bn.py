"""BatchNorm's statistics computed anew, for the weights as they are now."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import nn

from ding_cls.distributed.comm import allreduce


def recompute_statistics(
    network: nn.Module,
    forward: Callable[[Any], object],
    batches: Iterable[Any],
    *,
    frozen: Collection[str] = (),
) -> None:
    """Replace running means and variances by their means over batches, and over the ranks.

    Layers that are frozen, in evaluation mode while the network trains, keep theirs. A network without any
    other reads no batch.

    Args:
        network: on its device.
        forward: calls the network with a batch.
        batches: training batches, at least one on every rank.
        frozen: names of further layers that keep theirs.

    Source: Rethinking "Batch" in BatchNorm, Wu & Johnson 2021, section 3 (arXiv:2105.07576), in the form of
    ``torch.optim.swa_utils.update_bn``.
    """
    was_training = network.training
    network.train()
    for name in frozen:
        network.get_submodule(name).eval()
    norms = [
        each
        for each in network.modules()
        if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.track_running_stats and each.training
    ]
    momenta = [each.momentum for each in norms]
    for each in norms:
        each.reset_running_stats()
        # None is the plain mean of all batches.
        each.momentum = None
    with torch.no_grad():
        for batch in batches if norms else ():
            forward(batch)
    for each, momentum in zip(norms, momenta, strict=True):
        each.momentum = momentum
        for statistic in (each.running_mean, each.running_var):
            if statistic is not None:
                allreduce(statistic)
    network.train(was_training)
