"""Steps in a row: built from dicts, run one after the other, cut where a batch can go on.

It must not know datasets or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import torch
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import as_array, described_sample, is_bytes, with_image
from ding_cls.data.transforms.color import Lighting
from ding_cls.data.transforms.formatting import (
    FROM_0_TO_1,
    FROM_0_TO_255,
    Collect,
    ImageToTensor,
    Normalization,
    Normalize,
    ToNumpy,
    ToTensor,
)
from ding_cls.data.transforms.geometry import GeometryStep
from ding_cls.data.transforms.loading import OPENED, LoadImageFromFile
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.data.transforms.torchvision import PREFIX, OnImage
from ding_cls.errors import ConfigError, DataError, DingError

# What a user's step returns is not known before it is looked at.
Step = Callable[[dict[str, Any]], Any]
Described = Mapping[str, Any] | Step
# Is shown the image of a sample, as it comes in (with None) and after each step; it must not write into it.
Watch = Callable[[Step | None, Any], None]

# torchvision's own that may normalise without saying by what numbers.
_OPAQUE = (v2.LinearTransformation, v2.Compose, v2.RandomApply, v2.RandomChoice, v2.RandomOrder, v2.Lambda)


@PIPELINES.register_module(name=["Compose", PREFIX + "Compose"])
class Compose:
    """Steps in a row.

    A `Normalize` that only `ImageToTensor`, `ToTensor` and `Collect` follow need not run on each sample:
    `pixels` stops before it, and ``deferred`` is what to do to the whole batch. Any later step keeps it where
    it stands.

    Args:
        transforms: each a ``dict(type='Name', ...)``, a transform of torchvision, or a function from sample
            to sample. A `Compose` among them counts as its steps.

    Attributes:
        steps: all steps.
        described: what each of them was made from.
        watch: is shown what becomes of an image in `pixels`.
        pixel_steps: those before what a batch can do.
        is_from_file: a `LoadImageFromFile` is among them.
        deferred: how a batch of uint8 from `pixels` is normalised; None where no `Normalize` was left out.
        normalization: the numbers of the last step that normalises, wherever it stands; those that change
            nothing where known steps make floats without one; else None.
        is_known: no step is the user's own, or may else normalise without saying so.
        is_builtin: every step is ours or one of torchvision's v2: it draws random numbers from torch only,
            and never writes into the pixels that it is given.

    Raises:
        ConfigError: a step cannot be built.
    """

    def __init__(self, transforms: Sequence[Described]) -> None:
        if isinstance(transforms, (Mapping, str)) or not isinstance(transforms, Sequence):
            raise ConfigError(f"a pipeline is a list of dict(type='Name', ...), not {transforms!r}")
        steps: list[Step] = []
        described: list[Described] = []
        for each in transforms:
            step = build_step(each)
            steps.extend(step.steps if isinstance(step, Compose) else [step])
            described.extend(step.described if isinstance(step, Compose) else [each])
        self.steps: tuple[Step, ...] = tuple(steps)
        self.described: tuple[Described, ...] = tuple(described)
        self.watch: Watch = unwatched
        self.is_from_file = any(isinstance(step, LoadImageFromFile) for step in steps)
        stated = next(filter(None, map(self._numbers, reversed(steps))), None)
        self.is_known = _are_known(steps)
        self.is_builtin = all(map(_is_builtin, steps))
        self.normalization = _range_of_floats(steps) if stated is None and self.is_known else stated
        end = len(steps)
        while end and isinstance(steps[end - 1], (ImageToTensor, ToTensor, Collect)):
            end -= 1
        is_deferred = end > 0 and isinstance(steps[end - 1], Normalize)
        self.deferred = stated if is_deferred else None
        self.pixel_steps = tuple(steps[: end - is_deferred])
        first = steps[0] if self.pixel_steps else None
        self._load = first if type(first) is LoadImageFromFile and not first.to_float32 else None
        self._moving = _moving(self.pixel_steps[1:]) if self._load else []

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after all steps.

        Raises:
            DataError: a step cannot use the sample, or returns none.
        """
        return run_steps(self.steps, results)

    def pixels(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after ``pixel_steps``; where that is float already, normalised too.

        Where no step follows reading and geometry, ``img`` may be a Pillow image.

        Raises:
            DataError: as above.
        """
        later, watch = self.pixel_steps, self.watch
        watch(None, results.get(OPENED, results.get("img")))
        if self._load is not None:
            # Pillow reads, cuts and resizes: no array of the whole image is made between.
            image = self._load.image_of(results)
            watch(self._load, image)
            for step in self._moving:
                image = step.moved(image, results)
                watch(step, image)
            later = later[1 + len(self._moving) :]
            results = with_image(results, as_array(image) if later else image)
        results = run_steps(later, results, watch)
        if self.deferred is None or is_bytes(results.get("img")):
            return results
        return run_steps(self.steps[len(self.pixel_steps) :][:1], results, watch)

    def __repr__(self) -> str:
        return f"Compose({list(self.steps)!r})"

    def _numbers(self, step: Step) -> Normalization | None:
        if isinstance(step, Normalize):
            # Where a Lighting has put the channels of files in order, Normalize no longer has to.
            is_ordered = any(isinstance(each, Lighting) and each.to_rgb is not False for each in self.steps)
            return step.numbers(is_from_file=self.is_from_file and not is_ordered)
        if isinstance(step, OnImage) and isinstance(step.transform, v2.Normalize):
            mean, std = (tuple(map(float, each)) for each in (step.transform.mean, step.transform.std))
            return Normalization(mean, std)
        return None


class _Container:
    """Other steps, chosen or ordered by one of torchvision's own containers."""

    def __init__(self, kind: Callable[..., Any], transforms: Sequence[Described], **arguments: Any) -> None:
        try:
            self._container = kind([Compose([each]) for each in transforms], **arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"torchvision's {kind.__name__} refuses {arguments}: {error}") from error

    @property
    def steps(self) -> list[Step]:
        """All of its steps."""
        return [step for each in self._container.transforms for step in each.steps]

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        # torchvision's containers hand on whatever they are called with.
        changed: dict[str, Any] = self._container(results)
        return changed


@PIPELINES.register_module(name=["RandomApply", PREFIX + "RandomApply"])
class RandomApply(_Container):
    """Runs all of its steps, or none.

    Args:
        transforms: as in `Compose`.
        p: how often, in [0, 1].
    """

    def __init__(self, transforms: Sequence[Described], p: float = 0.5) -> None:
        super().__init__(v2.RandomApply, transforms, p=p)


@PIPELINES.register_module(name=["RandomChoice", PREFIX + "RandomChoice"])
class RandomChoice(_Container):
    """Runs one of its steps.

    Args:
        transforms: as in `Compose`.
        p: weight of each step; equal where None.
    """

    def __init__(self, transforms: Sequence[Described], p: Sequence[float] | None = None) -> None:
        super().__init__(v2.RandomChoice, transforms, p=None if p is None else list(p))


@PIPELINES.register_module(name=["RandomOrder", PREFIX + "RandomOrder"])
class RandomOrder(_Container):
    """Runs all of its steps in random order.

    Args:
        transforms: as in `Compose`.
    """

    def __init__(self, transforms: Sequence[Described]) -> None:
        super().__init__(v2.RandomOrder, transforms)


def build_step(step: Described) -> Step:
    """Return the step that a dict describes; a function or a transform of torchvision stands for itself.

    Raises:
        ConfigError: an unknown name or argument, or something that cannot be called.
    """
    built = PIPELINES.build(step) if isinstance(step, Mapping) else step
    if type(built).__module__.startswith("torchvision."):
        return OnImage(built)
    if not callable(built):
        raise ConfigError(f"a step of a pipeline is a dict(type='Name', ...) or a function, not {step!r}")
    return built


def unwatched(step: Step | None, img: Any) -> None:
    """Look at nothing: what watches a pipeline that nobody looks at."""


def run_steps(steps: Sequence[Step], results: dict[str, Any], watch: Watch = unwatched) -> dict[str, Any]:
    """Return the sample after these steps; what a step raises gets a note that names step and sample.

    Raises:
        DataError: a step returns something else than a sample.
    """
    had_image = False
    for step in steps:
        had_image = had_image or "img" in results
        try:
            changed = step(results)
        except DingError:
            raise
        except Exception as error:
            if isinstance(error, KeyError) and error.args == ("img",) and "img" not in results:
                raise DataError(_without_image(step, results, was_there=had_image)) from error
            error.add_note(f"in the pipeline step {step_name(step)}, for {described_sample(results)}")
            raise
        if not isinstance(changed, dict):
            kind = "None" if changed is None else f"a {type(changed).__name__}"
            raise DataError(
                f"the pipeline step {step_name(step)} returned {kind} for {described_sample(results)}; "
                "it must return the dict it was given, changed"
            )
        results = changed
        watch(step, results.get("img"))
    return results


def _without_image(step: Step, results: dict[str, Any], *, was_there: bool) -> str:
    remedy = (
        "a step before it has removed it"
        if was_there
        else "begin the pipeline with dict(type='LoadImageFromFile')"
    )
    return f"the pipeline step {step_name(step)} finds no 'img' in {described_sample(results)}: {remedy}"


def _moving(steps: Sequence[Step]) -> list[GeometryStep]:
    """Return the geometry at the beginning; a user's own subclass may do something else when it is called."""
    ours = takewhile(lambda step: type(step).__module__.startswith("ding_cls.data."), steps)
    return list(takewhile(lambda step: isinstance(step, GeometryStep), ours))  # type: ignore[arg-type]


def _are_known(steps: Sequence[Step]) -> bool:
    return all(
        _are_known(step.steps)
        if isinstance(step, _Container)
        else type(step).__module__.startswith("ding_cls.data.")
        and not (isinstance(step, OnImage) and isinstance(step.transform, _OPAQUE))
        for step in steps
    )


def _is_builtin(step: Step) -> bool:
    if not type(step).__module__.startswith("ding_cls.data."):
        return False
    if isinstance(step, OnImage):
        # torchvision's first version draws from Python's generator; containers and Lambda hold anything.
        is_v2 = type(step.transform).__module__.startswith("torchvision.transforms.v2.")
        return is_v2 and not isinstance(step.transform, _OPAQUE)
    return getattr(step, "is_builtin", True) and all(map(_is_builtin, getattr(step, "steps", ())))


def _range_of_floats(steps: Sequence[Step]) -> Normalization | None:
    """Return what floats count in that none of these steps normalises; None for uint8."""
    found = None
    for step in steps:
        if isinstance(step, _Container):
            found = _range_of_floats(step.steps) or found
        elif isinstance(step, OnImage):
            found = _range_after(step.transform, found)
        elif isinstance(step, ToNumpy) or (isinstance(step, LoadImageFromFile) and step.to_float32):
            found = found or FROM_0_TO_255
    return found


def _range_after(transform: Any, before: Normalization | None) -> Normalization | None:
    if isinstance(transform, v2.ToTensor):
        return before or FROM_0_TO_1
    dtype = getattr(transform, "dtype", None)
    if not isinstance(transform, v2.ToDtype | v2.ConvertImageDtype) or not isinstance(dtype, torch.dtype):
        return before
    if not dtype.is_floating_point:
        return None
    return before or (FROM_0_TO_1 if getattr(transform, "scale", True) else FROM_0_TO_255)


def step_name(step: Step) -> str:
    """Return what a step is called; of a transform of torchvision's its own name."""
    step = step.transform if isinstance(step, OnImage) else step
    return str(getattr(step, "__name__", type(step).__name__))
