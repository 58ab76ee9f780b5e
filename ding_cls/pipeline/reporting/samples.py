"""What an evaluation says of its samples and classes, as the records that a report is drawn from.

It must not know files or networks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.answers.calibration import KEY as CALIBRATION
from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.images import readable_names
from ding_cls.metrics import plain_totals
from ding_cls.metrics.analysis.label_errors import find_label_errors
from ding_cls.metrics.calibration import CalibrationError, bins_of
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import sample_paths
from ding_cls.report.records import ClassScores, JudgedSamples, LabelIssue, Reliability

NUM_LABEL_ISSUES = 10_000
"""So many likely label errors are listed at most."""

_MIN_FOR_ISSUES = 20
_NUM_BINS = 15
# Logits of so many samples are turned into probabilities together.
_ROWS = 2048
_NO_CLASS = -1


def judged_samples(report: EvaluationReport) -> JudgedSamples:
    """Return names, answers and how sure they are, without images."""
    records = report.records
    paths = sample_paths(report.dataset)
    names = [_named(paths[index], index) for index in records.sample_ids.tolist()]
    if records.kind == "one":
        has_class = records.predicted < len(report.classes)
        return JudgedSamples(
            names=names,
            is_right=records.is_right,
            scores=records.scores,
            targets=class_numbers_of(records),
            predicted=np.where(has_class, records.predicted, _NO_CLASS),
        )
    shown = readable_names(report.classes)
    rows = list(records.rows(paths, shown))
    return JudgedSamples(
        names=names,
        is_right=records.is_right,
        scores=_sureness(records),
        target_texts=[_joined(row[2]) for row in rows],
        predicted_texts=[_joined(row[4]) for row in rows],
    )


def class_numbers_of(records: SampleAnswers) -> npt.NDArray[Any]:
    """Return the class number of each sample, int64 ``(N,)``; of shares of the classes the largest one's."""
    return records.targets.argmax(1) if records.targets.ndim == 2 else records.targets


def class_scores(report: EvaluationReport) -> ClassScores:
    """Return precision, recall and F1 as ``ding-cls eval`` prints them; NaN for a class without an image."""
    found = report.records.by_class(len(report.classes))
    images = found.pop("images").astype(np.int64)
    scores = {name: np.where(images > 0, values, np.nan) for name, values in found.items()}
    return ClassScores(**scores, support=images)


def temperature_in(state: Mapping[str, Any]) -> float | None:
    """Return what ``ding-cls calibrate`` has left in a checkpoint: one temperature, or None."""
    temperatures = (state.get(CALIBRATION) or {}).get("temperature", ())
    return float(temperatures[0]) if len(temperatures) == 1 else None


def reliability_of(records: SampleAnswers, temperature: float | None = None) -> list[Reliability]:
    """Return the bins of the expected calibration error, and that itself, as ``eval --metric ece`` gives it.

    Args:
        records: with logits. Nothing where a label is not one class number.
        temperature: that of the checkpoint's calibration; then what it makes of them comes second.
    """
    if records.kind != "one" or records.targets.ndim != 1 or not len(records.targets):
        return []
    if temperature is None:
        return [_reliability(records)]
    return [
        replace(_reliability(records), name="as trained"),
        replace(_reliability(records, temperature), name=f"calibrated, temperature {temperature:.4g}"),
    ]


def _reliability(records: SampleAnswers, temperature: float | None = None) -> Reliability:
    metric = CalibrationError(_NUM_BINS)
    totals, counts = metric.zeros(), torch.zeros(_NUM_BINS, dtype=torch.int64)
    for first in range(0, len(records.targets), _ROWS):
        logits = torch.from_numpy(records.logits[first : first + _ROWS])
        logits = logits if temperature is None else logits.double() / temperature
        sums = metric.sums(logits, torch.from_numpy(records.targets[first : first + _ROWS]))
        totals = {name: totals[name] + sums[name] for name in totals}
        scores = logits.double().softmax(1).amax(1).nan_to_num(0.0)
        counts += bins_of(scores, _NUM_BINS).bincount(minlength=_NUM_BINS)
    filled = counts.clamp_min(1).numpy()
    return Reliability(
        edges=np.linspace(0.0, 1.0, _NUM_BINS + 1),
        confidence=totals["scores"].numpy() / filled,
        accuracy=totals["hits"].numpy() / filled,
        count=counts.numpy(),
        ece=metric.result(plain_totals(totals))["ece"],
    )


def label_issues(records: SampleAnswers) -> tuple[list[LabelIssue] | None, int]:
    """Return the likely label errors, the likeliest first, and how many there are in all.

    Args:
        records: with logits. None where a label is not one class number, or the samples are too few.
    """
    if records.kind != "one" or records.targets.ndim != 1 or len(records.targets) < _MIN_FOR_ISSUES:
        return None, 0
    labels = records.targets
    found = find_label_errors(records.logits, labels)
    total = int(found.is_likely.sum())
    positions = found.order[: min(total, NUM_LABEL_ISSUES)]
    issues = [LabelIssue(int(each), int(labels[each]), int(found.suggested[each])) for each in positions]
    return issues, total


def _named(path: str, index: int) -> str:
    """Return the name of a sample; one that is only its number says so."""
    return f"sample {index}" if path == str(index) else path


def _sureness(records: SampleAnswers) -> npt.NDArray[np.float64]:
    """Return how sure the surest wrong answer about each sample is; of a right sample the least sure one."""
    scores, surest = records.scores, records.sureness()
    if records.kind == "several":
        scores = np.where(records.predicted, scores, 1.0 - scores)
    return np.where(records.is_right, scores.min(1), np.where(surest < 0, np.nan, surest))


def _joined(names: Sequence[str | None]) -> str:
    return ", ".join(each for each in names if each is not None) or "none"
