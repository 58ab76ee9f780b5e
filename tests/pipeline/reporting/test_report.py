"""A checkpoint becomes one page: whole, bounded, and never over a file of another's."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import SyntheticDataset
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.evaluate import evaluate
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting import report as module
from ding_cls.pipeline.reporting.report import default_path, gather_record, report, run_folder_of
from ding_cls.report import ReportRecord, write_report_page


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[ReportRecord]:
    """What would be drawn, instead of a page."""
    drawn: list[ReportRecord] = []

    def write(path: Path, record: ReportRecord) -> None:
        drawn.append(record)

    monkeypatch.setattr(module, "write_report_page", write)
    monkeypatch.setattr(module, "heat_maps", lambda *arguments: ({}, ""))
    return drawn


def test_the_numbers_are_those_of_eval(trained: Path, records: list[ReportRecord]) -> None:
    path = report(trained, split="train")

    (record,) = records
    expected = evaluate(trained, split="train")
    assert path == trained / "report_train.html"
    assert record.results["acc1"] == expected["acc1"]
    assert record.samples is not None
    assert len(record.samples) == expected["num_samples"] == 40
    assert len(record.samples.thumbnails) == 40
    assert record.is_trained_on
    assert record.rows
    assert record.phases


def test_training_images_are_known_wherever_they_lie(
    trained: Path, tmp_path: Path, records: list[ReportRecord]
) -> None:
    learn_data_path = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")["run"]["config"]["policy"][
        "collect"
    ]["learn_data_path"]
    copied = shutil.copytree(learn_data_path, tmp_path / "elsewhere")

    report(trained, data=copied, out=tmp_path / "page.html")

    assert records[0].is_trained_on


@pytest.mark.parametrize("run", ["several", "tasks"])
def test_several_labels_and_tasks_have_a_report(
    run: str, records: list[ReportRecord], request: pytest.FixtureRequest
) -> None:
    report(request.getfixturevalue(run))

    (record,) = records
    assert not record.is_trained_on
    assert record.label_issues is None
    assert record.class_scores is not None
    assert not record.reliability


def test_a_page_replaces_a_report_and_nothing_else(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "heat_maps", lambda *arguments: ({}, ""))
    out = tmp_path / "page.html"
    assert report(trained, out=out) == out
    first = out.stat().st_size
    assert report(trained, out=out).stat().st_size == pytest.approx(first, rel=0.1)
    out.write_text("<html>my notes</html>")

    with pytest.raises(DataError, match="is there and no report of ding-cls"):
        report(trained, out=out)

    assert out.read_text() == "<html>my notes</html>"


def test_what_cannot_be_written_is_said_before_the_evaluation(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluated(*arguments: Any, **settings: Any) -> EvaluationReport:
        raise AssertionError("evaluated all the same")

    monkeypatch.setattr(module, "evaluate_checkpoint", evaluated)
    with pytest.raises(ConfigError, match=r"must end in \.html or \.htm"):
        report(trained, out=tmp_path / "page.pdf")
    (tmp_path / "a.html").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        report(trained, out=tmp_path / "a.html")
    monkeypatch.setattr("ding_cls.report.page.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[report\]'"):
        report(trained)


def test_each_checkpoint_split_and_data_has_a_file_of_its_own(tmp_path: Path) -> None:
    best = tmp_path / "run" / "ckpt" / "ckpt_best.pth.tar"
    (tmp_path / "run" / "log").mkdir(parents=True)

    assert default_path(best) == default_path(best, split="val") == tmp_path / "run" / "report.html"
    assert default_path(best, split="test").name == "report_test.html"
    assert default_path(best, data="some/pets.csv").name == "report_pets.html"
    later = best.with_name("iteration_40.pth.tar")
    assert default_path(later, split="test").name == "report_iteration_40_test.html"
    assert default_path(later, is_the_runs=True).name == "report.html"
    alone = tmp_path / "weights.pth.tar"
    assert default_path(alone) == tmp_path / "report_weights.html"


def test_a_bare_checkpoint_has_a_report_without_curves(
    trained: Path, tmp_path: Path, records: list[ReportRecord]
) -> None:
    file = shutil.copy(trained / "ckpt" / "ckpt_best.pth.tar", tmp_path / "alone.pth.tar")

    report(file)

    assert run_folder_of(Path(file)) is None
    assert records[0].rows == []
    assert records[0].phases == []
    assert records[0].config


def _synthetic(found: EvaluationReport, count: int, num_classes: int) -> EvaluationReport:
    """Return an evaluation of many generated images, of which 70 % are right."""
    random = torch.Generator().manual_seed(0)
    targets = torch.arange(count) % num_classes
    logits = torch.randn(count, num_classes, generator=random)
    is_right = torch.rand(count, generator=random) < 0.7
    answers = torch.where(is_right, targets, torch.randint(num_classes, (count,), generator=random))
    logits[torch.arange(count), answers] += 4 + 4 * torch.rand(count, generator=random)
    records = SampleAnswers.of("one", np.arange(count), targets.numpy(), logits.numpy(), threshold=0.5)
    dataset = SyntheticDataset(count, num_classes, 224)
    return replace(found, records=records, num_samples=count, dataset=dataset, classes=dataset.classes)


@pytest.mark.slow
def test_a_thousand_classes_and_50000_images_take_a_minute_and_20_mb(
    found: EvaluationReport, tmp_path: Path
) -> None:
    state = read_checkpoint(found.checkpoint)
    large = _synthetic(found, 50_000, 1000)
    began = time.process_time()
    record = gather_record(large, state, model=torch.nn.Identity())
    write_report_page(tmp_path / "page.html", record)
    seconds = time.process_time() - began

    size = (tmp_path / "page.html").stat().st_size
    assert size < 20_000_000
    assert seconds < 60
