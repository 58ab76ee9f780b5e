"""What a network looked at, laid over what the evaluation read."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import PipelinePreprocessing
from ding_cls.inference import load
from ding_cls.inference.cam import heat_maps as maps_of
from ding_cls.inference.saved_run import preprocessing_in
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import sample_paths
from ding_cls.pipeline.reporting import heat_maps as module
from ding_cls.pipeline.reporting.heat_maps import heat_maps
from ding_cls.report.overlay import lay_over


@pytest.fixture(scope="module")
def preprocessing(found: EvaluationReport) -> PipelinePreprocessing:
    return preprocessing_in(read_checkpoint(found.checkpoint)["run"], found.checkpoint)


@pytest.mark.slow
def test_a_map_is_that_of_the_file(found: EvaluationReport, preprocessing: PipelinePreprocessing) -> None:
    pytest.importorskip("pytorch_grad_cam")
    path = sample_paths(found.dataset)[4]

    maps, note = heat_maps(found, [(4, 4)], preprocessing)

    assert note == ""
    (heat,) = maps_of(load(found.checkpoint), [path], [int(found.records.predicted[4])])
    expected = lay_over(found.dataset.load(4)[0].numpy(), heat)
    shown = np.asarray(Image.open(io.BytesIO(maps[4])))
    assert np.array_equal(shown, expected)


def test_without_the_package_the_page_says_how_to_get_it(
    found: EvaluationReport, preprocessing: PipelinePreprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    maps, note = heat_maps(found, [(4, 4)], preprocessing)

    assert maps == {}
    assert "pip install 'ding_cls[cam]'" in note


def test_no_answer_and_several_labels_have_no_map(
    found: EvaluationReport, preprocessing: PipelinePreprocessing
) -> None:
    predicted = found.records.predicted.copy()
    predicted[4] = len(found.classes)
    bad = replace(found, records=replace(found.records, predicted=predicted))
    several = replace(found, records=replace(found.records, kind="several"))

    assert heat_maps(bad, [(4, 4)], preprocessing) == ({}, "")
    assert heat_maps(several, [(3, 3)], preprocessing) == ({}, "")
