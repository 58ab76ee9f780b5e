"""A run's folder: which one it is, that nobody else writes into it, and when its name is given back."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import BEST_NAME, checkpoint_folder
from ding_cls.common.disk import disk_error
from ding_cls.common.files import create_unique_dir, missing_parents, remove_claimed
from ding_cls.common.folder_lock import FolderLock, lock_folder
from ding_cls.distributed import broadcast_object
from ding_cls.errors import ConfigError, DingError, DiskError
from ding_cls.pipeline.resume import NamedRun, named_checkpoint, newer_files, newest_checkpoint, without_best

_ROWS = Path("log", "metrics.jsonl")


@dataclass(slots=True)
class RunFolder:
    """The folder of a run that is open.

    Attributes:
        path: the folder, the same on all ranks.
        checkpoint: what the run continues from; None for a new one.
        newer: checkpoints after that one.
        file: where it lies; empty for a new run.
    """

    path: str
    checkpoint: Mapping[str, Any] | None = None
    newer: list[Path] = field(default_factory=list)
    file: str = ""
    _lock: FolderLock | None = None
    _parents: list[Path] = field(default_factory=list)

    def release(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()

    def give_back(self, checkpoints: Path, *, num_updates: int) -> None:
        """Remove the folder of a new run in which nothing was trained: the next try takes the same name.

        Args:
            checkpoints: where its checkpoints go.
            num_updates: how many it has done.
        """
        is_new = self._lock is not None and self.checkpoint is None
        if is_new and num_updates == 0 and not checkpoints.exists() and not has_rows(self.path):
            self.release()
            remove_claimed(self.path, self._parents)


def has_rows(folder: str | Path) -> bool:
    """Return whether a run has written down a result, of training or of an evaluation."""
    rows = Path(folder, _ROWS)
    with suppress(OSError):
        return rows.stat().st_size > 0
    return False


def checkpoints_of(cfg: Any, exp_name: str | None = None) -> Path:
    """Return where the checkpoints of a run go."""
    return checkpoint_folder(exp_name or cfg.exp_name, cfg.policy.learn.learner.checkpoint.out_dir)


def choose_folder(
    cfg: Any, rank: int, *, is_resumed: bool, named: NamedRun, logger: logging.Logger
) -> RunFolder:
    """Return the run's folder, locked by rank 0, and what it continues from.

    Args:
        cfg: the compiled config.
        rank: this process.
        is_resumed: the run continues.
        named: which checkpoint to continue from, where one is named.
        logger: says which one it is.

    Raises:
        ConfigError: there is no such run, it is in use, or no folder can be made.
        CheckpointError: none of its checkpoints is good.
        DiskError: the disk is full or cannot be written.
    """
    found, error, is_disk = RunFolder(""), "", False
    if rank == 0:
        try:
            found = _locked_folder(cfg, is_resumed=is_resumed, named=named, logger=logger)
        except DingError as refused:
            error, is_disk = str(refused), isinstance(refused, DiskError)
        except OSError as refused:
            line = disk_error(refused)
            error, is_disk = (
                str(line or f"the run's folder '{cfg.exp_name}' cannot be made: {refused}"),
                line is not None,
            )
    # All ranks learn of a refusal, or the others would wait for a name that never comes.
    found.path, found.file, error, is_disk, found.newer = broadcast_object(
        (found.path, found.file, error, is_disk, found.newer)
    )
    if error:
        raise (DiskError if is_disk else ConfigError)(error, is_on_all_ranks=True)
    if found.file:
        state = found.checkpoint or read_checkpoint(found.file)
        is_best_newer = any(each.name == BEST_NAME for each in found.newer)
        found.checkpoint = without_best(state) if is_best_newer else state
    return found


@contextmanager
def locked(folder: Path, *, name: str = "run") -> Iterator[None]:
    """Let this process alone write into a folder, or a part of it, while the block runs."""
    lock = lock_folder(folder, name=name)
    try:
        yield
    finally:
        lock.release()


def _locked_folder(cfg: Any, *, is_resumed: bool, named: NamedRun, logger: logging.Logger) -> RunFolder:
    folder = cfg.exp_name
    if not is_resumed:
        parents = missing_parents(folder)
        folder = str(create_unique_dir(folder))
        try:
            _check_unused(cfg, folder)
            return RunFolder(folder, _lock=_locked(folder, logger), _parents=parents)
        except (DingError, OSError):
            remove_claimed(folder, parents)
            raise
    lock = _locked(folder, logger) if Path(folder).is_dir() else None
    try:
        if named.file is None:
            folder, path, state = newest_checkpoint(Path(folder), checkpoints_of(cfg), logger)
            return RunFolder(folder, state, file=path, _lock=lock)
        state = named_checkpoint(named.file)
        newer = newer_files(checkpoints_of(cfg), state["last_iter"])
        logger.info(f"resuming from {named.file}")
        return RunFolder(folder, state, newer, file=str(named.file), _lock=lock)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def _locked(folder: str, logger: logging.Logger) -> FolderLock:
    lock = lock_folder(folder)
    if not lock.has_flock:
        logger.warning(
            f"files in '{folder}' cannot be locked on this system: a second process is refused by the time "
            "of the first one's last sign of life alone"
        )
    return lock


def _check_unused(cfg: Any, folder: str) -> None:
    """Refuse to write into the checkpoints of another run."""
    checkpoints = checkpoints_of(cfg, folder)
    if checkpoints.is_dir() and any(checkpoints.iterdir()):
        raise ConfigError(
            f"policy.learn.learner.checkpoint.out_dir: '{checkpoints}' holds files of another run; name "
            "another exp_name or out_dir"
        )
