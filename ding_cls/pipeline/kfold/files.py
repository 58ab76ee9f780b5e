"""The files of a cross-validation, in its folder and in those of its folds."""

import json
from pathlib import Path
from typing import Any

from ding_cls.errors import ConfigError, DataError

SETTINGS_NAME = "kfold.json"
"""How the data are divided, and what they are."""

CONFIG_NAME = "kfold_config.py"
"""The config that all folds are trained with."""


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of one fold's run."""
    return folder / f"fold_{fold}"


def fold_files(folder: Path, fold: int, *, use_last: bool) -> tuple[Path, Path]:
    """Return the files with the result and the predictions of an evaluated fold."""
    stem = fold_folder(folder, fold) / f"judged_{_which(use_last)}"
    return stem.with_suffix(".json"), stem.with_suffix(".npz")


def averaged_file(folder: Path, *, use_last: bool) -> Path:
    """Return the file with the result of the averaged prediction."""
    return folder / f"test_{_which(use_last)}.json"


def whole_file(folder: Path, name: str, *, use_last: bool) -> Path:
    """Return a file of all folds: ``summary.json``, of the last checkpoints ``summary_last.json``."""
    path = folder / name
    return path.with_stem(f"{path.stem}_last") if use_last else path


def read_json(path: Path, missing: str | None = None) -> dict[str, Any]:
    """Return the content of a file of ``write_json``.

    Args:
        path: the file.
        missing: the message where there is none.

    Raises:
        ConfigError: there is none.
        DataError: it cannot be read.
    """
    if not path.is_file():
        raise ConfigError(missing or f"there is no file '{path}'; name another folder")
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {error}; remove it, and go on with --resume") from error
    return values


def _which(use_last: bool) -> str:
    return "last" if use_last else "best"
