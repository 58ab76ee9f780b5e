"""Which run is gone on with, and from which of its checkpoints."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from ding_cls.checkpoint import CheckpointKeeper, read_checkpoint
from ding_cls.checkpoint.form import RESUMED_RUN, check_form
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.common.command import is_part_of_whole, restart_command
from ding_cls.common.files import latest_folder
from ding_cls.config.tree import at, value_at
from ding_cls.errors import ChangedRunError, CheckpointError, ConfigError

SAVED_CONFIG = "total_config.py"
ORIGINS = "config_origins"
DROP_LAST = "policy.learn.learner.dataloader.drop_last"
_FOLDER_WORD = "exp_name="


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
    check_form(state, RESUMED_RUN, f"'{path}'")
    logger.info(f"resuming from {path}")
    latest = latest_folder(folder)
    if latest is not None and latest != folder:
        again = quote(str(latest))
        logger.warning(f"there is a later run, '{latest}'; to continue that one instead: --resume {again}")
    return str(folder), str(path), state


def named_checkpoint(file: Path) -> dict[str, Any]:
    """Return what a checkpoint holds that a user names.

    Raises:
        CheckpointError: it is damaged or malformed.
    """
    state = read_checkpoint(file)
    check_form(state, RESUMED_RUN, f"'{file}'")
    return state


@contextmanager
def name_restart_on_error(folder: str, file: str) -> Iterator[None]:
    """Say how a run that was changed is begun anew with the weights of its checkpoint, as it would be typed.

    Args:
        folder: the run's.
        file: the checkpoint.

    Raises:
        ChangedRunError: with that command.
    """
    try:
        yield
    except ChangedRunError as error:
        if error.remedy is not None:
            raise
        how = restart_command(folder, file) or f"policy.model.pretrained={file}"
        remedy = f"begin a new run with these weights: {how}"
        if is_part_of_whole():
            # One fold's weights have seen what the others are judged on.
            remedy = "begin the cross-validation anew, without --resume and in another folder"
        raise ChangedRunError(error.what, remedy) from error


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a run's."""
    return Path(folder, SAVED_CONFIG).is_file()


def without_folders(words: Sequence[str]) -> list[str]:
    """Return ``key=value`` words less those that name the run's folder: a run that is named stays where it
    is."""
    return [word for word in words if not word.startswith(_FOLDER_WORD)]


def folder_in(words: Sequence[str]) -> str | None:
    """Return the run's folder that the last of ``key=value`` words to do so names."""
    named = [word for word in words if word.startswith(_FOLDER_WORD)]
    return named[-1].partition("=")[2] if named else None


def newer_files(checkpoints: Path, position: int) -> list[Path]:
    """Return the checkpoints after a position: the best where it is one, and the iteration files, newest
    first."""
    numbered = CheckpointKeeper(checkpoints).iterations()
    newer = [file for file in numbered if int(file.name.split("_")[1].split(".")[0]) > position]
    best = Path(checkpoints, BEST_NAME)
    with suppress(CheckpointError):
        if best.is_file() and named_checkpoint(best)["last_iter"] > position:
            newer.insert(0, best)
    return newer


def set_aside(file: Path) -> Path:
    """Rename a checkpoint to ``....old``, so that it is not taken for the newest; return its new name."""
    return file.replace(file.with_name(f"{file.name}.old"))


def without_best(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's state in which no evaluation is the best yet: the file of that one is gone."""
    parts = dict(state.get("parts", {}))
    if "evaluator" in parts:
        parts["evaluator"] = {**parts["evaluator"], "best": None, "best_iter": -1}
    return {**state, "parts": parts}


def keep_batches(
    compiled: Any, given: Mapping[str, Any], checkpoint: Mapping[str, Any], logger: logging.Logger
) -> None:
    """Let a run go on as it was begun by a version that always left the rest of an epoch out."""
    saved = checkpoint.get("run", {}).get("config", {})
    if saved and at(saved, DROP_LAST) is None and at(given, DROP_LAST) is None:
        compiled.policy.learn.learner.dataloader.drop_last = True
        logger.info(f"this run was begun with whole batches alone, and goes on so: {DROP_LAST}=True")


def origin_fact(
    saved: Mapping[str, Any], now: Mapping[str, str], cfg: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Return, under its name, what set which value of a run's config, also where another command began it.

    Args:
        saved: what the checkpoint that it continues from says of it; empty of a new run.
        now: of this command; a line of the run's own config only repeats what was set before.
        cfg: the run's config. What says a value again that it had before has not set it.
    """
    known, former = saved.get(ORIGINS, {}), saved.get("config", {})
    typed = {
        path: place
        for path, place in now.items()
        if SAVED_CONFIG not in place and (path not in known or value_at(former, path) != value_at(cfg, path))
    }
    return {ORIGINS: {**known, **typed}}
