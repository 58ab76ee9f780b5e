"""Train, judge and ship image classifiers.

A ``Policy`` owns network, optimizer and loss; a ``BaseLearner`` runs iterations and calls ``LearnerHook``s; a
``MetricSerialEvaluator`` applies an ``IMetric``, exactly, on any number of processes. Importing the package
imports nothing else; each name is looked up when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ding_cls.config import compile_config, read_config
    from ding_cls.data import (
        DistributedSampler,
        ImageNetDataset,
        Preprocessing,
        build_eval_loader,
        build_train_loader,
        load_rgb,
    )
    from ding_cls.distributed import dist_finalize, dist_init
    from ding_cls.errors import DingError
    from ding_cls.inference import load
    from ding_cls.metrics import ImageClassificationMetric, IMetric
    from ding_cls.models import build_model
    from ding_cls.pipeline import TrainResult, evaluate, kfold, train
    from ding_cls.policy import ImageClassificationPolicy, Policy
    from ding_cls.worker import BaseLearner, LearnerHook, MetricSerialEvaluator

_HOMES = {
    "BaseLearner": "worker",
    "DingError": "errors",
    "DistributedSampler": "data",
    "IMetric": "metrics",
    "ImageClassificationMetric": "metrics",
    "ImageClassificationPolicy": "policy",
    "ImageNetDataset": "data",
    "LearnerHook": "worker",
    "MetricSerialEvaluator": "worker",
    "Policy": "policy",
    "Preprocessing": "data",
    "TrainResult": "pipeline",
    "build_eval_loader": "data",
    "build_model": "models",
    "build_train_loader": "data",
    "compile_config": "config",
    "dist_finalize": "distributed",
    "dist_init": "distributed",
    "evaluate": "pipeline",
    "kfold": "pipeline",
    "load": "inference",
    "load_rgb": "data",
    "read_config": "config",
    "train": "pipeline",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ding_cls' has no attribute '{name}'")
    return getattr(import_module(f"ding_cls.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
