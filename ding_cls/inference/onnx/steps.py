"""The steps that an exported file states: run on an image, or written down as a program of their own.

It must not know ONNX Runtime.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import CheckpointError
from ding_cls.inference.onnx import open_image
from ding_cls.inference.onnx.description import MAX_SIDE, ModelDescription
from ding_cls.inference.onnx.preprocess import (
    crop,
    crop_efficientnet,
    normalize,
    pad,
    resize,
    resize_inside,
    resize_side,
)

Step = Mapping[str, Any]
NUMBERS = ("mean", "std", "is_swapped", "is_divided")
"""What `normalize` takes of a description's ``preprocessing``."""


def grey(image: Image.Image) -> Image.Image:
    """Take the colours away; three channels stay."""
    return image.convert("L").convert("RGB")


OPS: dict[str, Callable[..., Image.Image]] = {
    each.__name__: each for each in (crop, crop_efficientnet, grey, pad, resize, resize_inside, resize_side)
}


def prepared(image: Image.Image, steps: Sequence[Step]) -> npt.NDArray[np.uint8]:
    """Return uint8 ``(H, W, 3)`` of an RGB image after its steps."""
    for step in steps:
        image = OPS[step["op"]](image, **_arguments(step))
    return np.array(image)


def batch_of(pixels: npt.NDArray[np.uint8], description: ModelDescription) -> npt.NDArray[Any]:
    """Return uint8 ``(N, H, W, 3)`` as the graph takes it: as it is, or float32 ``(N, 3, H, W)``."""
    if description.layout == "uint8":
        return pixels
    preprocessing = description.preprocessing
    found: npt.NDArray[np.float32] = normalize(
        pixels, **{name: preprocessing[name] for name in NUMBERS if name in preprocessing}
    )
    return found


def check_steps(description: ModelDescription, source: str) -> None:
    """Refuse steps that cannot be run, before an image comes.

    Args:
        description: what a file says of itself.
        source: how an error names the file.

    Raises:
        CheckpointError: it states no steps, or others than these.
    """
    if not description.preprocessing:
        raise CheckpointError(
            f"{source!r} does not say how its images are prepared: its run has steps of its own for that; "
            "predict with the checkpoint"
        )
    try:
        steps = description.preprocessing["steps"]
        if any(_is_too_large(*each) for step in steps for each in step.items()):
            raise ValueError(f"a side of more than {MAX_SIDE:,} pixels")
        batch_of(prepared(Image.new("RGB", (9, 9)), steps)[None], description)
    # The values are the file's.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(
            f"what {source!r} says of its preprocessing cannot be used ({reason})"
        ) from None


def written_preprocess(
    description: ModelDescription, *, call: str = "session.run(None, {'images': preprocess(file)})"
) -> str:
    """Return a program of its own, with a function ``preprocess(file)`` that gives what the graph takes.

    It needs NumPy and Pillow alone, and has those steps that this network has.

    Args:
        description: of the file.
        call: how the file is run on what the function returns.

    Raises:
        CheckpointError: the description states no steps.
    """
    check_steps(description, "the file")
    steps = description.preprocessing["steps"]
    used = {step["op"]: OPS[step["op"]] for step in steps}
    if "crop_efficientnet" in used:
        used = {"crop": crop, **used}
    opening = inspect.getsource(open_image)
    opening = opening[opening.index("import numpy") :]
    if "pad" in used:
        opening = opening.replace("import Image, ImageCms", "import Image, ImageCms, ImageOps")
    about = f"Images as the exported file beside this one takes them: {call}."
    height, width = description.height, description.width
    is_uint8 = description.layout == "uint8"
    shape = f"uint8 (1, {height}, {width}, 3)" if is_uint8 else f"float32 (1, 3, {height}, {width})"
    lines = [
        "def preprocess(file):",
        f'"""Return an image file as the network takes it: {shape}, RGB."""',
        "image = open_rgb(file)",
        *map(_line, steps),
        *(["return np.array(image)[None]"] if is_uint8 else _normalizing(description.preprocessing)),
    ]
    functions = [inspect.getsource(each).rstrip() for each in used.values()]
    parts = [f'"""{about}"""\n\n{opening.rstrip()}', *functions, "\n    ".join(lines)]
    return re.sub(r": Any\b| -> Any\b", "", "\n\n\n".join(parts)) + "\n"


def _is_too_large(name: str, value: Any) -> bool:
    # How much longer than wide an image may be is no side.
    return name != "strip" and isinstance(value, int | float) and value > MAX_SIDE


def _arguments(step: Step) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "op"}


def _line(step: Step) -> str:
    arguments = [f"{name}={json.dumps(value)}" for name, value in _arguments(step).items()]
    arguments = [each.replace("=true", "=True").replace("=false", "=False") for each in arguments]
    return f"image = {step['op']}({', '.join(['image', *arguments])})"


def _normalizing(preprocessing: Mapping[str, Any]) -> list[str]:
    """Return the lines of `normalize` with their numbers filled in."""
    pixels = (
        "np.array(image)[None, ..., ::-1]" if preprocessing.get("is_swapped") else "np.array(image)[None]"
    )
    scaled = "planes / np.float32(255)" if preprocessing.get("is_divided") else "planes * np.float32(1 / 255)"
    numbers = f"[{list(preprocessing['mean'])}, {list(preprocessing['std'])}]"
    return [
        f"mean, std = np.array({numbers}, np.float32)[:, :, None, None]",
        f'planes = np.moveaxis({pixels}, -1, 1).astype(np.float32, order="C")',
        f"return ({scaled} - mean) / std",
    ]
