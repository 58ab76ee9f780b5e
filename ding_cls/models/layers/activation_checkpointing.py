"""Computing a block a second time in the backward pass, without a trace in BatchNorm's statistics."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Contexts = tuple[AbstractContextManager[None], AbstractContextManager[None]]


def recomputing(block: nn.Module) -> Callable[[], Contexts]:
    """Return the ``context_fn`` of ``torch.utils.checkpoint`` under which a block's statistics move once.

    The second pass would add the same batch to the running statistics again.
    """
    return lambda: (nullcontext(), _without_statistics(block))


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    # With momentum zero the statistics keep every bit, and autograd sees the same tensors as the first time.
    # The pass may end early, when all that is missing is computed: counters are put back, not counted down.
    norms = [each for each in block.modules() if isinstance(each, _BatchNorm) and each.track_running_stats]
    before = [(norm, norm.momentum, _copied(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)


def _copied(count: Tensor | None) -> Tensor | None:
    return None if count is None else count.clone()
