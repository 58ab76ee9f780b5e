"""Evaluations of tiny runs, each made once: what reports are gathered from."""

from pathlib import Path

import pytest

from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from tests.inference.conftest import images, several, tasks, trained

__all__ = ["images", "several", "tasks", "trained"]


@pytest.fixture(scope="session")
def found(trained: Path) -> EvaluationReport:
    """The evaluation of a run on 20 images of four classes, with logits."""
    return evaluate_checkpoint(trained, keep_predictions=True)
