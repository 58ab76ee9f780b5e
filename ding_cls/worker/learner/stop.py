"""How a run ends early: by a signal, which only sets a flag that the loop looks at, or by an error."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.common.command import is_command_line, resume_command
from ding_cls.common.log import write_only
from ding_cls.common.stop_mark import leave_stop_mark
from ding_cls.common.stop_signals import StopSignals
from ding_cls.data.worker_loss import process_loss
from ding_cls.distributed.comm import barrier, broadcast_object
from ding_cls.distributed.failure import announce
from ding_cls.errors import DiskError, RunStopped
from ding_cls.worker.eval_batches import EvaluationStoppedError
from ding_cls.worker.learner.finite_weights import check_weights
from ding_cls.worker.learner.memory import memory_error
from ding_cls.worker.learner.saving import Saving

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

__all__ = ["StopSignals", "naming_last_checkpoint", "repeating_evaluations", "save_and_stop"]


@contextmanager
def naming_last_checkpoint(engine: BaseLearner, keeper: CheckpointKeeper) -> Iterator[None]:
    """After an error in the block, say which checkpoint is the last good one; save nothing.

    Raises:
        OutOfMemoryError: an update does not fit; this and what follows have the checkpoint in their line.
        RankLostError: another rank ended or hangs.
        WorkerError: a data loading worker was killed.
    """
    try:
        yield
    except Exception as error:
        files = keeper.iterations()
        last = f"the last checkpoint is '{files[0]}'" if files else "no checkpoint was saved yet"
        where = f"training after {engine.train_iter} updates; {last}"
        named = memory_error(error, engine.facts) or process_loss(error)
        if named is not None:
            whole = type(named)(f"{named}; this ended {where}")
            write_only(engine.logger, str(whole), logging.ERROR)
            announce(whole)
            raise whole from error
        engine.logger.error(f"an error ended {where}")
        raise


@contextmanager
def repeating_evaluations(stop: Callable[[], NoReturn]) -> Iterator[None]:
    """Call ``stop`` where an evaluation is given up: the run that goes on from here repeats it."""
    try:
        yield
    except EvaluationStoppedError:
        stop()


def save_and_stop(engine: BaseLearner, saving: Saving, cause: str | None) -> NoReturn:
    """Save all that a resume needs, and end the run.

    Args:
        engine: the learner; its log file gets the message too, and so does the screen where no command line
            prints it.
        saving: writes its files.
        cause: the signal's name; None on a rank that got none.

    Raises:
        RunStopped: everything is saved.
        DiskError: it could not be.
        NumbersError: the weights are not finite, and are not saved.
    """
    by = f"stopped by {cause or 'another rank'}"
    saving.is_stop = True
    engine.history.pool()
    check_weights(engine, by, saving.newest)
    failure = saving.failure_of(engine.save_checkpoint)
    # A launcher that sees one process end stops the others, rank 0 in the middle of its file included.
    barrier()
    if failure := broadcast_object(failure):
        raise DiskError(
            f"{by} after {engine.train_iter} updates, and that state is not saved: {failure}; free space, "
            "and go on with --resume",
            is_on_all_ranks=True,
        )
    name = engine.ckpt_name or f"iteration_{engine.train_iter}.pth.tar"
    folder = os.path.join(".", saving.keeper.folder)
    message = f"{by} after {engine.train_iter} updates; everything is saved in '{folder}'; go on "
    command = resume_command(engine.exp_name)
    # A line of its own: it is there to be copied.
    message += f"from '{os.path.join(folder, name)}'" if command is None else f"with:\n{command}"
    if is_command_line():
        write_only(engine.logger, message, logging.WARNING)
    elif engine.rank == 0:
        engine.logger.warning(message)
    leave_stop_mark()
    raise RunStopped(message, cause=cause or "")
