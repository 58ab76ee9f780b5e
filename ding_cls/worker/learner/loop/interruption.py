"""How a run ends early: by a signal, which only sets a flag that the loop looks at, or by an error."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from ding_cls.common.command import is_command_line, is_part_of_whole, resume_command
from ding_cls.common.logs.log import write_only
from ding_cls.common.stops.mark import leave_stop_mark
from ding_cls.common.stops.signals import StopSignals
from ding_cls.data.worker_loss import process_loss
from ding_cls.distributed.comm import barrier, broadcast_object
from ding_cls.distributed.failure import announce, was_announced
from ding_cls.errors import DiskError, ImageError, RunStopped
from ding_cls.worker.evaluation.batches import EvaluationStoppedError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.builtin import pool
from ding_cls.worker.learner.loop.memory import memory_error
from ding_cls.worker.learner.saving.checkpointing import Saving
from ding_cls.worker.learner.saving.finite_weights import check_weights

_ENDED = "; this ended"
_MAX_BAD = "policy.learn.learner.dataloader.max_bad"

__all__ = [
    "StopSignals",
    "report_last_checkpoint_on_error",
    "stop_on_interrupted_evaluation",
    "save_and_stop",
]


@contextmanager
def report_last_checkpoint_on_error(engine: Engine, saving: Saving) -> Iterator[None]:
    """After an error in the block, name the last good checkpoint in the log; save nothing.

    Raises:
        ImageError: an image cannot be read; this and what follows have the checkpoint in their line.
        OutOfMemoryError: an update does not fit.
        RankLostError: another rank ended or hangs.
        WorkerError: a data loading worker was killed.
    """
    try:
        yield
    except Exception as error:
        where = f"training after {engine.train_iter} updates; {saving.newest()}"
        named = memory_error(error, engine.facts) or _image_error(error, engine.facts) or process_loss(error)
        if named is not None:
            # Where another rank is the cause, its line may name the checkpoint already.
            whole = named if _ENDED in str(named) else type(named)(f"{named}{_ENDED} {where}")
            write_only(engine.logger, str(whole), logging.ERROR)
            announce(whole)
            raise whole from error
        # An error that all ranks have is logged by rank 0.
        if engine.rank == 0 or was_announced(error):
            engine.logger.error(f"an error ended {where}")
        raise


def _image_error(error: Exception, facts: Mapping[str, Any]) -> ImageError | None:
    """Return the line for an image that cannot be read, in a run that could have found it at its start."""
    learn = facts.get("config", {}).get("policy", {}).get("learn", {})
    loading = learn.get("learner", {}).get("dataloader", {})
    if not isinstance(error, ImageError) or loading.get("max_bad") != 0:
        return None
    advice = "--check-images at the start, or ding-cls doctor DATA, finds all such images"
    if not is_part_of_whole():
        advice += f", and a new run with {_MAX_BAD}=N leaves out up to N of them"
    return ImageError(f"{error}; {advice}")


@contextmanager
def stop_on_interrupted_evaluation(stop: Callable[[], NoReturn]) -> Iterator[None]:
    """Call ``stop`` where an evaluation is given up: the run that goes on from here repeats it."""
    try:
        yield
    except EvaluationStoppedError:
        stop()


def save_and_stop(engine: Engine, saving: Saving, cause: str | None) -> NoReturn:
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
    pool(engine)
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
