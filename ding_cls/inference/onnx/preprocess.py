"""What is done to an RGB image before an exported network sees it, step by step, by NumPy and Pillow."""

from typing import Any

import numpy as np
from PIL import Image, ImageOps


def resize(image: Image.Image, *, height: int, width: int, filter: str) -> Image.Image:
    """Resize to a height and a width."""
    return image.resize((width, height), Image.Resampling[filter.upper()])


def resize_side(image: Image.Image, *, side: str, length: int, filter: str, strip: int = 32) -> Image.Image:
    """Resize one side to a length, the other in proportion; of a longer strip than 32:1 the middle."""
    if side != "long":
        width, height = (min(strip * min(image.size), each) for each in image.size)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    sides = {"width": image.width, "height": image.height, "short": min(image.size), "long": max(image.size)}
    size = [length if each == sides[side] else int(length * each / sides[side]) for each in image.size]
    return image.resize((max(size[0], 1), max(size[1], 1)), Image.Resampling[filter.upper()])


def resize_inside(image: Image.Image, *, height: int, width: int, filter: str) -> Image.Image:
    """Resize in proportion, so that the image just fits."""
    scale = min(height / image.height, width / image.width)
    size = [min(max(round(image.width * scale), 1), width), min(max(round(image.height * scale), 1), height)]
    return image.resize((size[0], size[1]), Image.Resampling[filter.upper()])


def crop(image: Image.Image, *, height: float, width: float) -> Image.Image:
    """Cut out the middle; a side that is shorter stays."""
    left, top = max(round((image.width - width) / 2), 0), max(round((image.height - height) / 2), 0)
    right, below = min(left + max(int(width), 1), image.width), min(top + max(int(height), 1), image.height)
    return image.crop((left, top, right, below))


def crop_efficientnet(image: Image.Image, *, size: int, padding: int, filter: str) -> Image.Image:
    """Cut out the middle square of size / (size + padding) of the shorter side, and resize that."""
    side = min(image.size) * size / (size + padding)
    return crop(image, height=side, width=side).resize((size, size), Image.Resampling[filter.upper()])


def pad(image: Image.Image, *, height: int, width: int, color: Any, is_centred: bool) -> Image.Image:
    """Add a border up to a size, 0 by 0 to a square: on all sides, or right and below."""
    wide, high = max(width or image.height, image.width), max(height or image.width, image.height)
    left, top = ((wide - image.width) // 2, (high - image.height) // 2) if is_centred else (0, 0)
    border = left, top, wide - image.width - left, high - image.height - top
    return ImageOps.expand(image, border, tuple(color))


def normalize(images: Any, *, mean: Any, std: Any, is_swapped: bool = False, is_divided: bool = False) -> Any:
    """Return uint8 (N, H, W, 3) as float32 (N, 3, H, W), less the mean, over the standard deviation."""
    planes = np.moveaxis(images[..., ::-1] if is_swapped else images, -1, 1).astype(np.float32, order="C")
    centre, spread = np.array([mean, std], np.float32)[:, :, None, None]
    scaled = planes / np.float32(255) if is_divided else planes * np.float32(1 / 255)
    return (scaled - centre) / spread
