"""The files of a cross-validation, in its folder and in those of its folds."""

import json
from pathlib import Path
from typing import Any

from ding_cls.errors import ConfigError, DataError

SETTINGS_NAME = "kfold.json"
"""How the data are divided, and what they are."""

CONFIG_NAME = "kfold_config.py"
"""The config that all folds are trained with."""


def judged_files(fold_folder: Path, *, use_last: bool) -> tuple[Path, Path]:
    """Return where the result of a judged fold lies, and its predictions."""
    name = "last" if use_last else "best"
    return fold_folder / f"judged_{name}.json", fold_folder / f"judged_{name}.npz"


def averaged_file(folder: Path, *, use_last: bool) -> Path:
    """Return where the result of the averaged prediction lies."""
    return folder / f"test_{'last' if use_last else 'best'}.json"


def read_json(path: Path, missing: str | None = None) -> dict[str, Any]:
    """Return what a file of ``write_json`` holds.

    Args:
        path: the file.
        missing: what to say where there is none.

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


def named(folder: Path, name: str, *, use_last: bool) -> Path:
    """Return a file of the whole: ``summary.json``, of the last checkpoints ``summary_last.json``."""
    stem, dot, ending = name.partition(".")
    return folder / (f"{stem}_last{dot}{ending}" if use_last else name)
