"""Rules on numbers that cannot mean what their key means: of another unit, or per cent.

Each rule is a pure function; it stays silent where it cannot know.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ding_cls.config.origins import DEFAULT
from ding_cls.config.tools.lint_rule import LintContext, LintFinding
from ding_cls.config.tools.pipeline_info import Pipeline, pipeline_of

_COLLECT = "policy.collect"
# More of the target than this goes to classes that are wrong.
_MOST_SMOOTHING = 0.5
_ALBUMENTATIONS = ("Albu", "Albumentations")
_TORCHVISION = "torchvision/"


def mean_and_std_in_another_unit(cfg: LintContext) -> Iterator[LintFinding]:
    """A mean and a standard deviation of 0 to 255 for pixels of 0 to 1, or the other way round."""
    for path, mean, std, largest in _normalizations(cfg):
        if mean is None or std is None:
            continue
        if largest == 1 and (_most(mean) > 1 or _most(std) > 1):
            low, high, change, scaled = 0, 255, "divide them by 255", 1 / 255
        elif largest == 255 and (0 < _most(mean) <= 1 or _most(std) < 1):
            low, high, change, scaled = 0, 1, "multiply them by 255", 255.0
        else:
            continue
        are_both = _is_far(mean, largest) and _is_far(std, largest)
        name = "mean" if _is_far(mean, largest) else "std"
        given = {"mean": mean, "std": std} if are_both else {name: mean if name == "mean" else std}
        shown = ", ".join(f"{key}={_listed(value)}" for key, value in given.items())
        better = ", ".join(f"{key}={_listed(value, scaled)}" for key, value in given.items())
        yield LintFinding(
            "mean-and-std",
            f"{path}.{name}",
            f"{shown} counts pixels from {low} to {high}, and here they count from 0 to {largest}",
            f"{change}: {better}",
        )
        return


def smoothing_per_cent(cfg: LintContext) -> Iterator[LintFinding]:
    """Smoothing that leaves the right class less than the others."""
    for path in ("policy.learn.label_smoothing", "policy.learn.loss.label_smooth_val"):
        yield from _smoothing(cfg, path)
    yield from _smoothing(cfg, "policy.model.head.loss.label_smooth_val")


def factors_above_one(cfg: LintContext) -> Iterator[LintFinding]:
    """A momentum or a weight decay from 1 on, as if it were per cent."""
    kind = str(cfg.at("policy.learn.optimizer.type") or "SGD")
    path = "policy.learn.momentum"
    if kind.upper() == "SGD" and cfg.number(path) >= 1:
        yield LintFinding(
            "factor-above-one",
            path,
            f"with {cfg.number(path):g} each step is larger than the one before, without end",
            "it is a share below 1, 0.9 by custom",
        )
    path = "policy.learn.weight_decay"
    # Lion's rates are a tenth of AdamW's, and its decays up to 10.
    if cfg.number(path) >= 1 and "lion" not in kind.lower():
        yield LintFinding(
            "factor-above-one",
            path,
            f"{cfg.number(path):g} takes that share of the learning rate off each weight in every update",
            "it is no per cent: 0.0001 by custom for SGD, 0.05 for AdamW",
        )


def _smoothing(cfg: LintContext, path: str) -> Iterator[LintFinding]:
    value = cfg.number(path)
    if value > _MOST_SMOOTHING:
        yield LintFinding(
            "smoothing",
            path,
            f"{value:g} gives {value * 100:g} % of each target to all classes alike: little is left to learn",
            f"it is a share, 0.1 by custom; {value:g} per cent is {value / 100:g}",
        )


def _normalizations(cfg: LintContext) -> Iterator[tuple[str, Any, Any, int]]:
    """Yield where the numbers of each normalisation are, its mean, its std, and how far its pixels count."""
    keys = [f"{_COLLECT}.{name}" for name in ("mean", "std")]
    if any(cfg.origin(key) != DEFAULT for key in keys):
        yield _COLLECT, cfg.at(keys[0]), cfg.at(keys[1]), 1
    for split in ("train", "val"):
        path = f"{_COLLECT}.{split}"
        yield from _in_pipeline(pipeline_of(cfg.at(path), path))


def _in_pipeline(pipeline: Pipeline) -> Iterator[tuple[str, Any, Any, int]]:
    largest = 255
    for path, step, _ in pipeline.steps:
        kind = str(step.get("type"))
        plain = kind.removeprefix(_TORCHVISION)
        if kind == f"{_TORCHVISION}ToTensor" or (plain == "ToDtype" and step.get("scale") is True):
            largest = 1
        if kind == "Normalize":
            yield path, step.get("mean"), step.get("std"), 255
        elif plain == "Normalize":
            yield path, step.get("mean"), step.get("std"), largest
        elif kind in _ALBUMENTATIONS:
            yield from _in_albumentations(path, step.get("transforms"))


def _in_albumentations(path: str, transforms: Any) -> Iterator[tuple[str, Any, Any, int]]:
    for index, step in enumerate(transforms if isinstance(transforms, list | tuple) else ()):
        if isinstance(step, Mapping) and step.get("type") == "Normalize":
            # Divided by max_pixel_value first.
            unit = 255 if step.get("max_pixel_value", 255) == 1 else 1
            yield f"{path}.transforms.{index}", step.get("mean"), step.get("std"), unit


def _is_far(numbers: Any, largest: int) -> bool:
    return _most(numbers) > 1 if largest == 1 else 0 < _most(numbers) <= 1


def _most(numbers: Any) -> float:
    """Return the largest number; one that says nothing where there is none."""
    listed = numbers if isinstance(numbers, Sequence) and not isinstance(numbers, str) else [numbers]
    known = [each for each in listed if isinstance(each, int | float) and not isinstance(each, bool)]
    return float(max(known, default=1.0))


def _listed(numbers: Any, factor: float = 1) -> str:
    listed = numbers if isinstance(numbers, Sequence) else [numbers]
    return f"[{','.join(f'{each * factor:.4g}' for each in listed)}]"
