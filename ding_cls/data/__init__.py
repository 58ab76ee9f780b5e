"""From files to batches: pictures, folders, data sets, transforms, samplers, loaders.

It must not know policies, models or configs: every part takes plain arguments.
"""

from ding_cls.data.annotated import BaseDataset, CustomDataset, ImageNet
from ding_cls.data.arrange import split_folder
from ding_cls.data.datasets import ImageNetDataset, SyntheticDataset
from ding_cls.data.digits import load_digits, write_digits
from ding_cls.data.folders import SPLIT_NAMES, find_split
from ding_cls.data.folds import fold_indices, split_indices
from ding_cls.data.imagenet_classes import NUM_IMAGENET_CLASSES, imagenet_classes, readable_names
from ding_cls.data.in_memory import ArrayDataset, InMemoryDataset
from ding_cls.data.listed import CUB, ImageNet21k, StanfordCars
from ding_cls.data.loader import EvalLoader, TrainLoader, build_eval_loader, build_train_loader
from ding_cls.data.mixing import BATCH_AUGMENTS, BatchMixing, Mixture
from ding_cls.data.multilabel import VOC, MultiLabelDataset
from ding_cls.data.named import TorchvisionDataset
from ding_cls.data.orders import SAMPLERS
from ding_cls.data.pictures import EXTENSIONS, as_rgb, decode_rgb, load_rgb
from ding_cls.data.pipelines import (
    PIPELINES,
    AnyPreprocessing,
    Compose,
    Normalization,
    PipelinePreprocessing,
    pipeline_preprocessing,
    preprocessing_from_state,
)
from ding_cls.data.published import CIFAR10, CIFAR100, MNIST, FashionMNIST
from ding_cls.data.registries import DATASETS, build_dataset
from ding_cls.data.samplers import DistributedSampler, EpochBatches, EvalBatches
from ding_cls.data.tables import CSVDataset
from ding_cls.data.transforms import Preprocessing, TrainAugmentation, normalize, to_tensor
from ding_cls.data.wrappers import (
    ClassBalancedDataset,
    ConcatDataset,
    KFoldDataset,
    RepeatDataset,
    SplitDataset,
    SubsetDataset,
    innermost,
)

__all__ = [
    "AnyPreprocessing",
    "ArrayDataset",
    "BATCH_AUGMENTS",
    "BaseDataset",
    "BatchMixing",
    "CIFAR10",
    "CIFAR100",
    "CSVDataset",
    "CUB",
    "ClassBalancedDataset",
    "Compose",
    "ConcatDataset",
    "CustomDataset",
    "DATASETS",
    "DistributedSampler",
    "EXTENSIONS",
    "EpochBatches",
    "EvalBatches",
    "EvalLoader",
    "FashionMNIST",
    "ImageNet",
    "ImageNet21k",
    "ImageNetDataset",
    "InMemoryDataset",
    "KFoldDataset",
    "MNIST",
    "Mixture",
    "MultiLabelDataset",
    "NUM_IMAGENET_CLASSES",
    "Normalization",
    "PIPELINES",
    "PipelinePreprocessing",
    "Preprocessing",
    "RepeatDataset",
    "SAMPLERS",
    "SPLIT_NAMES",
    "SplitDataset",
    "StanfordCars",
    "SubsetDataset",
    "SyntheticDataset",
    "TorchvisionDataset",
    "TrainAugmentation",
    "TrainLoader",
    "VOC",
    "as_rgb",
    "build_dataset",
    "build_eval_loader",
    "build_train_loader",
    "decode_rgb",
    "find_split",
    "fold_indices",
    "imagenet_classes",
    "innermost",
    "load_digits",
    "load_rgb",
    "normalize",
    "pipeline_preprocessing",
    "preprocessing_from_state",
    "readable_names",
    "split_folder",
    "split_indices",
    "to_tensor",
    "write_digits",
]
