"""A run's checkpoints: where they lie, how many stay, which one is the newest good one."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ding_cls.checkpoint.state import read_checkpoint, write_checkpoint
from ding_cls.common.counting import first_few
from ding_cls.errors import CheckpointError

BEST_NAME = "ckpt_best.pth.tar"
CHECKPOINT_ENDINGS = (".pth.tar", ".pth", ".pt", ".safetensors")
_MAX_LISTED = 5
_ITERATION = re.compile(r"iteration_(\d+)\.pth\.tar")


def checkpoint_folder(exp_name: str | os.PathLike[str], out_dir: str | None = None) -> Path:
    """Return where the checkpoints of a run lie: in its own folder, or in one of its name in ``out_dir``."""
    return Path(exp_name, "ckpt") if out_dir is None else Path(out_dir, Path(exp_name).resolve().name)


def best_file(folder: str | os.PathLike[str]) -> Path:
    """Return the file of the best weights; where nothing was evaluated that of the latest.

    Args:
        folder: a run's, or that of its checkpoints.
    """
    inside = Path(folder, "ckpt")
    for place in (inside, Path(folder)):
        best = place / BEST_NAME
        files = [best] if best.is_file() else CheckpointKeeper(place).iterations()
        if files:
            return files[0]
    return inside / BEST_NAME


def checkpoint_file(path: str | os.PathLike[str]) -> Path:
    """Return the file that a user names: itself, or the best of a run's folder.

    Raises:
        CheckpointError: there is none; or it is the folder of a cross-validation, with a run for each fold.
            The message says what there is.
    """
    named = Path(path)
    if not named.is_dir():
        if not named.exists():
            raise CheckpointError(f"there is no checkpoint '{path}'{_beside(named)}")
        return named
    file = best_file(named)
    if file.is_file():
        return file
    folds = sorted(str(each) for each in named.glob("fold_*") if each.is_dir())
    if folds:
        raise CheckpointError(f"'{path}' holds the runs of {len(folds)} folds; name one, such as {folds[0]}")
    runs = sorted(str(each.parent) for each in named.glob("*/ckpt") if each.is_dir())
    if runs:
        raise CheckpointError(f"'{path}' is no run's folder; it has those of {_listed(runs)}: name one")
    content = sorted(each.name for each in named.iterdir() if not each.name.startswith("."))
    has = f" (it has {_listed(content)})" if content else " (it is empty)"
    raise CheckpointError(
        f"'{path}' holds no checkpoint{has}; name a run's folder with one in its ckpt/, or a file"
    )


def _beside(path: Path) -> str:
    """Return which checkpoints lie where one is missing: in its folder, or in the runs beside it."""
    folder = path.parent
    if not folder.is_dir():
        return ""
    files = sorted(each.name for each in folder.iterdir() if each.name.endswith(CHECKPOINT_ENDINGS))
    if files:
        return f"; '{folder}' has {_listed(files)}"
    runs = sorted(str(each.parent) for each in folder.glob("*/ckpt") if each.is_dir())
    return f"; there are the runs {_listed(runs)}" if runs else ""


def _listed(names: Sequence[str]) -> str:
    return first_few(names, _MAX_LISTED)


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
        if not self.folder.is_dir():
            return []
        numbered = [
            (int(match[1]), path)
            for path in self.folder.iterdir()
            if (match := _ITERATION.fullmatch(path.name))
        ]
        return [path for _, path in sorted(numbered, reverse=True)]

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
