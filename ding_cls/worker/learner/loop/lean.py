"""What the updates of a run may leave out: what nobody but the library would see."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ding_cls.common.seed import StepRandomness
from ding_cls.policy.modes import LearnMode
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.builtin import has_readers


@contextmanager
def lean_updates(engine: Engine, loader: Any) -> Iterator[None]:
    """Have updates leave out what nobody sees, inside the block; all ranks call it together.

    Where no hooks of others are called, an update's accuracy is computed and its numbers are reduced over the
    ranks when a line is due. Where the loader's order does not follow from torch's generators, an update only
    seeds them; they are put back behind the block. A policy of another make sees to its own randomness.
    """
    policy = engine.policy
    engine.has_readers = has_readers(engine)
    randomness = _randomness(policy)
    is_late = False
    if randomness is not None:
        policy.set_attribute("is_accuracy_late", not engine.has_readers)
        is_late = policy.get_attribute("is_accuracy_late")
    engine.history.copies = not is_late
    try:
        # torch's DataLoader shuffles by the default generator.
        is_seeded = hasattr(loader, "set_position")
        with randomness.kept() if randomness is not None and is_seeded else nullcontext():
            yield
    finally:
        engine.has_readers = engine.history.copies = True
        if randomness is not None:
            policy.set_attribute("is_accuracy_late", False)


def _randomness(policy: LearnMode) -> StepRandomness | None:
    try:
        found = policy.get_attribute("randomness")
    except (AttributeError, LookupError):
        return None
    return found if isinstance(found, StepRandomness) else None
