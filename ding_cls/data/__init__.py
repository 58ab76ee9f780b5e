"""From files to batches: images, folders, datasets, transforms, samplers, loaders.

It must not know policies, models or configs: every part takes plain arguments.
"""

from ding_cls.data.batch_augment import BATCH_AUGMENTS, BatchMixing, Mixture
from ding_cls.data.datasets.arrays import ArrayDataset, InMemoryDataset
from ding_cls.data.datasets.base import BaseDataset, CustomDataset, ImageNet
from ding_cls.data.datasets.cifar_mnist import CIFAR10, CIFAR100, MNIST, FashionMNIST
from ding_cls.data.datasets.csv import CSVDataset
from ding_cls.data.datasets.digits import load_digits, write_digits
from ding_cls.data.datasets.fine_grained import CUB, ImageNet21k, StanfordCars
from ding_cls.data.datasets.folder import ImageNetDataset, SyntheticDataset
from ding_cls.data.datasets.multi_label import VOC, MultiLabelDataset
from ding_cls.data.datasets.registry import DATASETS, build_dataset
from ding_cls.data.datasets.torchvision import TorchvisionDataset
from ding_cls.data.datasets.wrappers import (
    ClassBalancedDataset,
    ConcatDataset,
    KFoldDataset,
    RepeatDataset,
    SplitDataset,
    SubsetDataset,
    innermost,
)
from ding_cls.data.loader import EvalLoader, TrainLoader, build_eval_loader, build_train_loader
from ding_cls.data.sampling.epoch_order import SAMPLERS
from ding_cls.data.sampling.samplers import DistributedSampler, EpochBatches, EvalBatches
from ding_cls.data.sampling.split import fold_indices, split_indices
from ding_cls.data.tools.split_folder import split_folder
from ding_cls.data.transforms import (
    PIPELINES,
    Compose,
    Normalization,
    PipelinePreprocessing,
    pipeline_preprocessing,
    preprocessing_from_state,
)
from ding_cls.data.transforms.array_ops import normalize
from ding_cls.data.transforms.default import Preprocessing, TrainAugmentation
from ding_cls.images.image_io import load_rgb
from ding_cls.images.listing import find_split

__all__ = [
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
    "Normalization",
    "PIPELINES",
    "PipelinePreprocessing",
    "Preprocessing",
    "RepeatDataset",
    "SAMPLERS",
    "SplitDataset",
    "StanfordCars",
    "SubsetDataset",
    "SyntheticDataset",
    "TorchvisionDataset",
    "TrainAugmentation",
    "TrainLoader",
    "VOC",
    "build_dataset",
    "build_eval_loader",
    "build_train_loader",
    "find_split",
    "fold_indices",
    "innermost",
    "load_digits",
    "load_rgb",
    "normalize",
    "pipeline_preprocessing",
    "preprocessing_from_state",
    "split_folder",
    "split_indices",
    "write_digits",
]
