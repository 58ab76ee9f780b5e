"""From files to batches: pictures, folders, data sets, transforms, samplers, loaders.

It must not know policies, models or configs: every part takes plain arguments.
"""

from ding_cls.data.annotated import BaseDataset, CustomDataset, ImageNet
from ding_cls.data.datasets import ImageNetDataset, SyntheticDataset
from ding_cls.data.digits import load_digits, write_digits
from ding_cls.data.folders import SPLIT_NAMES, find_split
from ding_cls.data.loader import EvalLoader, TrainLoader, build_eval_loader, build_train_loader
from ding_cls.data.pictures import EXTENSIONS, decode_rgb, load_rgb
from ding_cls.data.pipelines import (
    PIPELINES,
    AnyPreprocessing,
    Compose,
    Normalization,
    PipelinePreprocessing,
    pipeline_preprocessing,
    preprocessing_from_state,
)
from ding_cls.data.registries import DATASETS, build_dataset
from ding_cls.data.samplers import DistributedSampler, EpochBatches, EvalBatches
from ding_cls.data.transforms import Preprocessing, TrainAugmentation, normalize, to_tensor

__all__ = [
    "AnyPreprocessing",
    "BaseDataset",
    "Compose",
    "CustomDataset",
    "DATASETS",
    "DistributedSampler",
    "EXTENSIONS",
    "EpochBatches",
    "EvalBatches",
    "EvalLoader",
    "ImageNet",
    "ImageNetDataset",
    "Normalization",
    "PIPELINES",
    "PipelinePreprocessing",
    "Preprocessing",
    "SPLIT_NAMES",
    "SyntheticDataset",
    "TrainAugmentation",
    "TrainLoader",
    "build_dataset",
    "build_eval_loader",
    "build_train_loader",
    "decode_rgb",
    "find_split",
    "load_digits",
    "load_rgb",
    "normalize",
    "pipeline_preprocessing",
    "preprocessing_from_state",
    "to_tensor",
    "write_digits",
]
