"""Heat maps as files: the same as those that predict draws."""

import io
import sys
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ding_cls.data import Preprocessing
from ding_cls.errors import DataError
from ding_cls.inference.cam import heat_maps, shown_image
from ding_cls.inference.ensemble import Ensemble
from ding_cls.inference.predictor import Predictor
from ding_cls.report.overlay import lay_over
from ding_cls.serve.explain import Explainer, why_no_maps
from tests.serve.toy import ColourPredictor

# The library that makes maps takes three seconds to import.
pytestmark = pytest.mark.slow

pytest.importorskip("pytorch_grad_cam")

CLASSES = ("ash", "birch", "cedar")


class Convolutions(nn.Module):
    """Two convolutions and a mean."""

    def __init__(self, *, num_tasks: int | None = None, offset: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 3 * (num_tasks or 1), 3, padding=1)
        self.head.num_tasks = num_tasks
        self.offset = offset

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.head(torch.relu(self.stem(images))).mean((2, 3)) + self.offset
        return logits if self.head.num_tasks is None else logits.reshape(len(logits), -1, 3)


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), np.uint8))


def predictor_of(network: nn.Module, size: int = 16, **arguments: Any) -> Predictor:
    preprocessing = Preprocessing(image_size=size, resize_size=size)
    return Predictor(network, preprocessing, CLASSES, device="cpu", **arguments)


def pixels(file: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(file))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    return np.asarray(picture)


@pytest.mark.parametrize(("has_several_labels", "num_tasks"), [(False, None), (True, None), (False, 2)])
def test_the_file_is_the_map_laid_over_what_the_network_sees(
    image: Image.Image, has_several_labels: bool, num_tasks: int | None
) -> None:
    predictor = predictor_of(Convolutions(num_tasks=num_tasks), has_several_labels=has_several_labels)
    assert predictor.num_tasks == num_tasks
    explainer = Explainer(predictor)
    for _ in range(2):
        seen = pixels(explainer.seen(image))
        assert np.array_equal(seen, shown_image(predictor, image).repeat(20, 0).repeat(20, 1))
        (heat,) = heat_maps(predictor, [image])
        assert heat.max() > 0.99
        assert np.array_equal(pixels(explainer.heat_map(image)), lay_over(seen, heat))


def test_an_output_of_nan_is_no_picture(image: Image.Image) -> None:
    with pytest.raises(DataError, match="holds NaN"):
        Explainer(predictor_of(Convolutions(offset=float("nan")))).heat_map(image)


def test_why_there_are_no_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = predictor_of(Convolutions()), predictor_of(Convolutions(), size=8)
    assert why_no_maps(one) is why_no_maps(Ensemble([one, one], ["a", "b"])) is None
    assert "differently" in str(why_no_maps(Ensemble([one, other], ["a", "b"])))
    assert "gradients" in str(why_no_maps(ColourPredictor()))
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    assert "pip install" in str(why_no_maps(one))
