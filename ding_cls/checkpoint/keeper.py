"""A run's checkpoints: how many stay, which one is the newest good one."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ding_cls.checkpoint.places import BEST_NAME as BEST_NAME
from ding_cls.checkpoint.places import CHECKPOINT_ENDINGS as CHECKPOINT_ENDINGS
from ding_cls.checkpoint.places import best_file as best_file
from ding_cls.checkpoint.places import checkpoint_file as checkpoint_file
from ding_cls.checkpoint.places import checkpoint_folder as checkpoint_folder
from ding_cls.checkpoint.places import iteration_files
from ding_cls.checkpoint.state import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError


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

    def save(
        self, name: str, state: Mapping[str, Any], *, alias: str | None = None, is_only: bool = False
    ) -> Path:
        """Write ``state`` under ``name``, then remove what exceeds ``keep``; return the file.

        Args:
            name: the file's.
            state: what it holds.
            alias: a further name of the same file, which takes no space of its own and goes with it.
            is_only: the alias of the file that this one replaces goes too.

        Raises:
            SaveError: an OSError: the file could not be written; all older files are still there.
        """
        path = self.folder / name
        outdated = self._aliases(path) if is_only else []
        # First: half a file that a killed process left may take the room that this one needs.
        self._sweep()
        write_checkpoint(path, state)
        if alias is not None:
            self._link(path, self.folder / alias)
        for old in outdated:
            if old.name != alias:
                old.unlink(missing_ok=True)
        files = self.iterations()
        if self._keep and path in files:
            # After a fallback, damaged files of higher numbers lie here: they do not count.
            for old in files[files.index(path) + self._keep :]:
                for each in (*self._aliases(old), old):
                    each.unlink(missing_ok=True)
        return path

    def rewrite(self, name: str, state: Mapping[str, Any]) -> None:
        """Replace a file's state by another; its further names follow.

        Raises:
            SaveError: an OSError: the file could not be written, and is still the one it was.
        """
        path = self.folder / name
        aliases = self._aliases(path)
        write_checkpoint(path, state)
        for alias in aliases:
            self._link(path, alias)

    def iterations(self) -> list[Path]:
        """Return the ``iteration_N.pth.tar`` files, the highest N first."""
        return iteration_files(self.folder)

    def _link(self, path: Path, alias: Path) -> None:
        # Its name ends as that of any file which a killed process leaves behind.
        new = self.folder / f".{alias.name}.pth.tar.link.tmp"
        new.unlink(missing_ok=True)
        os.link(path, new)
        new.replace(alias)

    def _aliases(self, path: Path) -> list[Path]:
        """Return the further names of a file."""
        if not path.is_file() or path.stat().st_nlink == 1:
            return []
        return [each for each in self.folder.iterdir() if each.samefile(path) and each.name != path.name]

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
