"""A run's checkpoints: where they lie, how many stay, which one is the newest good one."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ding_cls.checkpoint.state import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError

_ITERATION = re.compile(r"iteration_(\d+)\.pth\.tar")


class CheckpointKeeper:
    """The folder ``ckpt`` of a run.

    Args:
        folder: where the files lie; it is created with the first file.
        keep: how many ``iteration_N.pth.tar`` stay; older ones are removed after a newer one is on the disk.
            0 keeps all. Files of other names, and of a higher N than the one just written, are never removed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, keep: int = 3) -> None:
        self.folder = Path(folder)
        self._keep = keep

    def save(self, name: str, state: Mapping[str, Any]) -> Path:
        """Write ``state`` under ``name``, then remove what exceeds ``keep``; return the file.

        Raises:
            OSError: the file could not be written; all older files are still there.
        """
        path = self.folder / name
        write_checkpoint(path, state)
        self._sweep()
        files = self.iterations()
        if self._keep and path in files:
            # After a fallback, damaged files of higher numbers lie here: they do not count.
            for old in files[files.index(path) + self._keep :]:
                old.unlink(missing_ok=True)
        return path

    def iterations(self) -> list[Path]:
        """Return the ``iteration_N.pth.tar`` files, the highest N first."""
        if not self.folder.is_dir():
            return []
        numbered = [
            (int(match[1]), path)
            for path in self.folder.iterdir()
            if (match := _ITERATION.fullmatch(path.name))
        ]
        return [path for _, path in sorted(numbered, reverse=True)]

    def _sweep(self) -> None:
        """Remove what a process that was killed in mid-save left: a run has one writer, this one."""
        for leftover in self.folder.glob(".*.pth.tar.*.tmp"):
            leftover.unlink(missing_ok=True)

    def newest_good(self, logger: logging.Logger) -> tuple[Path, dict[str, Any]] | None:
        """Return the newest iteration file that passes its checks, with its state; None if there is no file
        at all.

        Args:
            logger: told the name of each file that is passed over, and why.

        Raises:
            CheckpointError: there are files, and none is good.
        """
        candidates = self.iterations()
        for path in candidates:
            try:
                return path, read_checkpoint(path)
            except CheckpointError as error:
                logger.warning(f"{error}; trying the one before it")
        if candidates:
            raise CheckpointError(f"none of the {len(candidates)} checkpoints in '{self.folder}' can be used")
        return None
