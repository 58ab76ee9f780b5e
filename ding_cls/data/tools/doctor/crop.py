"""How much of an image is left after the steps of a pipeline that resize and cut.

It reads descriptions of steps; it must not build them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

KeptShare: TypeAlias = Callable[[int, int], "float | None"]
DEFAULT_STEPS: tuple[dict[str, Any], ...] = (
    {"type": "Resize", "size": [256, -1]},
    {"type": "CenterCrop", "crop_size": 224},
)
# Steps that move no pixel out of sight.
_HARMLESS = frozenset(
    [
        "LoadImageFromFile",
        "Normalize",
        "ToTensor",
        "ImageToTensor",
        "Collect",
        "Transpose",
        "ToPIL",
        "ToNumpy",
    ]
)


def crop_in_words(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return what steps do to an image; empty where nothing of it is cut, or that is not known."""
    words = []
    for step in steps:
        if step.get("type") == "Resize":
            words.append(f"resizing to {_shown(step.get('size'))}")
        elif step.get("type") == "CenterCrop":
            words.append(f"cutting out the middle {_shown(step.get('crop_size'))}")
    is_known = kept_share(steps, 4, 3) is not None
    return " and ".join(words) if is_known and any("cutting" in each for each in words) else ""


def kept_share(steps: Sequence[Mapping[str, Any]], width: int, height: int) -> float | None:
    """Return the share of an image's area that is left; None where a step is none that is known here.

    Args:
        steps: dicts of ``Resize``, ``CenterCrop`` and such as leave the form alone.
        width: of the image, upright.
        height: likewise.
    """
    share, size = 1.0, (float(height), float(width))
    for step in steps:
        if step.get("type") == "Resize":
            size = _resized(size, step)
        elif step.get("type") == "CenterCrop":
            kept = _cut(size, step)
            share *= kept[0] * kept[1] / (size[0] * size[1])
            size = kept
        elif step.get("type") not in _HARMLESS:
            return None
    return share


def _resized(size: tuple[float, float], step: Mapping[str, Any]) -> tuple[float, float]:
    wanted = _pair(step["size"])
    if wanted[1] != -1:
        return wanted
    sides = {"short": min(size), "long": max(size), "height": size[0], "width": size[1]}
    factor = wanted[0] / sides[step.get("adaptive_side", "short")]
    return size[0] * factor, size[1] * factor


def _cut(size: tuple[float, float], step: Mapping[str, Any]) -> tuple[float, float]:
    wanted = _pair(step["crop_size"])
    if step.get("efficientnet_style"):
        side = wanted[0] / (wanted[0] + step.get("crop_padding", 32)) * min(size)
        return side, side
    return min(wanted[0], size[0]), min(wanted[1], size[1])


def _pair(size: Any) -> tuple[float, float]:
    values = list(size) if isinstance(size, Sequence) else [size, size]
    return float(values[0]), float(values[-1])


def _shown(size: Any) -> str:
    height, width = _pair(size)
    return f"{height:g} px" if width in (height, -1) else f"{height:g} x {width:g} px"
