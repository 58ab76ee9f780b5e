"""Files and folders of images: which there are, what they are called, and how each becomes RGB pixels.

It takes Pillow and NumPy alone, so that a place without torch can use it; it must not know datasets.
"""

from ding_cls.images.decoding.formats import EXTENSIONS
from ding_cls.images.image_io import as_rgb, decode_rgb, load_rgb
from ding_cls.images.imagenet_classes import NUM_IMAGENET_CLASSES, imagenet_classes, readable_names
from ding_cls.images.listing import find_split
from ding_cls.images.split_words import SPLIT_NAMES

__all__ = [
    "EXTENSIONS",
    "NUM_IMAGENET_CLASSES",
    "SPLIT_NAMES",
    "as_rgb",
    "decode_rgb",
    "find_split",
    "imagenet_classes",
    "load_rgb",
    "readable_names",
]
