"""Answers of the application: equal to predict's, whatever else is asked at the same time."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ding_cls
from ding_cls.cli import main
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained
from tests.serve.requests.client import GREEN, PNG, RED, client_of, files
from tests.serve.toy import ColourPredictor, Differentiable, painted


def test_answers_equal_those_of_predict_whatever_else_is_in_the_batch(trained: Path, images: Path) -> None:
    predictor = ding_cls.load(trained)
    paths = sorted((images / "val").rglob("*.png"))
    records = predictor(paths)
    bodies = [path.read_bytes() for path in paths]
    with client_of(predictor, queue=64) as client, ThreadPoolExecutor(8) as threads:

        def ask(number: int) -> list[Any]:
            chosen = [(number + step) % len(bodies) for step in range(1 + number % 5)]
            response = client.post("/predict", files=files(*(bodies[each] for each in chosen)))
            found = response.json()
            return list(zip(chosen, [found] if len(chosen) == 1 else found, strict=True))

        asked = [each for group in threads.map(ask, range(40)) for each in group]
        text = client.get("/metrics").text
    assert len(asked) == 120
    for number, answer in asked:
        record = records[number]
        assert (answer["label"], answer["name"]) == (record.label, record.name)
        assert answer["score"] == pytest.approx(record.score, abs=1e-5)
        found = {each["label"]: each["score"] for each in answer["top"]}
        assert np.abs([found[each] - record.probabilities[each] for each in range(4)]).max() <= 1e-5
    assert 'ding_cls_images_total{outcome="answered"} 120.0' in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["trained", "several", "tasks"])
def test_every_kind_of_network_answers_as_predict_writes(
    kind: str, images: Path, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    paths = sorted((images / "val").rglob("*.png"))
    assert main(["predict", str(run), str(images / "val"), "--tta", "--out", "p.json"]) == 0
    rows = json.loads(Path("p.json").read_text())
    with client_of(ding_cls.load(run, tta=True)) as client:
        answers = client.post("/predict", files=files(*(path.read_bytes() for path in paths))).json()
    for row, answer in zip(rows, answers, strict=True):
        assert (answer["label"], answer["name"]) == (row["label"], row["name"])
        assert np.ravel(answer["score"]) == pytest.approx(np.ravel(row["score"]), abs=1e-5)
    assert len(rows) == 20


def test_an_unreadable_image_is_an_error_by_itself_and_in_its_place_among_others() -> None:
    with client_of() as client:
        alone = client.post("/predict", content=RED[:60], headers=PNG)
        assert alone.status_code == 422
        assert alone.json()["error"].startswith("the image is ")
        several = client.post("/predict", files=files(RED, b"no image", GREEN))
    assert several.status_code == 200
    first, second, third = several.json()
    assert (first["name"], third["name"]) == ("red", "green")
    assert second["error"] == "'1.png' is text, not a picture"
    assert second["file"] == "1.png"
    assert set(second) == {"error", "id", "file"}


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with client_of(max_pixels=2400) as client:
        assert client.post("/predict", content=RED, headers=PNG).status_code == 200
        response = client.post("/predict", content=painted(1, 2, 3, size=(60, 41)), headers=PNG)
        assert response.status_code == 413
        assert "(60 x 41) has more pixels than the limit" in response.json()["error"]
        assert (
            client.post("/explain", content=painted(1, 2, 3, size=(60, 41)), headers=PNG).status_code == 404
        )


def test_names_that_are_no_utf_8_are_answered_like_all_others() -> None:
    with client_of(ColourPredictor(("b\udcff", "<&>", "שלום"))) as client:
        response = client.post("/predict", content=RED, headers=PNG)
        assert response.json()["name"] == "b\udcff"
        assert response.content.isascii()
        assert client.get("/openapi.json").status_code == 200
        assert client.get("/model").status_code == 200


def test_few_heat_maps_are_made_at_once() -> None:
    with client_of(Differentiable()) as client:
        client.app.state.service.num_explaining = 4  # type: ignore[attr-defined]
        response = client.post("/explain", content=RED, headers=PNG)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
