"""What the short keys of ``policy.collect`` stand for: ``image_size``, ``crop_scale`` ... as pipelines.

The steps are plain data with the names that ``policy.collect.train.pipeline`` uses. It must not know what a
step does.
"""

from collections.abc import Mapping
from typing import Any

INPUT_KEYS = ("mean", "std", "image_size", "resize_size", "interpolation")
"""The keys that say what evaluation, and everything after training, does to an image."""

TRAIN_KEYS = ("mean", "std", "image_size", "crop_scale", "crop_ratio", "hflip", "interpolation")
"""The keys that say what training does to an image."""


def eval_pipeline(keys: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps that `INPUT_KEYS` mean: resize the shorter side, cut out the middle square.

    The mean and the standard deviation are no step: they are applied to whole batches, on their device.
    """
    return [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "size": [keys["resize_size"], -1], "interpolation": keys["interpolation"]},
        {"type": "CenterCrop", "crop_size": keys["image_size"]},
    ]


def train_pipeline(keys: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps that `TRAIN_KEYS` mean: a random cut, resized, and mirrored every second time."""
    crop = {
        "type": "RandomResizedCrop",
        "size": keys["image_size"],
        "scale": list(keys["crop_scale"]),
        "ratio": list(keys["crop_ratio"]),
        "interpolation": keys["interpolation"],
    }
    return [{"type": "LoadImageFromFile"}, crop, *([{"type": "RandomFlip"}] if keys["hflip"] else [])]
