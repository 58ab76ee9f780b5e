"""What the pipeline does to the images of a run: samples of its first epoch, as they come in and go out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from PIL import Image

from ding_cls.common.seed import Stream, derive_seed, torch_randomness
from ding_cls.config.run_length import num_epochs
from ding_cls.data import BatchMixing, Normalization, PipelinePreprocessing, TrainLoader
from ding_cls.pipeline.datasets.splits import preprocessing_of
from ding_cls.pipeline.looking.display import Pixels, displayed, displayed_tensor, value_line
from ding_cls.pipeline.looking.opening import OpenedConfig, training_loader
from ding_cls.pipeline.looking.trace import (
    Traced,
    described_step,
    later_stages,
    pipelines_of,
    steps_of_batch,
    traced_sample,
)
from ding_cls.report.sheet import Cell, draw_sheet
from ding_cls.types import SampleKey

Mode: TypeAlias = Literal["original", "transformed", "concat", "pipeline"]
Split: TypeAlias = Literal["train", "val"]

_CELL_PX = {"original": 224, "transformed": 224, "concat": 224, "pipeline": 160}
# Images beside each other, as far as groups can be kept together.
_COLUMNS = 6
_MANY = 3


@dataclass(frozen=True, slots=True)
class SampleView:
    """One sample, as it is shown.

    Attributes:
        traced: the way to what the loader yields.
        network: what the network gets, float ``(C, H, W)``.
        numbers: what that is normalised by; None: not known.
        mixed: the same after the batch augmentations, and its target; None without them.
    """

    traced: Traced
    network: torch.Tensor
    numbers: Normalization | None
    mixed: tuple[torch.Tensor, torch.Tensor] | None = None


@dataclass(frozen=True, slots=True)
class PipelineView:
    """Samples on their way into the network, and what is said of that.

    Attributes:
        samples: in the order of the epoch.
        classes: names of the classes, by number.
        lines: what they are, each step with its arguments, what the network gets.
    """

    samples: tuple[SampleView, ...]
    classes: tuple[str, ...]
    lines: tuple[str, ...]


def view_pipeline(opened: OpenedConfig, *, split: Split = "train", number: int = 8) -> PipelineView:
    """Return the first samples of the first epoch as training reads them; or evaluation's, spread over it.

    Dataset, order, draws and batches are those of a run of one process.

    Args:
        opened: a checked config.
        split: whose images.
        number: how many, at most.

    Raises:
        DingError: as a run would before its first update.
    """
    cfg = opened.cfg
    train_set, eval_set = opened.datasets()
    preprocessing = preprocessing_of(cfg)
    augments, later = [], list[str]()
    if split == "train":
        dataset, seed, loader = train_set, cfg.seed, training_loader(cfg, train_set)
        keys = list(islice(chain.from_iterable(loader.keys()), number))
        about = f"the first {len(keys)} of epoch 1, seed {seed}"
        augments, later = cfg.policy.learn.batch_augments, [*later_stages(cfg.policy.learn)]
    else:
        dataset, seed = eval_set, 0
        keys = list(dict.fromkeys(SampleKey(0, place * len(dataset) // number) for place in range(number)))
        about = f"{len(keys)} of them, spread over the set"
    views = [_view(traced_sample(dataset, key, seed=seed), preprocessing) for key in keys]
    if augments:
        mixed = islice(_mixed(cfg, loader, preprocessing, augments), len(views))
        views = [replace(view, mixed=pair) for view, pair in zip(views, mixed, strict=True)]
    kind = "training" if split == "train" else "evaluation"
    lines = [
        f"{kind} images: {len(dataset):,} in {len(train_set.classes):,} classes; {about}",
        *_step_lines(dataset, preprocessing, views),
        *(f"  batch: {each}" for each in steps_of_batch(augments)),
        *(f"  {each}" for each in later),
        *_remarks(views),
        f"in the network: {value_line([each.network for each in views])}",
    ]
    return PipelineView(tuple(views), tuple(train_set.classes), tuple(lines))


def pipeline_sheet(view: PipelineView, mode: Mode) -> Image.Image:
    """Return the samples of a view on a sheet.

    Args:
        view: what to draw.
        mode: the image as it came in, as the network gets it, both, or after each step.
    """
    groups = [_cells(each, mode, view.classes) for each in view.samples]
    per_row = max(1, _COLUMNS // max(map(len, groups)))
    return draw_sheet(groups, cell_px=_CELL_PX[mode], per_row=per_row)


def target_texts(target: Any, classes: Sequence[str]) -> list[str]:
    """Return the classes that a target names; of shares of several the largest, with their shares."""
    values = torch.as_tensor(target)
    if not values.is_floating_point():
        return [_name(int(each), classes) for each in values.flatten()]
    shares = values.flatten().abs()
    found = [int(each) for each in shares.argsort(descending=True, stable=True)[:_MANY] if shares[each] > 0]
    if not found:
        return ["no class"]
    more = int((shares > 0).sum()) - len(found)
    are_whole = bool(((shares == 0) | (shares == 1)).all())
    texts = [
        _name(each, classes) if are_whole else f"{float(shares[each]):.2f} {_name(each, classes)}"
        for each in found
    ]
    return [*texts, f"and {more} more"] if more else texts


def _name(number: int, classes: Sequence[str]) -> str:
    return classes[number] if 0 <= number < len(classes) else f"class {number}"


def _mixed(
    cfg: Any, loader: TrainLoader, preprocessing: PipelinePreprocessing, augments: Any
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield images and targets of the first epoch as the policy mixes them, update by update."""
    mix = BatchMixing(
        augments,
        num_classes=len(loader.dataset.classes),
        max_epochs=num_epochs(cfg.policy.learn, len(loader)),
    )
    loader.set_position(0, 0)
    for train_iter, batch in enumerate(loader):
        with torch_randomness(derive_seed(Stream.STEP, cfg.seed, train_iter, 0)):
            mixed = mix(preprocessing.prepare(batch), 0)
        yield from zip(mixed.images, mixed.targets, strict=True)


def _view(traced: Traced, preprocessing: PipelinePreprocessing) -> SampleView:
    if traced.pixels.is_floating_point():
        return SampleView(traced, traced.pixels, traced.numbers)
    network = preprocessing.normalize(traced.pixels[None])[0]
    return SampleView(traced, network, preprocessing.normalization)


def _step_lines(
    dataset: Any, preprocessing: PipelinePreprocessing, views: Sequence[SampleView]
) -> Iterator[str]:
    """Yield a line for each step, and for what is done to the batch."""
    pipelines = pipelines_of(dataset)
    if not pipelines:
        yield f"  {type(dataset).__name__} makes its images itself, without a pipeline"
    ways = dict.fromkeys(tuple(map(described_step, each.described)) for each in pipelines)
    for number, steps in enumerate(ways):
        if number:
            yield "another of the data sets that it joins:"
        yield from (f"  {each}" for each in steps)
    if not views[0].traced.pixels.is_floating_point() and not any(each.deferred for each in pipelines):
        yield f"  batch: normalised by {preprocessing.normalization}"


def _remarks(views: Sequence[SampleView]) -> Iterator[str]:
    """Yield a line for what must not be overlooked."""
    if any(each.numbers is not None and each.numbers.is_swapped for each in views):
        yield (
            "red and blue change places (to_rgb): the network gets blue first, and the sheet shows its first "
            "channel as red"
        )
    if any(each.numbers is None for each in views):
        yield "nothing says what the network's numbers count in: the sheet shows them by their range"


def _cells(view: SampleView, mode: Mode, classes: Sequence[str]) -> list[Cell]:
    traced = view.traced
    stages = [displayed(each.image, each.numbers) for each in traced.stages]
    names = [each.name for each in traced.stages]
    seen = displayed_tensor(view.network, view.numbers)
    if len(names) > 1 and not names[0] and np.array_equal(stages[0].image, stages[1].image):
        # What reads a file has read it already.
        del stages[0], names[0]
    label = ", ".join(target_texts(traced.target, classes))
    cells = [_cell(stages[0] if stages else seen, label)]
    if mode == "transformed":
        cells = [_cell(seen, label)]
    elif mode == "concat":
        cells.append(_cell(seen, "network"))
    elif mode == "pipeline":
        before = stages[0] if stages else seen
        for name, stage in zip(names[1:], stages[1:], strict=True):
            cells.append(_cell(stage, name, before=before))
            before = stage
        cells.append(_cell(seen, "network", before=before))
    if view.mixed is not None and mode != "original":
        image, target = view.mixed
        cell = _cell(displayed_tensor(image, view.numbers), "mixed in the batch", before=seen)
        cells.append(Cell(cell.image, (*cell.lines, *target_texts(target, classes))))
    return cells


def _cell(pixels: Pixels, text: str, *, before: Pixels | None = None) -> Cell:
    height, width = pixels.image.shape[:2]
    about = f"{width} x {height}"
    if before is not None and np.array_equal(before.image, pixels.image):
        about += ", unchanged"
    if pixels.clipped:
        about += f", {max(100 * pixels.clipped, 0.1):.1f} % clipped"
    return Cell(pixels.image, (text, f"{about}, {pixels.note}" if pixels.note else about))
