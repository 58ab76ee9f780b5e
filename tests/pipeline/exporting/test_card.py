"""A card's results are those of eval, with their intervals; recorded ones say so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.inference import load
from ding_cls.inference.saved_run import config_for_here
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.exporting.card import CardSource, gather_card
from ding_cls.pipeline.exporting.snippets import plain_description
from ding_cls.report.model_card import CardRecord

BEST = Path("ckpt", "ckpt_best.pth.tar")


@pytest.fixture(scope="module")
def source(trained: Path) -> CardSource:
    state = read_checkpoint(trained / BEST)
    cfg = config_for_here(state["run"]["config"], trained)
    predictor = load(trained, device="cpu")
    found = evaluate_checkpoint(trained)
    return CardSource(trained / BEST, state, cfg, predictor, plain_description(cfg.policy.model), found, "")


def gathered(source: CardSource, **changes: Any) -> CardRecord:
    return gather_card(replace(source, **changes), file="x.pth", num_bytes=1, sha256="ab")


def test_the_results_are_those_of_eval(source: CardSource) -> None:
    record = gathered(source)
    assert source.found is not None
    by_key = {each.key: each for each in record.results}
    assert by_key["acc1"].value == source.found.result["acc1"]
    low, high = source.found.intervals["acc1"]
    assert by_key["acc1"].interval == f"{low:.1f} to {high:.1f}"
    assert record.results_about.startswith("Measured for this card on 20 images")
    assert (record.split, record.title, record.network) == ("val", "run", "TinyBackbone")
    assert record.model[0][1] == "ImageClassifier of TinyBackbone, GlobalAveragePooling, LinearClsHead"
    assert record.notes == []


def test_recorded_results_say_which_update_they_are_of(source: CardSource) -> None:
    note = "the data of the run could not be read"
    record = gathered(source, found=None, note=note)
    about = f"As the run recorded them, without intervals: when this card was written, {note}."
    assert record.results_about == about
    assert not any(each.interval for each in record.results)
    later = gathered(source, found=None, note=note, state={**source.state, "last_iter": 99})
    assert later.results_about.endswith("not of these weights.")
    parts = {**source.state["parts"], "evaluator": {"last_result": {}}}
    none = gathered(source, found=None, note=note, state={**source.state, "parts": parts})
    assert none.results == []
    assert none.results_about == f"Not measured: {note}, and the run has recorded no results."


def test_results_of_training_images_have_a_note(source: CardSource) -> None:
    assert source.found is not None
    record = gathered(source, found=replace(source.found, split="train"))
    assert record.notes == ["The results are of images that it was trained on."]
