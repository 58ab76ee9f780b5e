"""How a run ends early: by a signal, which only sets a flag that the loop looks at, or by an error."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.common.command import is_command_line, resume_command
from ding_cls.common.log import write_only
from ding_cls.distributed.comm import barrier, broadcast_object
from ding_cls.errors import DiskError, RunStopped
from ding_cls.worker.eval_batches import EvaluationStoppedError
from ding_cls.worker.learner.saving import Saving

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """A context in which SIGTERM and Ctrl-C set ``received``; a second one takes its usual effect at once."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        # Python delivers signals to the main thread, and lets only that one install handlers.
        if threading.current_thread() is threading.main_thread():
            # A shell has a job that it starts in the background ignore Ctrl-C: so it stays.
            heard = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
            self._previous = {each: signal.signal(each, self._note) for each in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)
        self._previous = {}

    def request(self, reason: str) -> None:
        """Ask for a stop as a signal would."""
        self.received = self.received or reason

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        # Not print: the signal may have come in the middle of one.
        os.write(2, b"\nstopping after this update, and saving; another signal ends it at once, unsaved\n")
        for each, handler in self._previous.items():
            signal.signal(each, handler)


@contextmanager
def naming_last_checkpoint(engine: BaseLearner, keeper: CheckpointKeeper) -> Iterator[None]:
    """After an error in the block, say which checkpoint is the last good one; save nothing."""
    try:
        yield
    except Exception:
        files = keeper.iterations()
        last = f"the last checkpoint is '{files[0]}'" if files else "no checkpoint was saved yet"
        engine.logger.error(f"an error ended training after {engine.train_iter} updates; {last}")
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
    """
    saving.is_stop = True
    engine.history.pool()
    failure = saving.failure_of(engine.save_checkpoint)
    # A launcher that sees one process end stops the others, rank 0 in the middle of its file included.
    barrier()
    if failure := broadcast_object(failure):
        raise DiskError(
            f"stopped by {cause or 'another rank'} after {engine.train_iter} updates, and that state is not "
            f"saved: {failure}; free space, and go on with --resume"
        )
    name = engine.ckpt_name or f"iteration_{engine.train_iter}.pth.tar"
    folder = os.path.join(".", saving.keeper.folder)
    message = (
        f"stopped by {cause or 'another rank'} after {engine.train_iter} updates; "
        f"everything is saved in '{folder}'; go on "
    )
    command = resume_command(engine.exp_name)
    # A line of its own: it is there to be copied.
    message += f"from '{os.path.join(folder, name)}'" if command is None else f"with:\n{command}"
    if is_command_line():
        write_only(engine.logger, message, logging.WARNING)
    elif engine.rank == 0:
        engine.logger.warning(message)
    raise RunStopped(message)
