"""Predictions as text: lines for a reader, rows of a CSV, JSON or Parquet file for a program.

It must not know networks or images.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ding_cls.answers.prediction import UNKNOWN, Prediction, Ranked
from ding_cls.common.screen import in_a_line
from ding_cls.common.tables import write_table
from ding_cls.inference.base import BasePredictor


class Columns:
    """The columns of a table of predictions.

    ``image_id`` (the file's name), ``label`` (class number), ``path``, ``name``, ``score``, then ``name_2``,
    ``score_2`` and so on, ``error``, and a column for each class where its probability is wanted. Several
    labels, or those of several tasks, are joined by ``|``; of several labels there are no further names.
    Where images may be unknown, ``guess`` before ``error`` is the most likely class of each.

    Args:
        predictor: whose predictions they are.
        topk: how many names there are.
        with_probabilities: a column for each class; of several tasks ``1:NAME``, ``2:NAME`` and so on.
    """

    def __init__(self, predictor: BasePredictor, *, topk: int, with_probabilities: bool) -> None:
        self._has_set = predictor.has_several_labels
        self._num_places = 1 if self._has_set else min(topk, len(predictor.classes))
        places = range(2, self._num_places + 1)
        more = [f"{name}_{place}" for place in places for name in ("name", "score")]
        self._has_guess = predictor.thresholds is not None and not self._has_set
        guess = ["guess"] if self._has_guess else []
        fixed = ["image_id", "label", "path", "name", "score", *more, *guess, "error"]
        self._num_probabilities = 0
        classes: list[str] = []
        if with_probabilities:
            classes = _class_columns(predictor, taken=fixed)
            self._num_probabilities = len(classes)
        self.header = [*fixed, *classes]
        self.types = _types(predictor, self._num_places, len(classes), has_guess=self._has_guess)

    def row(self, prediction: Prediction) -> list[Any]:
        """Return the cells of one image: text, numbers, None, and lists where there are several values."""
        path = prediction.path or ""
        begin = [os.path.basename(path), _several(prediction.label), path]
        if prediction.error:
            before = [None] * (2 * self._num_places + self._has_guess)
            return [*begin, *before, prediction.error, *[None] * self._num_probabilities]
        first = Ranked(prediction.label or 0, prediction.name, prediction.score or 0.0)
        ranked = [first, *prediction.top(self._num_places)[1:]]
        if self._has_set:
            ranked = [Ranked(prediction.label or (), prediction.name, prediction.score or ())]
        cells: list[Any] = []
        for each in ranked:
            is_list = isinstance(each.label, tuple)
            names = [prediction.names[label] for label in each.label] if is_list else each.name  # type: ignore[union-attr]
            cells += [names, _several(each.score)]
        if prediction.is_unknown and isinstance(prediction.score, tuple):
            # A column of lists, in Parquet.
            cells[0] = [UNKNOWN]
        if self._has_guess:
            cells.append(prediction.top(1)[0].name)
        shares = prediction.probabilities.flatten().tolist() if self._num_probabilities else []
        return [*begin, *cells, "", *map(np.float32, shares)]


def _types(
    predictor: BasePredictor, num_places: int, num_probabilities: int, *, has_guess: bool
) -> list[Any]:
    """Return the types of the columns' values."""
    is_list = predictor.has_several_labels or predictor.num_tasks is not None
    label, name, score = (list[int], list[str], list[np.float32]) if is_list else (int, str, np.float32)
    guess = [str] if has_guess else []
    places = (name, score) * num_places
    return [str, label, str, *places, *guess, str, *([np.float32] * num_probabilities)]


def _class_columns(predictor: BasePredictor, *, taken: Sequence[str]) -> list[str]:
    names = []
    for each in predictor.classes:
        name = each
        while name in taken or (name != each and name in predictor.classes):
            name = f"class {name}"
        names.append(name)
    if predictor.num_tasks is None:
        return names
    return [f"{task}:{name}" for task in range(1, predictor.num_tasks + 1) for name in names]


def _several(value: Any) -> Any:
    """Return a tuple as a list; scores as float32, whose text is short."""
    if isinstance(value, tuple):
        return [_several(each) for each in value]
    return np.float32(value) if isinstance(value, float) else value


def write_predictions(
    out: str | os.PathLike[str], columns: Columns, predictions: Iterable[Prediction]
) -> None:
    """Publish a CSV, JSON or Parquet file with a row for each prediction, written as they come.

    Raises:
        ConfigError: the ending is of none.
        DataError: the file cannot be written.
    """
    write_table(out, columns.header, map(columns.row, predictions), types=columns.types)


def lines(
    prediction: Prediction,
    *,
    topk: int,
    threshold: float | None = None,
    has_own_thresholds: bool = False,
) -> Iterator[str]:
    """Yield an image's path and, below it, ``score name`` of its classes.

    Args:
        prediction: of one image.
        topk: how many classes, of each task.
        threshold: of several labels those that reach it are shown instead.
        has_own_thresholds: each label has its own.
    """
    yield prediction.path or ""
    if prediction.error:
        yield f"error: {prediction.error}"
        return
    ranked = prediction.top(len(prediction.names) if threshold is not None else topk)
    if threshold is not None:
        chosen = [each for each in ranked if each.label in prediction.label]  # type: ignore[operator]
        if not chosen:
            none = "none reaches its threshold" if has_own_thresholds else f"none from {threshold:g} on"
            yield f"{none}; the highest is {_line(ranked[0].score, ranked[0].name)}"
        yield from (_line(each.score, each.name) for each in chosen)
        return
    if prediction.is_unknown:
        yield f"{UNKNOWN}; the most likely:"
    if prediction.probabilities.ndim == 1:
        yield from (_line(each.score, each.name) for each in ranked)
        return
    for task in range(len(prediction.probabilities)):
        yield f"task {task + 1}"
        for each in ranked:
            yield _line(each.score[task], prediction.names[each.label[task]])  # type: ignore[index]


def _line(score: Any, name: str) -> str:
    return f"{score:.8f} {in_a_line(name)}"
