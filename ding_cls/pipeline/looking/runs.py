"""Runs as rows of a table, each by what its evaluations were compared by."""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ding_cls.config import read_config
from ding_cls.config.tree import at
from ding_cls.errors import ConfigError, DingError
from ding_cls.metrics import IMetric, build_metric
from ding_cls.pipeline.resume import SAVED_CONFIG
from ding_cls.report.curves import judged_names, read_rows
from ding_cls.report.run_table import RunRow
from ding_cls.worker.evaluation.best import Ranking

# The run has refused a number of a data set that it did not have.
_ANY_PARTS = 1_000_000


def run_rows(runs: Mapping[str, str | os.PathLike[str]]) -> list[RunRow]:
    """Return a row for each run.

    What is best is chosen as the run itself chose it: by its ``save_best`` and ``rule``, or else by its
    metric. A metric of one's own is not imported: of its first result the name must tell what is better,
    else no best is named.

    Args:
        runs: the folder of each, by its name.

    Raises:
        DataError: a folder is no run's.
    """
    return [_row(name, folder) for name, folder in runs.items()]


def _row(name: str, folder: str | os.PathLike[str]) -> RunRow:
    epochs = read_rows(folder, "epoch")
    trained = [row for row in read_rows(folder, "eval") if row["train_iter"]]
    ranking, key = _ranking(folder, trained)
    best = None if ranking is None else _best(ranking, trained)
    seconds = [row["seconds"] for row in epochs if row.get("seconds") is not None]
    losses = [row["train_loss"] for row in epochs if row.get("train_loss") is not None]
    return RunRow(
        name=name,
        num_epochs=len(epochs),
        judged=key,
        best=None if best is None else best[key],
        best_iter=None if best is None else best["train_iter"],
        last=(trained[-1][key] if trained[-1].get(key) is not None else math.nan) if trained else None,
        train_loss=losses[-1] if losses else None,
        epoch_s=sum(seconds) / len(seconds) if seconds else None,
    )


def _best(ranking: Ranking, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row that the run called its best; None: none could be, or nothing says which is better."""
    best: dict[str, Any] | None = None
    for row in rows:
        result = _result(row)
        try:
            if ranking.can_compare(result) and ranking.is_better(result, best and _result(best)):
                best = row
        except ConfigError:
            return None
    return best


def _ranking(folder: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> tuple[Ranking | None, str]:
    """Return what compares the results of a run, and the name of the result that decides."""
    evaluator: Any = {}
    metric: IMetric = _OfTheUser()
    with suppress(DingError):
        section = at(read_config(Path(folder, SAVED_CONFIG)), "policy.eval") or {}
        evaluator = section.get("evaluator") or {}
        metric = build_metric(section.get("metric"))
    first = next(iter(judged_names([rows])), "loss")
    key = evaluator.get("save_best")
    for each, rule in ((key, evaluator.get("rule")), (first, None)):
        # Without the metric's class its first result stands for it.
        if isinstance(metric, _OfTheUser) and not isinstance(each, str):
            continue
        # A run whose rows and config do not belong together has its first result too.
        with suppress(ConfigError, LookupError, StopIteration):
            ranking = Ranking(
                metric,
                key=each,
                rule=rule,
                greater_keys=evaluator.get("greater_keys", ()),
                less_keys=evaluator.get("less_keys", ()),
                num_parts=_ANY_PARTS,
            )
            return ranking, next(
                ranking.score(row)[0] for row in map(_result, rows) if ranking.can_compare(row)
            )
    return None, first


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results in a row; null stands for what was not finite."""
    given = {name: value for name, value in row.items() if name not in ("kind", "train_iter")}
    return {name: math.nan if value is None else value for name, value in given.items()}


class _OfTheUser(IMetric):
    """Stands for a metric whose class is not imported here."""

    def eval(self, inputs: Any, label: Any) -> Any:
        raise NotImplementedError

    def reduce_mean(self, inputs: Any) -> Any:
        raise NotImplementedError

    def gt(self, metric1: Any, metric2: Any) -> bool:
        raise NotImplementedError
