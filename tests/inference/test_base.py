"""Images in, predictions out, whatever computes the logits: here an image's mean red, green and blue."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.errors import ConfigError, DataError
from ding_cls.inference import BasePredictor
from ding_cls.inference.base import Groups
from ding_cls.inference.sources import Source, read_rgb

SETTINGS: dict[str, Any] = {
    "num_tasks": None,
    "has_several_labels": False,
    "threshold": 0.5,
    "batch_size": 2,
    "num_workers": 0,
    "calibration": None,
    "max_risk": None,
    "tta": False,
}
NAMES = ["red", "green", "blue"]


class Colours(BasePredictor):
    """Takes images of any size: those of one size together."""

    def __init__(self, classes: Sequence[str] = NAMES, **changes: Any) -> None:
        super().__init__(classes, **{**SETTINGS, **changes})
        self.counts: list[int] = []

    def prepare(self, source: Source) -> list[Any]:
        return [np.asarray(read_rgb(source), np.float32)]

    def stacked(self, pixels: Sequence[Any]) -> Any:
        return np.stack(pixels)

    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        for begin in range(0, len(sources), batch_size):
            found: dict[tuple[int, ...], tuple[list[int], list[Any]]] = {}
            errors = []
            for number in range(begin, min(begin + batch_size, len(sources))):
                try:
                    (image,) = self.prepare(sources[number])
                except DataError as error:
                    errors.append((number, str(error)))
                    continue
                numbers, images = found.setdefault(image.shape, ([], []))
                numbers.append(number)
                images.append(image)
            yield [(numbers, [self.stacked(images)]) for numbers, images in found.values()], errors

    def views(self, pixels: Sequence[Any]) -> list[Logits]:
        self.counts.append(len(pixels[0]))
        return [pixels[0].mean((1, 2)) / 255]


@pytest.fixture
def pictures() -> list[str]:
    """Of two sizes in turn, the third unreadable."""
    for number, colour in enumerate(("red", "lime", "blue", "blue", "red")):
        Image.new("RGB", (4, 4 + 2 * (number % 2)), colour).save(f"{number}.png")
    Path("2.png").write_text("no image")
    return [f"{number}.png" for number in range(5)]


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 9])
def test_order_stays_and_a_bad_image_stops_none(pictures: list[str], batch_size: int | None) -> None:
    predictor = Colours()
    found = predictor(pictures, batch_size=batch_size)
    assert [each.path for each in found] == pictures
    assert [each.name for each in found] == ["red", "green", "", "blue", "red"]
    assert "'2.png'" in found[2].error
    assert sum(predictor.counts) == 4


def test_images_prepared_by_themselves_are_answered_together_by_size(pictures: list[str]) -> None:
    predictor, good = Colours(), [each for each in pictures if each != "2.png"]
    found = predictor.answer([predictor.prepare(each) for each in good], [*good[:3], None])
    assert [(each.path, each.name) for each in found] == [
        *(("0.png", "red"), ("1.png", "green"), ("3.png", "blue"), (None, "red")),
    ]
    assert predictor.counts == [2, 2]
    for each, alone in zip(found, predictor(good), strict=True):
        assert np.array_equal(each.probabilities, alone.probabilities)


def test_numbers_out_of_their_range_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"threshold is 1\.5; it must lie in \[0, 1\]"):
        Colours(threshold=1.5)
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ConfigError, match="batch_size=0 must be at least 1"):
        Colours()(image, batch_size=0)
    with pytest.raises(ConfigError, match="num_workers=-1 at least 0"):
        Colours()(image, num_workers=-1)


def test_a_risk_takes_the_place_of_thresholds() -> None:
    fitted_on = {"split": "val", "digest": "", "num_samples": 100}
    curve = RiskCurve(100, (0.9, 0.6, 0.0), (10, 50, 100), (0, 2, 40))
    predictor = Colours(calibration=Calibration((1.0,), fitted_on, curve=curve), max_risk=10)
    assert predictor.risk_point is not None
    assert predictor.thresholds is not None
    assert predictor.thresholds.tolist() == [0.6] * 3
    assert predictor(np.zeros((4, 4, 3), np.uint8))[0].is_unknown


def test_it_says_what_it_is_in_a_line() -> None:
    assert repr(Colours()) == "<Colours of 3 classes: 'red', 'green', 'blue'>"
    many = repr(Colours([f"c{number}" for number in range(1000)], num_tasks=2, has_several_labels=True))
    assert many.startswith("<Colours of 2 tasks, 1,000 classes, several labels: 'c0', ")
    assert len(many) < 120
