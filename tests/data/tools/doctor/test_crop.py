"""The share of an image that is left, against the steps themselves on an image of coordinates."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.data import PipelinePreprocessing
from ding_cls.data.tools.doctor.crop import DEFAULT_STEPS, crop_in_words, kept_share

PIPELINES: list[list[dict[str, Any]]] = [
    list(DEFAULT_STEPS),
    [{"type": "Resize", "size": [64, -1], "adaptive_side": "long"}, {"type": "CenterCrop", "crop_size": 40}],
    [{"type": "Resize", "size": 64}, {"type": "CenterCrop", "crop_size": [32, 48]}],
    [{"type": "CenterCrop", "crop_size": 96, "efficientnet_style": True, "crop_padding": 32}],
    [{"type": "Resize", "size": [50, 60]}],
]


@pytest.mark.parametrize("steps", PIPELINES)
@pytest.mark.parametrize("size", [(400, 300), (250, 500), (320, 320)])
def test_the_share_is_that_of_the_steps(steps: list[dict[str, Any]], size: tuple[int, int]) -> None:
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([rows * 255 / (height - 1), columns * 255 / (width - 1), 0 * rows], axis=-1)
    out = PipelinePreprocessing(steps)(Image.fromarray(pixels.astype(np.uint8)))
    seen = np.asarray(out)
    spans = [(int(seen[..., axis].max()) - int(seen[..., axis].min()) + 1) / 256 for axis in (0, 1)]
    assert kept_share(steps, width, height) == pytest.approx(spans[0] * spans[1], abs=0.05)


def test_what_is_not_known_is_not_told() -> None:
    assert kept_share([{"type": "Pad", "size": 4}], 4, 4) is None
    assert crop_in_words([{"type": "MyStep"}, *DEFAULT_STEPS]) == ""
    assert crop_in_words([{"type": "Resize", "size": 64}]) == ""
    assert crop_in_words(DEFAULT_STEPS) == "resizing to 256 px and cutting out the middle 224 px"
