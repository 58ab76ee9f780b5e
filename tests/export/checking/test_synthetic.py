"""Images for a check where there are no real ones."""

import numpy as np

from ding_cls.data import PipelinePreprocessing
from ding_cls.export.checking.synthetic import synthetic_images
from ding_cls.inference import Predictor
from tests.export.graphs import CLASSES, Pooled, tiny_predictor


def test_they_are_the_same_each_time_and_unlike_each_other() -> None:
    predictor = tiny_predictor()
    first, again = (synthetic_images(predictor, count=8) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert len({np.asarray(each).tobytes() for each in first}) == 8
    probabilities = np.stack([each.probabilities for each in predictor(list(first))])
    assert probabilities.std(0).min() > 1e-3


def test_without_a_resize_they_are_as_large_as_the_network_takes() -> None:
    as_it_is = PipelinePreprocessing([{"type": "Normalize", "mean": [0, 0, 0], "std": [255, 255, 255]}])
    fixed = Predictor(Pooled(), as_it_is, CLASSES, device="cpu")
    shapes = {np.asarray(each).shape for each in synthetic_images(fixed, size=(28, 20), count=4)}
    assert shapes == {(28, 20, 3)}
    resized = synthetic_images(tiny_predictor(), size=(8, 8), count=4)
    assert len({np.asarray(each).shape for each in resized}) == 4
