"""Heat maps beside their images: one of each image, named as it, with the class that it is for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.inference.outputs import heat_pictures
from ding_cls.inference.outputs.heat_pictures import HeatPictures
from ding_cls.inference.outputs.new_folder import OutputFolder
from ding_cls.inference.sources import Source
from tests.inference.outputs.test_pictures import predictor_of, recorded_captions, run, tree


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The lines that are drawn, image by image."""
    return recorded_captions(monkeypatch, heat_pictures)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_a_heat_map_lies_beside_the_image(batch_size: int, captions: list[list[str]]) -> None:
    half = np.zeros((16, 16, 3), np.uint8)
    half[:, 8:] = 255
    sources: list[Source] = [half, half[:, ::-1], "torn.png", half]
    Path("torn.png").write_bytes(b"\x89PNG")
    predictor = predictor_of()
    writer = HeatPictures(OutputFolder("out", "--cam"), predictor, sources, batch_size=batch_size)
    assert run(writer, predictor, sources) == "3 heat maps in out"
    assert tree() == ["image 0.png", "image 1.png", "image 3.png"]
    (record, *_) = predictor(half)
    assert captions[0] == [f"{record.score:.3f}  ash"]
    with Image.open("out/image 0.png") as picture:
        assert picture.width == 640
        assert picture.height > 320
        pixels = np.asarray(picture).astype(int)
    assert np.array_equal(pixels[:320:20, :320:20], half)
    assert pixels[100, 630, 0] > pixels[100, 330, 0] + 100
    with Image.open("out/image 1.png") as picture:
        turned = np.asarray(picture).astype(int)
    assert turned[100, 330, 0] > turned[100, 630, 0] + 100


@pytest.mark.slow
def test_each_task_has_a_line_below_its_heat_map(captions: list[list[str]]) -> None:
    predictor = predictor_of(num_tasks=2)
    sources: list[Source] = [np.full((16, 16, 3), 255, np.uint8)]
    run(HeatPictures(OutputFolder("out", "--cam"), predictor, sources, batch_size=4), predictor, sources)
    assert [line.split(":")[0] for line in captions[0]] == ["task 1", "task 2"]
