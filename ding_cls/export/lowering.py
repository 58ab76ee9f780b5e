"""The steps of a run's evaluation as plain data, for a place without torch: the same pixels, bit by bit.

`ding_cls.inference.onnx.preprocess` has the steps. It must not know networks or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torchvision.transforms import v2

from ding_cls.data import Normalization, PipelinePreprocessing
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.data.transforms.compose import Step, step_name
from ding_cls.data.transforms.fill_color import Fill
from ding_cls.data.transforms.formatting import FROM_0_TO_1, ToPIL
from ding_cls.data.transforms.geometry import CenterCrop, Resize
from ding_cls.data.transforms.loading import LoadImageFromFile
from ding_cls.data.transforms.padding import LetterBox, Pad
from ding_cls.data.transforms.torchvision import OnImage
from ding_cls.errors import ExportError

Steps: TypeAlias = list[dict[str, Any]]

# Of torchvision's, what hands on the same pixels in another form.
_IDLE = (v2.ToImage, v2.PILToTensor, v2.ToPILImage, v2.ToPureTensor, v2.RGB, v2.Identity)
_WITHOUT_LIMIT = 1 << 30


def lowered(preprocessing: PipelinePreprocessing) -> dict[str, Any]:
    """Return ``steps`` and the numbers that normalise what they leave: ``mean`` and ``std``; ``is_swapped``
    and ``is_divided`` where they are True.

    Raises:
        ExportError: a step that is the user's own, random, or makes floats before the others are done. It is
            named.
    """
    if not type(preprocessing).__module__.startswith("ding_cls.data."):
        raise _refused(type(preprocessing).__name__)
    compose = preprocessing.steps
    steps, numbers, is_divided = list(compose.pixel_steps), preprocessing.normalization, False
    if compose.deferred is None:
        steps, numbers, is_divided = _without_floats(steps, numbers)
    is_from_file = bool(steps) and isinstance(steps[0], LoadImageFromFile)
    found = _of_loading(steps[0]) if is_from_file else []
    for step in steps[is_from_file:]:
        found += _of_step(step, is_from_file=is_from_file)
    flags = {"is_swapped": numbers.is_swapped, "is_divided": is_divided}
    set_flags = {name: True for name, is_set in flags.items() if is_set}
    return {"steps": found, "mean": list(numbers.mean), "std": list(numbers.std), **set_flags}


def _without_floats(steps: list[Step], numbers: Normalization) -> tuple[list[Step], Normalization, bool]:
    """Return the steps before torchvision's own that end in floats, the numbers of these, and whether they
    divide by 255 where `normalize` multiplies: the last bit differs."""
    transforms = [step.transform if isinstance(step, OnImage) else None for step in steps]
    own = FROM_0_TO_1
    if transforms and type(transforms[-1]) is v2.Normalize:
        mean, std = (tuple(map(float, each)) for each in (transforms[-1].mean, transforms[-1].std))
        if len(mean) == len(std) == 3:
            own = Normalization(mean, std)
            transforms.pop()
    last = transforms[-1] if transforms else None
    # Deprecated: a later torchvision may not have it.
    is_divided = type(last) is getattr(v2, "ToTensor", None)
    if is_divided or _scales(last):
        return steps[: len(transforms) - 1], own, is_divided
    return steps, numbers, False


def _scales(transform: Any) -> bool:
    """Return whether it makes float32 in [0, 1] of uint8 by a multiplication."""
    if getattr(transform, "dtype", None) is not torch.float32:
        return False
    return type(transform) is v2.ConvertImageDtype or (
        type(transform) is v2.ToDtype and transform.scale is True
    )


def _of_loading(step: Step) -> Steps:
    if not isinstance(step, LoadImageFromFile) or step.to_float32:
        raise _refused("LoadImageFromFile(to_float32=True)")
    return [] if step.color_type == "color" else [{"op": "grey"}]


def _of_step(step: Step, *, is_from_file: bool) -> Steps:
    """Return what a step comes to; a subclass of the user's own may do something else, and is refused."""
    if not type(step).__module__.startswith("ding_cls.data."):
        raise _refused(step_name(step))
    if isinstance(step, Resize):
        return [_resize(step)]
    if isinstance(step, CenterCrop):
        if step.crop_padding is None:
            return [{"op": "crop", "height": step.height, "width": step.width}]
        rest = {"padding": step.crop_padding, "filter": _filter(step.interpolation)}
        return [{"op": "crop_efficientnet", "size": step.height, **rest}]
    if isinstance(step, Pad) and step.padding_mode == "constant":
        return [_pad(step.size or (0, 0), _color(step.fill, is_from_file), is_centred=False)]
    if isinstance(step, LetterBox):
        size = step.height, step.width
        inside = {"op": "resize_inside", "height": size[0], "width": size[1]}
        color = _color(step.fill, is_from_file)
        return [{**inside, "filter": _filter(step.interpolation)}, _pad(size, color, is_centred=True)]
    if isinstance(step, ToPIL):
        return []
    found = _of_torchvision(step.transform) if isinstance(step, OnImage) else None
    if found is None:
        raise _refused(step_name(step))
    return found


def _resize(step: Resize) -> dict[str, Any]:
    if step.length is None:
        size = {"height": step.height, "width": step.width}
        return {"op": "resize", **size, "filter": _filter(step.interpolation)}
    return _resize_side(step.adaptive_side, step.length, step.interpolation)


def _resize_side(side: str, length: int, interpolation: str) -> dict[str, Any]:
    return {"op": "resize_side", "side": side, "length": length, "filter": _filter(interpolation)}


def _pad(size: Sequence[int], color: Sequence[int], *, is_centred: bool) -> dict[str, Any]:
    height, width = size
    return {"op": "pad", "height": height, "width": width, "color": list(color), "is_centred": is_centred}


def _color(fill: Fill, is_from_file: bool) -> list[int]:
    return list(fill.rounded({FROM_FILE: is_from_file}))


def _of_torchvision(transform: Any) -> Steps | None:
    """Return what a transform of torchvision comes to; None where there is no such form."""
    kind = type(transform)
    if kind in _IDLE:
        return []
    if kind is v2.CenterCrop:
        height, width = transform.size
        # Smaller images get a black border there.
        frame = _pad((height, width), (0, 0, 0), is_centred=True)
        return [frame, {"op": "crop", "height": height, "width": width}]
    if kind is not v2.Resize or transform.size is None or transform.max_size is not None:
        return None
    interpolation = v2.InterpolationMode(transform.interpolation).value
    if len(transform.size) == 1:
        side = _resize_side("short", transform.size[0], interpolation)
        return [{**side, "strip": _WITHOUT_LIMIT}]
    height, width = transform.size
    return [{"op": "resize", "height": height, "width": width, "filter": _filter(interpolation)}]


def _filter(interpolation: str) -> str:
    return {"area": "box", "nearest-exact": "nearest"}.get(interpolation, interpolation)


def _refused(name: str) -> ExportError:
    return ExportError(
        f"the step {name} of the run's evaluation has no equal without torch: it is your own, random, or one "
        "that NumPy and Pillow alone do not do"
    )
