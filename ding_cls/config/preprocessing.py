"""What the short keys of ``policy.collect`` stand for: ``image_size``, ``crop_scale`` ... as pipelines.

The steps are plain data with the names that ``policy.collect.train.pipeline`` uses. It must not know what a
step does.
"""

from collections.abc import Sequence
from typing import Any

INPUT_KEYS = ("mean", "std", "image_size", "resize_size", "interpolation")
"""The keys that say what evaluation, and everything after training, does to an image."""

TRAIN_KEYS = ("mean", "std", "image_size", "crop_scale", "crop_ratio", "hflip", "interpolation")
"""The keys that say what training does to an image."""

Pipeline = list[dict[str, Any]]


def eval_pipeline(*, image_size: int, resize_size: int, interpolation: str) -> Pipeline:
    """Return the steps of evaluation: resize the shorter side, cut out the middle square.

    Args:
        image_size: side of the square, in pixels.
        resize_size: length of the shorter side before the cut, in pixels.
        interpolation: how Pillow resizes.
    """
    return [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "size": [resize_size, -1], "interpolation": interpolation},
        {"type": "CenterCrop", "crop_size": image_size},
    ]


def train_pipeline(
    *,
    image_size: int,
    crop_scale: Sequence[float],
    crop_ratio: Sequence[float],
    hflip: bool,
    interpolation: str,
) -> Pipeline:
    """Return the steps of training: a random cut, resized, and mirrored every second time.

    Args:
        image_size: side of the square, in pixels.
        crop_scale: smallest and largest share of the image's area that the cut covers.
        crop_ratio: smallest and largest width / height of the cut.
        hflip: mirror with probability one half.
        interpolation: how Pillow resizes.
    """
    crop = {
        "type": "RandomResizedCrop",
        "size": image_size,
        "scale": list(crop_scale),
        "ratio": list(crop_ratio),
        "interpolation": interpolation,
    }
    return [{"type": "LoadImageFromFile"}, crop, *([{"type": "RandomFlip"}] if hflip else [])]
