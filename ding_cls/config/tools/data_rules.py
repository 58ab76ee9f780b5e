"""Rules on the data of training and evaluation: images, pipelines, loading.

Each rule is a pure function; it stays silent where it cannot know.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ding_cls.config.origins import DEFAULT
from ding_cls.config.tools.lint_rule import LintContext, LintFinding
from ding_cls.config.tools.pipeline_info import SIZES, Pipeline, pipeline_of, unwrapped

# Below it evaluation sees less than half of a square image.
_LEAST_CROP = 0.7
_SIZE = "policy.collect.image_size"
_RESIZE = "policy.collect.resize_size"
# Decoding what is cut to less takes less than an update does.
_PHOTOGRAPH_PX = 128
# Transforms that change an image by chance, beside those named Random.
_WHOLE = "AugMix AutoAugment ColorJitter Cutout Lighting RandAugment TrivialAugmentWide"
_SINGLE = (
    "AutoContrast Brightness ColorTransform Contrast Equalize Invert Posterize Rotate Sharpness Shear "
    "Solarize SolarizeAdd Translate"
)
_BY_CHANCE = frozenset([*_WHOLE.split(), *_SINGLE.split()])

# Datasets whose pixels come in R, G, B, without a file.
_IN_MEMORY = ("ArrayDataset", "NpzDataset", "CIFAR10", "CIFAR100", "TorchvisionDataset")

# Wrappers that take a part of their dataset.
_DIVIDING = ("KFoldDataset", "SplitDataset")


def unequal_sizes(cfg: LintContext) -> Iterator[LintFinding]:
    """Training and evaluation pipelines that end at two sizes."""
    train, val = _pipelines(cfg)
    if train.size and val.size and train.size[0] != val.size[0]:
        yield LintFinding(
            "unequal-sizes",
            val.size[1],
            f"evaluation sees {_sized(val.size[0])} px, training {_sized(train.size[0])} px "
            f"({cfg.origin(train.size[1])})",
            "use one size, unless a larger evaluation is meant (FixRes)",
        )


def unequal_normalisation(cfg: LintContext) -> Iterator[LintFinding]:
    """Training and evaluation pipelines that normalise by different numbers."""
    train, val = _pipelines(cfg)
    is_ordered = _orders_channels(train) or _orders_channels(val)
    for name in ("mean", "std") if is_ordered else ("mean", "std", "to_rgb"):
        old, new = (_normalised_by(each, name) for each in (train, val))
        if train.normalisation and val.normalisation and _of_channels(old) != _of_channels(new):
            yield LintFinding(
                "unequal-normalisation",
                f"{val.normalize_path}.{name}",
                f"evaluation normalises with {name}={new}, training with {old} "
                f"({cfg.origin(train.normalize_path)})",
                "name one dict of mean, std and to_rgb, and unpack it in both",
            )


def squashed(cfg: LintContext) -> Iterator[LintFinding]:
    """``Resize(size=256)``, which here makes a square, before a crop that expects the shorter side."""
    for pipeline in _pipelines(cfg):
        for path, transform, following in pipeline.steps:
            size = transform.get("size")
            is_cropped = any(step.get("type") == "CenterCrop" for step in following)
            if transform.get("type") == "Resize" and isinstance(size, int) and is_cropped:
                yield LintFinding(
                    "squashed",
                    f"{path}.size",
                    f"Resize(size={size}) squashes every image to {size} x {size} before CenterCrop; "
                    "torchvision's would not",
                    f"for the shorter side write size=({size}, -1)",
                )


def crop_far_from_resize(cfg: LintContext) -> Iterator[LintFinding]:
    """An evaluation that sees a small part of each image, or more than there is."""
    _, val = _pipelines(cfg)
    for crop_path, crop_px, resize_px in _crops(cfg, val):
        usual = round(crop_px * 256 / 224)
        remedy = f"resize the shorter side to about {usual} px"
        if not val.steps:
            remedy = f"leave {_RESIZE} out, and it follows the crop"
        if crop_px > resize_px:
            what = f"evaluation cuts {crop_px} px out of {resize_px} px, which is more than there is"
            yield LintFinding("crop-far-from-resize", crop_path, what, remedy)
        elif crop_px < _LEAST_CROP * resize_px:
            share = 100 * (crop_px / resize_px) ** 2
            what = (
                f"evaluation cuts the middle {crop_px} px out of {resize_px} px: it sees {share:.0f} % of a "
                "square image, and less of any other"
            )
            yield LintFinding("crop-far-from-resize", crop_path, what, remedy)


def swapped_channels(cfg: LintContext) -> Iterator[LintFinding]:
    """Files read as BGR and normalised by numbers in the order R, G, B."""
    for pipeline in _pipelines(cfg):
        mean = pipeline.normalisation.get("mean")
        is_from_files = any(step.get("type") == "LoadImageFromFile" for _, step, _ in pipeline.steps)
        is_rgb = isinstance(mean, (list, tuple)) and len(mean) == 3 and mean[0] > mean[1] > mean[2]
        is_from_files = is_from_files and not _orders_channels(pipeline)
        if is_from_files and is_rgb and pipeline.normalisation.get("to_rgb") is False:
            yield LintFinding(
                "swapped-channels",
                f"{pipeline.normalize_path}.to_rgb",
                f"to_rgb=False leaves a file's pixels as B, G, R, and mean={mean} is in the order R, G, B",
                "set to_rgb=True, or turn mean and std around",
            )


def swapped_arrays(cfg: LintContext) -> Iterator[LintFinding]:
    """Arrays in R, G, B that ``to_rgb=True`` turns around, though it sounds otherwise."""
    for split in ("train", "val"):
        path = f"policy.collect.{split}"
        dataset, _ = unwrapped(cfg.at(path), path)
        pipeline = pipeline_of(cfg.at(path), path)
        is_loading = any(str(step.get("type")).startswith("Load") for _, step, _ in pipeline.steps)
        is_swapped = dataset.get("type") in _IN_MEMORY and not is_loading and not _orders_channels(pipeline)
        if is_swapped and pipeline.normalisation.get("to_rgb") is True:
            yield LintFinding(
                "swapped-arrays",
                f"{pipeline.normalize_path}.to_rgb",
                f"the pixels of a {dataset['type']} are R, G, B; to_rgb=True makes them B, G, R",
                "leave to_rgb out of both pipelines, or set it to False",
            )
            return


def random_evaluation(cfg: LintContext) -> Iterator[LintFinding]:
    """A random transform where every evaluation should see the same images."""
    _, val = _pipelines(cfg)
    for path, transform, _ in val.steps:
        kind = str(transform.get("type"))
        if kind.startswith("Random") or kind in _BY_CHANCE:
            yield LintFinding(
                "random-evaluation",
                path,
                f"{kind} changes evaluation images by chance: two evaluations cannot be compared",
                "take it out of the evaluation pipeline; Resize and CenterCrop do the same each time",
            )


def evaluated_on_training_data(cfg: LintContext) -> Iterator[LintFinding]:
    """One set of images for training and evaluation."""
    train, val = (_source(cfg, name) for name in ("train", "val"))
    if train and val and train[1:] == val[1:] and not cfg.at("policy.collect.synthetic"):
        has_sections = cfg.at("policy.collect.val") is not None
        yield LintFinding(
            "evaluated-on-training-data",
            "policy.collect.val" if has_sections else "policy.collect.eval_data_path",
            f"evaluation reads the training images ({train[0]}): it measures what was learnt by heart",
            "name a folder, an annotation file or test_mode=True of its own for it",
        )


def loading_in_the_way(cfg: LintContext) -> Iterator[LintFinding]:
    """Photographs decoded between the updates."""
    path = "policy.learn.learner.dataloader.num_workers"
    train, _ = _pipelines(cfg)
    size_px = train.size[0][0] if train.size else cfg.number("policy.collect.image_size")
    if cfg.at(path) == 0 and size_px >= _PHOTOGRAPH_PX and not cfg.at("policy.collect.synthetic"):
        yield LintFinding(
            "loading-in-the-way",
            path,
            "no process reads ahead: the device waits while each batch of images is decoded",
            f"set {path} to the number of CPU cores per process, at most 8",
        )


def size_without_effect(cfg: LintContext) -> Iterator[LintFinding]:
    """A size for images that pipelines with sizes of their own make."""
    train, val = _pipelines(cfg)
    sized = [each.size[1] for each in (train, val) if each.size]
    for path in (_SIZE, _RESIZE):
        # What the network's library declares is no wish of the user's, nor is what a run has saved.
        if len(sized) == 2 and re.match(r"override |(?!.*\btotal_config\.py).*:\d+$", cfg.origin(path)):
            yield LintFinding(
                "size-without-effect",
                path,
                "it has no effect: the pipelines of train and val have sizes of their own",
                f"set {' and '.join(sized)}",
            )


def _crops(cfg: LintContext, val: Pipeline) -> Iterator[tuple[str, float, float]]:
    """Yield each centre crop of evaluation: its path, its side, and the shorter side before it, in pixels."""
    if not val.steps:
        sizes = [cfg.number(path) for path in (_SIZE, _RESIZE)]
        # Of a size that is not set only the network's library knows.
        if all(sizes) and cfg.origin(_SIZE) != DEFAULT:
            yield _RESIZE, sizes[0], sizes[1]
        return
    shorter: float = 0
    for path, transform, _ in val.steps:
        kind, pixels = transform.get("type"), _shorter(transform)
        if kind == "CenterCrop" and shorter and pixels and not transform.get("efficientnet_style"):
            yield f"{path}.crop_size", pixels, shorter
        # Of what other steps leave nothing is known.
        shorter = pixels if kind == "Resize" else 0 if kind in SIZES else shorter


def _shorter(transform: Mapping[str, Any]) -> float:
    """Return the shorter side that a step leaves, in pixels; 0 where that is not known."""
    size = transform.get(SIZES.get(str(transform.get("type")), ""))
    if isinstance(size, (list, tuple)) and list(size)[1:] == [-1]:
        size = size[0] if transform.get("adaptive_side", "short") == "short" else 0
    if isinstance(size, (list, tuple)) and all(isinstance(each, int) for each in size):
        size = min(size)
    return size if isinstance(size, int) and size > 0 else 0


def _orders_channels(pipeline: Pipeline) -> bool:
    """Return whether a ``Lighting`` makes R, G, B of files, so that ``Normalize(to_rgb=False)`` is right."""
    return any(
        step.get("type") == "Lighting" and step.get("to_rgb") is not False for _, step, _ in pipeline.steps
    )


def _pipelines(cfg: LintContext) -> tuple[Pipeline, Pipeline]:
    train, val = (pipeline_of(cfg.at(path), path) for path in ("policy.collect.train", "policy.collect.val"))
    return train, val


def _source(cfg: LintContext, split: str) -> tuple[Any, ...] | None:
    """Return its folder, and what decides which images a split reads; None where that is not known."""
    section = cfg.at(f"policy.collect.{split}")
    if isinstance(section, Mapping) and section.get("type") in _DIVIDING:
        return None
    dataset, _ = unwrapped(section, "")
    key = {"train": "learn_data_path", "val": "eval_data_path"}[split]
    folder = dataset.get("data_prefix") or cfg.at(f"policy.collect.{key}")
    names = ("type", "ann_file", "test_mode", "imgs", "name", "split", "train", "images")
    # One place has many spellings: ./, .., links.
    real = {"ann_file": os.path.realpath(str(dataset["ann_file"]))} if dataset.get("ann_file") else {}
    described = {**dataset, **real}
    words = (str(described.get(name) or "") for name in names)
    return (folder, os.path.realpath(str(folder)), *words) if folder else None


def _normalised_by(pipeline: Pipeline, name: str) -> Any:
    """Return an argument of ``Normalize``; for a ``to_rgb`` that is left out the one that does the same."""
    value = pipeline.normalisation.get(name)
    if name == "to_rgb" and value is None:
        return any(str(step.get("type")).startswith("Load") for _, step, _ in pipeline.steps)
    return value


def _sized(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]} x {size[1]}"


def _of_channels(value: Any) -> Any:
    """Return a mean or a standard deviation as a list; one number is that of each channel."""
    several = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return several * 3 if len(several) == 1 else several
