"""One sample on its way through its pipeline: what each step makes of it, as a loader would read it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ding_cls.common.counting import counted
from ding_cls.data import Compose, Normalization, innermost
from ding_cls.data.loader import load_sample
from ding_cls.data.transforms.array_ops import Array, as_array
from ding_cls.data.transforms.compose import Described, Step, step_name, unwatched
from ding_cls.errors import DataError
from ding_cls.policy.stages import stages_of
from ding_cls.types import SampleKey

_MAX_LINE = 300


@dataclass(frozen=True, slots=True)
class Stage:
    """An image after a step.

    Attributes:
        name: of the step; empty: the image as it came in.
        image: ``(H, W, C)``, copied, in whatever numbers the step leaves.
        numbers: what ``image`` is normalised by; None: not known, or uint8.
    """

    name: str
    image: Array
    numbers: Normalization | None


@dataclass(frozen=True, slots=True)
class Traced:
    """A sample as the loader yields it, and the way there.

    Attributes:
        key: epoch and index.
        stages: the image as it came in and after each step; empty where the dataset shows no pipeline.
        pixels: what the loader puts into a batch: uint8 ``(H, W, 3)``, or float.
        numbers: what float ``pixels`` are normalised by, where that is known.
        target: the dataset's own.
    """

    key: SampleKey
    stages: tuple[Stage, ...]
    pixels: torch.Tensor
    numbers: Normalization | None
    target: Any


def traced_sample(dataset: Any, key: SampleKey, *, seed: int) -> Traced:
    """Return a sample as a loader of this seed reads it.

    Args:
        dataset: as in ``build_train_loader``.
        key: which sample, in which epoch.
        seed: the loader's.

    Raises:
        DataError: the image cannot be read, or a step cannot use it.
    """
    stages: list[Stage] = []
    numbers: list[Normalization | None] = []
    with _watched(pipelines_of(dataset), stages, numbers):
        pixels, target = load_sample(dataset, key, seed=seed)
    if not isinstance(pixels, torch.Tensor):
        raise DataError(f"sample {key.sample_id} of the data set is a {type(pixels).__name__}, not a tensor")
    return Traced(key, tuple(stages), pixels, numbers[-1] if numbers else None, target)


def pipelines_of(dataset: Any) -> list[Compose]:
    """Return the pipelines inside a dataset, each once; none where it reads in a way of its own."""
    found: list[Compose] = []
    for each in innermost(dataset):
        geometry, own = getattr(each, "geometry", None), getattr(each, "pipeline", None)
        pipeline = getattr(geometry, "steps", own)
        if isinstance(pipeline, Compose) and pipeline not in found:
            found.append(pipeline)
    return found


def described_step(described: Described) -> str:
    """Return a step as ``Name(argument=value, ...)``, with the arguments that were given."""
    if not isinstance(described, Mapping):
        text = (
            repr(described) if type(described).__module__.startswith("torchvision.") else step_name(described)
        )
        return _shortened(text if text.endswith(")") else f"{text}()")
    kind = described.get("type")
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    given = ", ".join(f"{key}={value!r}" for key, value in described.items() if key != "type")
    return _shortened(f"{name}({given})")


def steps_of_batch(augments: Any) -> list[str]:
    """Return batch augmentations, one or several, as `described_step` shows a step."""
    return [
        described_step(each) for each in ([augments] if isinstance(augments, Mapping) else augments or ())
    ]


def later_stages(learn: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each of ``policy.learn.recipes`` changes, and when.

    Args:
        learn: the config's section, compiled.

    Raises:
        ConfigError: a recipe that cannot be used.
    """
    for stage in stages_of(learn)[1:]:
        begin = counted(stage.begin, "epoch" if stage.by_epoch else "update")
        batch = ", ".join(steps_of_batch(stage.batch_augments)) or "no batch augmentations"
        loss = stage.loss if isinstance(stage.loss, str | None) else described_step(stage.loss)
        yield f"after {begin}: {batch}{f', loss {loss}' if loss else ''}"


@contextmanager
def _watched(
    pipelines: list[Compose], stages: list[Stage], numbers: list[Normalization | None]
) -> Iterator[None]:
    for each in pipelines:
        each.watch = _Recorder(each, stages, numbers)
    try:
        yield
    finally:
        for each in pipelines:
            each.watch = unwatched


class _Recorder:
    """Keeps a copy of the image after each step: a step may write into what the one before has left."""

    def __init__(self, pipeline: Compose, stages: list[Stage], numbers: list[Normalization | None]) -> None:
        self._pipeline, self._stages, self._numbers = pipeline, stages, numbers

    def __call__(self, step: Step | None, img: Any) -> None:
        if step is None:
            self._numbers.append(self._pipeline.normalization)
        if img is None:
            return
        try:
            image = np.array(as_array(img))
        except DataError:
            # What a user's step leaves to the next need be no image.
            return
        steps = self._pipeline.steps
        place = next((number for number, each in enumerate(steps, 1) if each is step), 0)
        numbers = Compose(steps[:place]).normalization if image.dtype.kind == "f" else None
        self._stages.append(Stage("" if step is None else step_name(step), image, numbers))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE - 4]} ..."
