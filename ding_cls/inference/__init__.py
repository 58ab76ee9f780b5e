"""A trained network put to use: predictions for images that nobody has labelled.

It knows checkpoints, networks and preprocessing; it must not know how a network is trained.
"""

from ding_cls.inference.images import find_images
from ding_cls.inference.loading import load
from ding_cls.inference.openmmlab import inference_model, init_model, show_result_pyplot
from ding_cls.inference.predictor import Prediction, Predictor

__all__ = [
    "Prediction",
    "Predictor",
    "find_images",
    "inference_model",
    "init_model",
    "load",
    "show_result_pyplot",
]
