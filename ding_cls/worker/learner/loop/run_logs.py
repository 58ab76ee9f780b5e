"""A run's numbers: rows in ``metrics.jsonl`` and to trackers, TensorBoard's events. None can end the run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ding_cls.common.logs.append import LogFailures
from ding_cls.common.logs.events import TENSORBOARD, resume_events, write_at_once
from ding_cls.common.logs.metrics_file import MetricsFile


class RunTracker(Protocol):
    """Gets every row of a run; see ``hooks.trackers``."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Take one row of ``metrics.jsonl``."""

    def end(self, status: str) -> None:
        """Send what waits, and close: FINISHED, KILLED or FAILED."""


class RunLogs:
    """The files of one run, on rank 0; elsewhere nothing is written.

    Args:
        folder: the run's log folder.
        tb_logger: its TensorBoard writer, or None.
        position: returns the number of finished updates.
        is_writing: whether this is rank 0.
    """

    def __init__(
        self, folder: Path, tb_logger: Any, *, position: Callable[[], int], is_writing: bool
    ) -> None:
        self._folder, self._is_writing = folder, is_writing
        self.failures = LogFailures()
        self._metrics = MetricsFile(folder / "metrics.jsonl", self.failures)
        write_at_once(tb_logger, position)

    def append(self, row: Mapping[str, Any], trackers: Iterable[RunTracker] = ()) -> None:
        """Add a row to ``metrics.jsonl``, and give it to trackers."""
        if self._is_writing:
            self._metrics.append(row)
            for tracker in trackers:
                tracker.write(row)

    @contextmanager
    def tensorboard(self) -> Iterator[None]:
        """Write to TensorBoard in the block: what goes wrong is a warning, once."""
        with self.failures.survived(TENSORBOARD):
            yield

    def resume(self, tb_logger: Any, train_iter: int, *kinds: str) -> None:
        """Drop what a run that resumes after ``train_iter`` updates will write again.

        Args:
            tb_logger: the run's writer, or None.
            train_iter: the checkpoint's position.
            kinds: of rows at this very position that are known to be written again.
        """
        if self._is_writing:
            self.drop_rows(train_iter, *kinds)
            with self.tensorboard():
                resume_events(tb_logger, self._folder, train_iter)

    def drop_rows(self, train_iter: int, *kinds: str) -> None:
        """Drop the rows after ``train_iter``, and those at it of these kinds."""
        if self._is_writing:
            self._metrics.cut_after(train_iter, kinds_at=frozenset(kinds))

    def close(self) -> None:
        """Write the rows that could not be written before, if they can be now."""
        self._metrics.close()
