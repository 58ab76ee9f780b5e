"""A trained network put to use: predictions for images that nobody has labelled.

It knows checkpoints, networks and preprocessing; it must not know how a network is trained. Each name is
looked up when it is used: an ONNX file predicts where there is no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ding_cls.answers.prediction import Prediction
    from ding_cls.inference.base import BasePredictor
    from ding_cls.inference.opening import load
    from ding_cls.inference.openmmlab import inference_model, init_model, show_result_pyplot
    from ding_cls.inference.predictor import Predictor
    from ding_cls.inference.sources import find_images

_HOMES = {
    "BasePredictor": "inference.base",
    "Prediction": "answers.prediction",
    "Predictor": "inference.predictor",
    "find_images": "inference.sources",
    "inference_model": "inference.openmmlab",
    "init_model": "inference.openmmlab",
    "load": "inference.opening",
    "show_result_pyplot": "inference.openmmlab",
}

__all__ = [
    "BasePredictor",
    "Prediction",
    "Predictor",
    "find_images",
    "inference_model",
    "init_model",
    "load",
    "show_result_pyplot",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ding_cls.inference' has no attribute '{name}'")
    return getattr(import_module(f"ding_cls.{_HOMES[name]}"), name)
