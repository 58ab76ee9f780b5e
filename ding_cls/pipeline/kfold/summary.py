"""The outcome of a cross-validation: mean and spread of the folds, out-of-fold predictions, and their table.

It reads the files in the folder; it trains and evaluates nothing.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.answers.evaluation.files import write_arrays
from ding_cls.answers.show import Display, digits_of, is_percentage, show_value
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.common.tables import write_json, write_table
from ding_cls.config import checked_config
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.user_code import import_user_code
from ding_cls.errors import ConfigError, DataError
from ding_cls.inference.saved_run import label_threshold
from ding_cls.metrics import build_metric
from ding_cls.pipeline.checks.labels import described_metric_of
from ding_cls.pipeline.kfold.files import (
    CONFIG_NAME,
    SETTINGS_NAME,
    averaged_file,
    fold_files,
    read_json,
    whole_file,
)
from ding_cls.pipeline.kfold.predictions import kind_of, lines, probabilities, result_of
from ding_cls.pipeline.train import PARTS


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One fold.

    Attributes:
        fold: its number, from 0.
        result: of the metric on the held-out samples.
        train_iter: updates that the evaluated weights have seen.
        num_train: samples that were trained on.
        num_held_out: samples that were evaluated.
        checkpoint: the file of these weights.
    """

    fold: int
    result: dict[str, Any]
    train_iter: int
    num_train: int
    num_held_out: int
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class KFoldResult:
    """What a cross-validation came to.

    Attributes:
        run_folder: the folder of all its files.
        num_splits: number of folds.
        is_last: the last checkpoint of each fold was evaluated, not the best.
        folds: those that are finished.
        missing: numbers of those that are not.
        mean: of each number of the results, over the finished folds.
        spread: the sample standard deviation (n - 1) of the same; empty with fewer than two folds.
        out_of_fold: results over all samples, each by the network that was not trained
            on it, and ``num_samples``; None while folds are missing.
        test: results of the networks' averaged prediction of the test split; None without one.
        num_classes: classes in the data.
    """

    run_folder: Path
    num_splits: int
    is_last: bool
    folds: list[FoldResult]
    missing: list[int]
    mean: dict[str, float]
    spread: dict[str, float]
    out_of_fold: dict[str, Any] | None
    test: dict[str, Any] | None
    num_classes: int


def kfold_summary(
    folder: str | os.PathLike[str], *, use_last: bool = False, allow_code: bool = False
) -> KFoldResult:
    """Read what the finished folds left, sum it up, and write it beside them.

    ``summary.json`` holds the fields of the result. Once no fold is missing ``out_of_fold.csv`` has one line
    for each sample, in the order of the data (its number, path, label, prediction, score and fold), and
    ``out_of_fold.npz`` the same with ``sample_ids``, ``names``, ``targets``, ``logits`` and ``folds``. With
    ``use_last`` all names end in ``_last``.

    Args:
        folder: of the cross-validation.
        use_last: of the last checkpoints, where those were evaluated.
        allow_code: import the modules that the config's ``custom_imports`` names.

    Raises:
        ConfigError: there is no cross-validation, or no fold is finished.
        DataError: a file cannot be read or written, or the folds do not cover the data.
    """
    folder = Path(folder)
    record = read_json(folder / SETTINGS_NAME, f"there is no cross-validation '{folder}' to sum up here")
    num_splits = record["division"]["num_splits"]
    all_files = {number: fold_files(folder, number, use_last=use_last) for number in range(num_splits)}
    files = {number: each for number, each in all_files.items() if each[0].is_file()}
    if not files:
        raise ConfigError(
            f"no fold in '{folder}' is finished and evaluated by its {'last' if use_last else 'best'} "
            f"checkpoint: ding-cls kfold --resume --work-dir {folder}{' --use-last' if use_last else ''}"
        )
    folds = [_fold_result(folder, result_file) for result_file, _ in files.values()]
    mean, spread = mean_and_spread([each.result for each in folds])
    missing = sorted(all_files.keys() - files.keys())
    out_of_fold = None
    if not missing:
        columns = _gathered(files, record["num_samples"])
        cfg = _config(folder, allow_code=allow_code)
        out_of_fold = _evaluated(cfg, columns)
        _write_out_of_fold(
            folder, columns, record["classes"], threshold=label_threshold(cfg), use_last=use_last
        )
    test = averaged_file(folder, use_last=use_last)
    found = KFoldResult(
        run_folder=folder,
        num_splits=num_splits,
        is_last=use_last,
        folds=folds,
        missing=missing,
        mean=mean,
        spread=spread,
        out_of_fold=out_of_fold,
        test=read_json(test) if test.is_file() else None,
        num_classes=len(record["classes"]),
    )
    write_json(whole_file(folder, "summary.json", use_last=use_last), _plain(found, record["division"]))
    return found


def mean_and_spread(results: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and sample standard deviation (n - 1) of each number that all results have."""
    names = [name for name in results[0] if all(_is_number(each.get(name)) for each in results)]
    values = {name: np.array([each[name] for each in results], np.float64) for name in names}
    mean = {name: float(column.mean()) for name, column in values.items()}
    if len(results) < 2:
        return mean, {}
    return mean, {name: float(column.std(ddof=1)) for name, column in values.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def print_kfold(result: KFoldResult) -> None:
    """Print a table of the folds, their mean and spread, and the names of the files."""
    console = Console(highlight=False, soft_wrap=True)
    names = list(Display(num_classes=result.num_classes)(result.mean))
    heads = (f"{name} %" if is_percentage(name) else escape(name) for name in names)
    table = Table("fold", "update", "trained on", "held out", *heads)
    for each in result.folds:
        counts = (str(each.fold), str(each.train_iter), f"{each.num_train:,}", f"{each.num_held_out:,}")
        table.add_row(*counts, *_cells(each.result, names))
    table.add_section()
    table.add_row("mean", "", "", "", *_cells(result.mean, names))
    if result.spread:
        table.add_row("spread", "", "", "", *_cells(result.spread, names))
    for label, values in (("all, out of fold", result.out_of_fold), ("test, averaged", result.test)):
        if values is not None:
            table.add_row(label, "", "", f"{values['num_samples']:,}", *_cells(values, names))
    console.print(table)
    which = "best checkpoint, chosen on the held-out part" if _is_chosen(result) else "last checkpoint"
    console.print(
        f"n = {len(result.folds)} folds of {result.num_splits}, each evaluated by its {which}; "
        "spread: sample standard deviation",
        markup=False,
    )
    if result.missing:
        console.print(f"missing: fold {', '.join(map(str, result.missing))}", markup=False)
    for label, name, is_there in (
        ("summary", "summary.json", True),
        ("samples", "out_of_fold.csv", result.out_of_fold is not None),
        ("test", "test_predictions.csv", result.test is not None),
    ):
        if is_there:
            file = whole_file(result.run_folder, name, use_last=result.is_last)
            console.print(f"{label + ':':9}{file}", markup=False)


def _is_chosen(result: KFoldResult) -> bool:
    """Return whether the held-out samples chose the weights: a run without validation has only its last."""
    return any(each.checkpoint.name == BEST_NAME for each in result.folds)


def _cells(values: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [escape(show_value(values.get(name, ""), digits_of(name))) for name in names]


def _fold_result(folder: Path, file: Path) -> FoldResult:
    values = read_json(file)
    # A result that is no number was written as null.
    result = {name: math.nan if value is None else value for name, value in values["result"].items()}
    checkpoint = folder / values["checkpoint"]
    return FoldResult(**{**values, "result": result, "checkpoint": checkpoint})


def _config(folder: Path, *, allow_code: bool) -> Any:
    """Return the config of all folds."""
    cfg, _ = read_config_with_origins(folder / CONFIG_NAME)
    import_user_code(cfg, is_allowed=allow_code)
    classes: dict[str, Any] = dict(PARTS)
    return checked_config(cfg, None, **classes)


def _evaluated(cfg: Any, columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return the results of the config's metric over the samples of all folds."""
    logits, targets = (torch.from_numpy(columns[name]) for name in ("logits", "targets"))
    metric = build_metric(described_metric_of(cfg.policy.eval.metric, kind_of(targets)))
    return {**result_of(metric, logits, targets), "num_samples": len(targets)}


def _gathered(files: Mapping[int, tuple[Path, Path]], num_samples: int) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of all folds in the order of the data, each sample once."""
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for number, (_, file) in files.items():
        try:
            with np.load(file, allow_pickle=False) as arrays:
                for name in ("sample_ids", "names", "targets", "logits"):
                    parts.setdefault(name, []).append(arrays[name])
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(f"'{file}' cannot be read: {error}; remove its folder") from error
        parts.setdefault("folds", []).append(np.full(len(parts["sample_ids"][-1]), number, np.int64))
    columns = {name: np.concatenate(each) for name, each in parts.items()}
    order = np.argsort(columns["sample_ids"], kind="stable")
    columns = {name: each[order] for name, each in columns.items()}
    if not np.array_equal(columns["sample_ids"], np.arange(num_samples)):
        raise DataError(f"the folds' predictions are not those of {num_samples} samples, each once")
    return columns


def _write_out_of_fold(
    folder: Path,
    columns: Mapping[str, npt.NDArray[Any]],
    classes: Sequence[str],
    *,
    threshold: float,
    use_last: bool,
) -> None:
    logits, targets = (torch.from_numpy(columns[name]) for name in ("logits", "targets"))
    own = {"threshold": threshold} if kind_of(targets) == "several" else {}
    write_arrays(whole_file(folder, "out_of_fold.npz", use_last=use_last), {**columns, **own})
    found = lines(probabilities(logits, targets), targets, classes, threshold=threshold)
    known = (columns[name].tolist() for name in ("sample_ids", "names", "folds"))
    rows = ((number, name, *line, fold) for number, name, fold, line in zip(*known, found, strict=True))
    header = ("sample", "path", "label", "predicted", "score", "fold")
    write_table(whole_file(folder, "out_of_fold.csv", use_last=use_last), header, rows)


def _plain(found: KFoldResult, division: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``summary.json`` holds."""
    return {
        **division,
        "checkpoint": "best" if _is_chosen(found) else "last",
        "folds": [
            {**asdict(each), "checkpoint": os.path.relpath(each.checkpoint, found.run_folder)}
            for each in found.folds
        ],
        "missing": found.missing,
        "n": len(found.folds),
        "mean": found.mean,
        "spread": found.spread,
        "out_of_fold": found.out_of_fold,
        "test": found.test,
    }
