"""Where the rooms meet: builds the parts of a run in order, then starts them."""

from ding_cls.pipeline.build import build_datasets, build_network
from ding_cls.pipeline.datasets.splits import preprocessing_of
from ding_cls.pipeline.evaluate import evaluate
from ding_cls.pipeline.image_check import readable_datasets
from ding_cls.pipeline.kfold.predictions import AveragedPrediction, average_predictions
from ding_cls.pipeline.kfold.run import kfold
from ding_cls.pipeline.kfold.summary import FoldResult, KFoldResult, kfold_summary, print_kfold
from ding_cls.pipeline.openmmlab import set_random_seed, train_model
from ding_cls.pipeline.result import TrainResult
from ding_cls.pipeline.run_context import Run, open_run
from ding_cls.pipeline.summary import print_summary
from ding_cls.pipeline.train import train

__all__ = [
    "AveragedPrediction",
    "FoldResult",
    "KFoldResult",
    "Run",
    "TrainResult",
    "average_predictions",
    "build_datasets",
    "build_network",
    "evaluate",
    "kfold",
    "kfold_summary",
    "open_run",
    "preprocessing_of",
    "print_kfold",
    "print_summary",
    "readable_datasets",
    "set_random_seed",
    "train",
    "train_model",
]
