"""Which run is gone on with, and from which of its checkpoints."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.common.files import latest_folder
from ding_cls.errors import ConfigError

SAVED_CONFIG = "total_config.py"
# Words that name where a run goes, in either spelling.
_FOLDER_WORDS = ("exp_name=", "work_dir=")


class NamedRun(NamedTuple):
    """What ``resume=`` names.

    Attributes:
        folder: the run's folder; None: the one that the config names.
        file: the checkpoint to go on from; None: the newest good one.
    """

    folder: str | None = None
    file: Path | None = None


def named_run(resume: bool | str | os.PathLike[str], exp_name: str | None = None) -> NamedRun:
    """Return which run, and which checkpoint of it, ``resume`` names.

    Args:
        resume: a run's folder, or a checkpoint in it; True and False name none.
        exp_name: the run's folder where the checkpoints lie elsewhere (``checkpoint.out_dir``).

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(resume, bool):
        return NamedRun()
    path = Path(resume)
    if path.is_dir():
        if is_run(path):
            return NamedRun(str(path))
        hint = f"; the run's is {path.parent}" if is_run(path.parent) else ""
        raise ConfigError(f"'{path}' is no run's folder: there is no {SAVED_CONFIG} in it{hint}")
    if not path.is_file():
        raise ConfigError(f"there is no run '{path}' to resume here; start it without --resume")
    for folder in (path.parent.parent, Path(exp_name or "")):
        if is_run(folder):
            return NamedRun(str(folder), path)
    raise ConfigError(f"'{path}' lies in no run's folder; name that too: --work-dir RUN")


def newest_checkpoint(
    folder: Path, checkpoints: Path, logger: logging.Logger
) -> tuple[str, str, Mapping[str, Any]]:
    """Return a run's folder, its newest good checkpoint, and what that holds.

    Raises:
        ConfigError: there is no run, or it has nothing to go on from.
        CheckpointError: none of its checkpoints is good.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no run '{folder}' to resume here; start it without --resume")
    found = CheckpointKeeper(checkpoints).newest_good(logger)
    if found is None and Path(checkpoints, BEST_NAME).is_file():
        raise ConfigError(
            f"the run '{folder}' has its best checkpoint alone, and no run goes on from that; start it anew "
            "without --resume, with policy.model.pretrained=FILE if it shall begin with those weights"
        )
    if found is None:
        raise ConfigError(f"the run '{folder}' has no checkpoint yet; start it anew without --resume")
    path, state = found
    logger.info(f"resuming from {path}")
    latest = latest_folder(folder)
    if latest is not None and latest != folder:
        logger.warning(f"there is a later run, '{latest}'; to continue that one instead: exp_name={latest}")
    return str(folder), str(path), state


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a run's."""
    return Path(folder, SAVED_CONFIG).is_file()


def without_folders(words: Sequence[str]) -> list[str]:
    """Return ``key=value`` words less those that name the run's folder: a run that is named stays where it
    is."""
    return [word for word in words if not word.startswith(_FOLDER_WORDS)]


def folder_in(words: Sequence[str]) -> str | None:
    """Return the run's folder that the last of ``key=value`` words to do so names."""
    named = [word for word in words if word.startswith(_FOLDER_WORDS)]
    return named[-1].partition("=")[2] if named else None


def set_newer_aside(checkpoints: Path, position: int) -> list[Path]:
    """Rename the iteration files after a position to ``....old``, so that none is taken for the newest.

    Returns:
        the files under their new names, the newest first.
    """
    aside = []
    for file in CheckpointKeeper(checkpoints).iterations():
        if int(file.name.split("_")[1].split(".")[0]) > position:
            aside.append(file.replace(file.with_name(f"{file.name}.old")))
    return aside
