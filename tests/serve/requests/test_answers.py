"""The JSON of an answer beside predict's records: one label, several, several tasks, unknown."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.inference.outputs.table import Columns, write_predictions
from ding_cls.serve.requests.answers import answer_of
from tests.serve.toy import COLOURS, ColourPredictor, demanding

IMAGE = Image.new("RGB", (4, 4), (210, 190, 20))


def answered(predictor: ColourPredictor, *, topk: int = 5) -> dict[str, Any]:
    answer = answer_of(predictor([IMAGE])[0], predictor, topk=topk)
    return json.loads(json.dumps(answer))


def test_one_label_has_number_name_score_and_the_likeliest_classes() -> None:
    predictor = ColourPredictor()
    (record,) = predictor([IMAGE])
    answer = answered(predictor)
    assert list(answer) == ["label", "name", "score", "top"]
    assert (answer["label"], answer["name"]) == (record.label, record.name) == (0, "red")
    assert np.float32(answer["score"]) == np.float32(record.score)
    assert [each["label"] for each in answer["top"]] == [0, 1, 2]
    assert [np.float32(each["score"]) for each in answer["top"]] == record.probabilities[[0, 1, 2]].tolist()
    assert len(answered(predictor, topk=2)["top"]) == 2


@pytest.mark.parametrize(
    "arguments", [{}, {"num_tasks": 2}, {"has_several_labels": True}, {"calibration": demanding(3)}]
)
def test_the_values_are_those_of_predicts_json(arguments: dict) -> None:
    predictor = ColourPredictor(**arguments)
    columns = Columns(predictor, topk=1, with_probabilities=False)
    write_predictions("p.json", columns, predictor([IMAGE]))
    with open("p.json", encoding="utf-8") as file:
        (row,) = json.load(file)
    answer = answered(predictor)
    for name in ("label", "score", *(("guess",) if "guess" in row else ())):
        assert answer[name] == row[name]
    assert answer["name"] == row["name"]


def test_several_labels_are_lists_and_the_top_has_all_classes() -> None:
    answer = answered(ColourPredictor(has_several_labels=True))
    assert answer["label"] == [0, 1]
    assert answer["name"] == ["red", "green"]
    assert len(answer["score"]) == 2
    assert [each["name"] for each in answer["top"]] == ["red", "green", "blue"]
    none = answered(ColourPredictor(has_several_labels=True, threshold=1.0))
    assert (none["label"], none["name"], none["score"]) == ([], [], [])


def test_several_tasks_have_a_place_each() -> None:
    answer = answered(ColourPredictor(num_tasks=2))
    assert answer["label"] == [0, 1]
    assert answer["top"][0] == {key: answer[key] for key in ("label", "name", "score")}
    assert len(answer["top"]) == 3


def test_an_unknown_image_has_a_guess_and_no_label() -> None:
    answer = answered(ColourPredictor(calibration=demanding(3)))
    assert answer["label"] is None
    assert answer["name"] == "unknown"
    assert answer["guess"] == "red"
    assert answer["score"] == answer["top"][0]["score"]


def test_names_stay_as_they_are() -> None:
    names = ('a|b "<&>"', "שלום,\n", "b\udcff")
    answer = answered(ColourPredictor(names, has_several_labels=True, threshold=0.0))
    assert answer["name"] == list(names)
    assert len(COLOURS) == len(names)
