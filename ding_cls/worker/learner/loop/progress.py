"""A live bar on a terminal; nothing elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ding_cls.common.logs.streams import tolerant_streams
from ding_cls.worker.learner.engine import Engine

_REFRESH_S = 0.1


@contextmanager
def progress_bar(engine: Engine) -> Iterator[Callable[[], None]]:
    """Show epoch, updates and the time left while the block runs; yield what to call after each update.

    Only rank 0 on a terminal draws. Log lines printed meanwhile appear above the bar.
    """
    # Whatever hooks print, and the bar itself: a reader that went away must not cost the run.
    with tolerant_streams(), _bar(engine) as show:
        yield show


@contextmanager
def _bar(engine: Engine) -> Iterator[Callable[[], None]]:
    if engine.rank != 0 or not sys.stdout.isatty():
        yield lambda: None
        return
    # rich takes 0.1 s to import: only who sees the bar pays for it.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=engine.max_iter, completed=engine.train_iter, epoch=engine.epoch)
        due = 0.0

        def show() -> None:
            nonlocal due
            if time.perf_counter() < due:
                return
            due = time.perf_counter() + _REFRESH_S
            progress.update(task, completed=engine.train_iter, epoch=engine.epoch_info[0])

        yield show
