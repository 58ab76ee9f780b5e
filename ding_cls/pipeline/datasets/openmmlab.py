"""mmclassification's datasets under another folder: in their published form, or as class folders.

It changes descriptions, ``dict(type='Name', ...)``; it must not build datasets.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ding_cls.config.tools.pipeline_info import pipeline_of
from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.dataset_cfg import inner_of, known_part

CLASS_FOLDERS = ("CustomDataset", "ImageNet", "ImageNet21k", "ImageNetDataset")
"""Datasets that read class folders where no list is named."""

# What shows a published form, and where the images lie in it.
_FORMS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "CUB": (("images.txt",), "images"),
    "StanfordCars": (("cars_annos.mat", "devkit"), ""),
    "VOC": (("Annotations",), ""),
}
_OF_SEVERAL_LABELS = ("VOC", "MultiLabelDataset")
LISTED = (*_FORMS, "MultiLabelDataset")
"""Datasets that read lists of their own form."""

_LOADING = "LoadImageFromFile"
_GREY = ("MNIST", "FashionMNIST")
_FORMAT = ({"type": "ImageToTensor", "keys": ["img"]}, {"type": "Collect", "keys": ["img"]})


def is_published_in(section: Mapping[str, Any], data: Path) -> bool:
    """Return whether a folder holds a dataset in the form that lists beside the images give it."""
    marks, _ = _FORMS.get(str(inner_of(section).get("type")), ((), ""))
    return any((data / each).exists() for each in marks)


def published_folder(section: Mapping[str, Any], data: Path) -> Path:
    """Return where the images of a published form lie."""
    _, below = _FORMS.get(str(inner_of(section).get("type")), ((), ""))
    return data / below


def holds_files(section: Mapping[str, Any], data: Path) -> bool:
    """Return whether a folder holds the files that a dataset such as CIFAR-10 is published as."""
    published = getattr(known_part(section), "is_published_in", None)
    return bool(published is not None and published(data))


def check_has_list(section: Mapping[str, Any], data: Path, split: str, *, has_list: bool) -> None:
    """Refuse class folders where an image has several labels.

    Raises:
        DataError: the folder holds no list for it.
    """
    kind = str(section.get("type"))
    if kind in _OF_SEVERAL_LABELS and not has_list:
        needed = "Annotations/" if kind == "VOC" else "the ann_file"
        raise DataError(
            f"--data {data}: {kind} reads several labels of an image, and {needed} of policy.collect.{split} "
            "is not there; class folders say one label: set a type, and a head, for one"
        )


def as_class_folders(section: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a dataset that reads class folders, with the same pipeline."""
    kind = str(section.get("type"))
    if kind in CLASS_FOLDERS:
        return section
    names = ("pipeline", "classes", "test_mode")
    kept: dict[str, Any] = {name: section[name] for name in names if name in section}
    if getattr(known_part(section), "is_in_memory", False) and "pipeline" in kept:
        kept["pipeline"] = _from_files(kept["pipeline"], is_grey=kind in _GREY)
    return {"type": "CustomDataset", **kept}


def eval_section_of(train: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a description of evaluation data that fits a training set, where that says how; else None.

    Images come out as large as in training, cut from the middle, and are normalised by the same numbers.
    """
    inner, pipeline = inner_of(train), pipeline_of(train, "")
    kind = str(inner.get("type"))
    if not pipeline.size or not pipeline.normalisation or kind not in (*CLASS_FOLDERS, "CUB", "StanfordCars"):
        return None
    height, width = pipeline.size[0]
    steps = [
        {"type": _LOADING},
        {"type": "Resize", "size": (round(min(height, width) * 256 / 224), -1)},
        {"type": "CenterCrop", "crop_size": (height, width)},
        dict(pipeline.normalisation),
        *map(dict, _FORMAT),
    ]
    return {"type": kind, "pipeline": steps, "test_mode": True}


def _from_files(pipeline: Sequence[Any], *, is_grey: bool) -> list[Any]:
    """Return the pipeline of arrays for files: their channels were in the order R, G, B already."""
    kinds = [step.get("type") if isinstance(step, Mapping) else None for step in pipeline]
    if _LOADING in kinds:
        return list(pipeline)
    load = {"type": _LOADING, **({"color_type": "grayscale"} if is_grey else {})}
    return [
        load,
        *(
            {**step, "to_rgb": True} if kind == "Normalize" else step
            for kind, step in zip(kinds, pipeline, strict=True)
        ),
    ]
