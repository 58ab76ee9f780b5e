"""Pipelines: steps by name, each a function from sample to sample, with mmclassification's names.

They must not know data sets, loaders or configs.
"""

from ding_cls.data.pipelines.color import ColorJitter
from ding_cls.data.pipelines.compose import Compose, RandomApply, RandomChoice, RandomOrder, build_step
from ding_cls.data.pipelines.formatting import Collect, ImageToTensor, Normalization, Normalize, ToTensor
from ding_cls.data.pipelines.from_torchvision import OnImage
from ding_cls.data.pipelines.geometry import CenterCrop, RandomFlip, RandomResizedCrop, Resize
from ding_cls.data.pipelines.loading import LoadImageFromFile
from ding_cls.data.pipelines.preprocessing import (
    AnyPreprocessing,
    PipelinePreprocessing,
    pipeline_preprocessing,
    preprocessing_from_state,
)
from ding_cls.data.pipelines.registry import PIPELINES

__all__ = [
    "AnyPreprocessing",
    "CenterCrop",
    "Collect",
    "ColorJitter",
    "Compose",
    "ImageToTensor",
    "LoadImageFromFile",
    "Normalization",
    "Normalize",
    "OnImage",
    "PIPELINES",
    "PipelinePreprocessing",
    "RandomApply",
    "RandomChoice",
    "RandomFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "Resize",
    "ToTensor",
    "build_step",
    "pipeline_preprocessing",
    "preprocessing_from_state",
]
