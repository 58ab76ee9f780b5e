"""Pipelines: steps by name, each a function from sample to sample, with mmclassification's names.

They must not know datasets, loaders or configs.
"""

from ding_cls.data.transforms.albumentations import Albu
from ding_cls.data.transforms.auto_augment.operations import (
    AutoContrast,
    Brightness,
    ColorTransform,
    Contrast,
    Cutout,
    Equalize,
    Invert,
    Posterize,
    Rotate,
    Sharpness,
    Shear,
    Solarize,
    SolarizeAdd,
    Translate,
)
from ding_cls.data.transforms.auto_augment.policies import AutoAugment, RandAugment
from ding_cls.data.transforms.color import ColorJitter, Lighting, RandomGrayscale
from ding_cls.data.transforms.compose import Compose, RandomApply, RandomChoice, RandomOrder, build_step
from ding_cls.data.transforms.default import pipeline_preprocessing, preprocessing_from_state
from ding_cls.data.transforms.erasing import RandomErasing
from ding_cls.data.transforms.formatting import (
    Collect,
    ImageToTensor,
    Normalization,
    Normalize,
    ToNumpy,
    ToPIL,
    ToTensor,
    Transpose,
)
from ding_cls.data.transforms.geometry import CenterCrop, RandomFlip, RandomResizedCrop, Resize
from ding_cls.data.transforms.loading import LoadImageFromFile
from ding_cls.data.transforms.padding import LetterBox, Pad, RandomCrop
from ding_cls.data.transforms.preprocessing import PipelinePreprocessing
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.data.transforms.torchvision import OnImage

__all__ = [
    "Albu",
    "AutoAugment",
    "AutoContrast",
    "Brightness",
    "CenterCrop",
    "Collect",
    "ColorJitter",
    "ColorTransform",
    "Compose",
    "Contrast",
    "Cutout",
    "Equalize",
    "ImageToTensor",
    "Invert",
    "LetterBox",
    "Lighting",
    "LoadImageFromFile",
    "Normalization",
    "Normalize",
    "OnImage",
    "PIPELINES",
    "Pad",
    "PipelinePreprocessing",
    "Posterize",
    "RandAugment",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomOrder",
    "RandomResizedCrop",
    "Resize",
    "Rotate",
    "Sharpness",
    "Shear",
    "Solarize",
    "SolarizeAdd",
    "ToNumpy",
    "ToPIL",
    "ToTensor",
    "Translate",
    "Transpose",
    "build_step",
    "pipeline_preprocessing",
    "preprocessing_from_state",
]
