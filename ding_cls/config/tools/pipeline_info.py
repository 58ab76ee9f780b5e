"""What follows from a dataset's pipeline, a list of ``dict(type='Transform', ...)``, without building it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Step: TypeAlias = tuple[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]

# The argument that sets the size a transform leaves; the last one of a pipeline decides.
SIZES = {
    "RandomResizedCrop": "size",
    "RandomCrop": "size",
    "CenterCrop": "crop_size",
    "LetterBox": "size",
    "Resize": "size",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline's steps, and what follows from them.

    Attributes:
        steps: path in the config, dict and following dicts of each transform.
        size: (height, width) in pixels of what comes out, and the path that sets it; None where unknown.
        normalisation: the arguments of ``Normalize``; empty without one.
        normalize_path: the path of that step.
    """

    steps: Sequence[Step] = ()
    size: tuple[tuple[int, int], str] | None = None
    normalisation: Mapping[str, Any] = field(default_factory=dict)
    normalize_path: str = ""


def pipeline_of(dataset: Any, path: str) -> Pipeline:
    """Return the pipeline of a dataset's section at ``path``, inside wrappers as ``RepeatDataset`` too."""
    dataset, path = unwrapped(dataset, path)
    transforms = dataset.get("pipeline")
    if not isinstance(transforms, (list, tuple)):
        return Pipeline()
    steps = [
        (
            f"{path}.pipeline.{index}",
            transform,
            [each for each in transforms[index + 1 :] if isinstance(each, Mapping)],
        )
        for index, transform in enumerate(transforms)
        if isinstance(transform, Mapping)
    ]
    size: tuple[tuple[int, int], str] | None = None
    normalisation: Mapping[str, Any] = {}
    normalize_path = ""
    for place, transform, _ in steps:
        key = SIZES.get(str(transform.get("type")))
        if key is not None:
            pixels = _pixels(transform.get(key))
            size = (pixels, f"{place}.{key}") if pixels else None
        if transform.get("type") == "Normalize":
            normalisation, normalize_path = transform, place
    return Pipeline(steps, size, normalisation, normalize_path)


def unwrapped(dataset: Any, path: str) -> tuple[Mapping[str, Any], str]:
    """Return the dataset inside wrappers such as ``RepeatDataset``, of several the first, and its path."""
    while isinstance(dataset, Mapping):
        inner, several = dataset.get("dataset"), dataset.get("datasets")
        if isinstance(inner, Mapping):
            dataset, path = inner, f"{path}.dataset"
        elif isinstance(several, (list, tuple)) and several:
            dataset, path = several[0], f"{path}.datasets.0"
        else:
            return dataset, path
    return {}, path


def _pixels(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, (list, tuple)) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size):
        return size[0], size[1]
    return None
