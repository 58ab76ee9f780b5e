"""Where the checkpoints of a run lie, found without torch.

It must not know what is in them.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

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
        files = [best] if best.is_file() else iteration_files(place)
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


def iteration_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the ``iteration_N.pth.tar`` files in a folder, the highest N first."""
    if not os.path.isdir(folder):
        return []
    numbered = [
        (int(match[1]), path) for path in Path(folder).iterdir() if (match := _ITERATION.fullmatch(path.name))
    ]
    return [path for _, path in sorted(numbered, reverse=True)]
