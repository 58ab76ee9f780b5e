"""Networks: our ResNets, any torchvision classifier by name, weights into them, wrappers around them.

A model maps images to logits. This room must not know data, losses, optimizers or configs.
"""

from ding_cls.models.build import build_model, model_names
from ding_cls.models.pretrained import LoadReport, classifier_layer, load_pretrained
from ding_cls.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from ding_cls.models.weights import fetch_weights, read_weights
from ding_cls.models.wrap import BaseModelWrapper, model_wrap, unwrap

__all__ = [
    "BaseModelWrapper",
    "LoadReport",
    "ResNet",
    "build_model",
    "classifier_layer",
    "fetch_weights",
    "load_pretrained",
    "model_names",
    "model_wrap",
    "read_weights",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "unwrap",
]
