"""How long a run is: its epochs and its updates, from ``policy.learn`` and the length of an epoch."""

from typing import Any


def num_epochs(learn: Any, updates_per_epoch: int) -> int:
    """Return the epochs that a run begins: ``train_epoch``, or as many as ``max_iters`` needs."""
    return int(learn.train_epoch if learn.max_iters is None else -(-learn.max_iters // updates_per_epoch))


def last_update(learn: Any) -> int:
    """Return the number of updates after which a run ends however many epochs are left."""
    limit = learn.learner.train_iterations
    return int(limit if learn.max_iters is None else min(limit, learn.max_iters))


def num_updates(learn: Any, updates_per_epoch: int) -> int:
    """Return the updates of the whole run."""
    return min(num_epochs(learn, updates_per_epoch) * updates_per_epoch, last_update(learn))
