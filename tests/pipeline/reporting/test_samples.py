"""Samples, classes, calibration and label errors of an evaluation, as a report shows them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.metrics.calibration import CalibrationError
from ding_cls.pipeline.evaluate import evaluate, evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import sample_paths
from ding_cls.pipeline.reporting.samples import (
    class_scores,
    judged_samples,
    label_issues,
    reliability_of,
    temperature_in,
)
from ding_cls.report import worst_mistakes


def _records(logits: torch.Tensor, targets: torch.Tensor) -> SampleAnswers:
    return SampleAnswers.of("one", np.arange(len(targets)), targets.numpy(), logits.numpy(), threshold=0.5)


def test_samples_are_those_of_the_evaluation_and_mistakes_have_its_order(found: EvaluationReport) -> None:
    samples = judged_samples(found)

    assert list(samples.names) == sample_paths(found.dataset)
    assert samples.targets is not None
    assert samples.targets.tolist() == found.records.targets.tolist()
    assert worst_mistakes(samples) == found.records.mistakes()


def test_an_answer_that_is_no_number_is_no_class(found: EvaluationReport) -> None:
    predicted = found.records.predicted.copy()
    predicted[0] = len(found.classes)

    samples = judged_samples(replace(found, records=replace(found.records, predicted=predicted)))

    assert samples.predicted is not None
    assert samples.predicted[0] == -1


def test_class_scores_are_those_of_eval_and_unknown_without_an_image(found: EvaluationReport) -> None:
    wider = replace(found, classes=(*found.classes, "yew"))

    scores, rows = class_scores(wider), found.per_class()

    assert scores.support.tolist() == [*(row["images"] for row in rows), 0]
    assert scores.recall[:-1].tolist() == [row["recall"] for row in rows]
    assert np.isnan(scores.f1[-1])


def test_calibration_error_is_that_of_eval(found: EvaluationReport, trained: Path) -> None:
    (reliability,) = reliability_of(found.records)

    assert reliability.ece == pytest.approx(evaluate(trained, metric="ece")["ece"], abs=1e-12)


def test_bins_add_up_to_the_error_over_many_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5000, 7, generator=generator)
    targets = torch.randint(7, (5000,), generator=generator)

    (bins,) = reliability_of(_records(logits, targets))

    assert bins.count.sum() == 5000
    gaps = bins.count / 5000 * np.abs(bins.accuracy - bins.confidence)
    assert gaps.sum() == pytest.approx(bins.ece, abs=1e-12)
    metric = CalibrationError()
    assert bins.ece == pytest.approx(metric.eval(logits, targets)["ece"], abs=1e-12)


def test_a_calibration_has_a_diagram_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5000, 7, generator=generator)
    targets = torch.randint(7, (5000,), generator=generator)
    temperature = temperature_in({"calibration": {"temperature": [2.5]}})

    before, after = reliability_of(_records(logits, targets), temperature)

    assert temperature_in({}) is None
    assert before.ece == reliability_of(_records(logits, targets))[0].ece
    expected = CalibrationError().eval(logits.double() / 2.5, targets)["ece"]
    assert after.ece == pytest.approx(expected, abs=1e-12)
    assert after.name == "calibrated, temperature 2.5"


def test_the_likeliest_label_error_comes_first() -> None:
    logits = torch.eye(3).repeat(20, 1) * 4
    targets = torch.arange(3).repeat(20)
    targets[7] = 0

    issues, total = label_issues(_records(logits, targets))

    assert total == 1
    assert issues is not None
    assert (issues[0].position, issues[0].given, issues[0].suggested) == (7, 0, 1)


def test_few_samples_have_no_label_errors() -> None:
    assert label_issues(_records(torch.eye(3), torch.arange(3))) == (None, 0)


@pytest.mark.parametrize("run", ["several", "tasks"])
def test_several_labels_and_tasks_are_in_words(run: str, request: pytest.FixtureRequest) -> None:
    found = evaluate_checkpoint(request.getfixturevalue(run), keep_predictions=True)

    samples = judged_samples(found)

    assert samples.targets is None
    assert samples.target_texts is not None
    assert len(samples.target_texts) == found.num_samples
    assert worst_mistakes(samples) == found.records.mistakes()
    assert reliability_of(found.records) == []
    assert label_issues(found.records) == (None, 0)
