"""A run's datasets without the images that cannot be read: which these are is found once, at its start.

They are facts of the run: the checkpoints name them, and a resumed run leaves out the same.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ding_cls.common.files import atomic_write
from ding_cls.data import ImageNetDataset, innermost
from ding_cls.data.image_check import BadImage, ReadableDataset, find_bad_images, missing_images
from ding_cls.data.labels import sample_names
from ding_cls.distributed import get_rank
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.build import build_datasets
from ding_cls.pipeline.checks.changed_data import FACT as DATA
from ding_cls.pipeline.checks.changed_data import bind_data
from ding_cls.pipeline.run_context import Run

_LOGGER = logging.getLogger(__name__)
FACT = "bad_images"
BAD_IMAGES = "bad_images.txt"
_KEY = "policy.learn.learner.dataloader.max_bad"
_MAX_LISTED = 1000
_MAX_NAMED = 5


def readable_datasets(run: Run, *, check_images: bool = False) -> tuple[Any, Any]:
    """Return the training and the evaluation set of a run, as ``build_datasets`` does, without bad images.

    All ranks must read the same, and a resumed run what it was begun with.

    Args:
        run: an open run; its facts name the images left out.
        check_images: open every image also where ``max_bad`` is 0.

    Raises:
        ConfigError: ``max_bad`` is new to a run that was begun without; or the ranks' data differ.
        CheckpointError: the data have changed since the checkpoint, and that is not allowed.
        DataError: more images cannot be read than ``max_bad``; it names all. Or what ``build_datasets``
            raises.
    """
    train_set, eval_set = build_datasets(run.cfg, readable=partial(_readable, run, check_images))
    bind_data(run, _named(train_set, eval_set), is_compared=DATA not in run.facts)
    return train_set, eval_set


def readable_split(
    dataset: Any, bad: Sequence[Sequence[Any]] | None, *, max_bad: int, num_workers: int
) -> Any:
    """Return one split without its bad images.

    Args:
        dataset: the split.
        bad: what a checkpoint says of it; where it says nothing, or means other samples, all are opened if
            ``max_bad`` is above 0.
        max_bad: how many images may be bad.
        num_workers: reading processes.

    Raises:
        DataError: there are more; it names all.
    """
    if bad:
        names = dict(enumerate(sample_names(dataset)))
        bad = bad if all(names.get(index) == name for index, name, _ in bad) else None
    if bad is None and max_bad > 0:
        bad = _checked({"evaluation": dataset}, max_bad, num_workers)["evaluation"]
    if not bad:
        check_files([dataset])
    return _without(dataset, bad or ())


def check_files(datasets: Iterable[Any]) -> None:
    """Check that the images that lists and tables name are there; what a folder holds was listed.

    Raises:
        DataError: some are not; it counts them and names the first.
    """
    missing: dict[str, None] = {}
    files: dict[str, None] = {}
    total = 0
    for dataset in datasets:
        inner = innermost(dataset)
        if not all(isinstance(each, ImageNetDataset) for each in inner) and (gone := missing_images(dataset)):
            missing |= dict.fromkeys(gone)
            files |= dict.fromkeys(repr(each.ann_file) for each in inner if getattr(each, "ann_file", None))
            total += len(dataset)
    if missing:
        raise DataError(_missing(list(missing), total, " and ".join(files)))


def _missing(paths: Sequence[str], total: int, file: str) -> str:
    shown = ", ".join(map(repr, paths[:_MAX_NAMED]))
    more = f" and {len(paths) - _MAX_NAMED:,} more" if len(paths) > _MAX_NAMED else ""
    named = f" named by {file}" if file else ""
    remedy = f"put them there, or leave them out: {_KEY}={len(paths)}"
    if "://" in paths[0]:
        remedy = "download them; images are read from files"
    elif len(paths) == total:
        remedy = "set data_prefix to the folder that the paths begin from"
    return f"{len(paths):,} of {total:,} images{named} do not exist: {shown}{more}; {remedy}"


def shown_count(dataset: Any) -> str:
    """Return how many samples a dataset has, and how many it is without."""
    n_bad = getattr(dataset, "n_bad", 0)
    return f"{len(dataset):,} (and {n_bad:,} left out)" if n_bad else f"{len(dataset):,}"


def _readable(run: Run, check_images: bool, train_set: Any, eval_set: Any) -> tuple[Any, Any]:
    loading = run.cfg.policy.learn.learner.dataloader
    sets = _named(train_set, eval_set)
    saved: Mapping[str, Any] | None = run.saved_facts.get(FACT)
    if run.is_resumed and saved is None and loading.max_bad:
        raise ConfigError(
            f"{_KEY} is {loading.max_bad}, and this run was begun with 0: which images are left out is found "
            "at the start; start a new run"
        )
    is_new = not run.is_resumed
    if saved is not None:
        # Before the places of the bad images are looked at: where the data have changed all are sought anew.
        names = {split: [name for _, name, _ in bad] for split, bad in saved.items()}
        is_new = bind_data(run, sets, without=names)
        saved = None if is_new else saved
    if is_new and (loading.max_bad or check_images):
        found = _checked(sets, loading.max_bad, loading.num_workers)
        saved = {name: [list(each) for each in bad] for name, bad in found.items()}
    if saved is not None and (loading.max_bad or run.is_resumed):
        run.facts[FACT] = saved
        _write(run, saved)
        sets = {name: _without(each, saved.get(name, ())) for name, each in sets.items()}
    if check_images and run.is_resumed:
        _checked(sets, 0, loading.num_workers)
    if not loading.max_bad:
        check_files(sets.values())
    return sets["train"], sets.get("val", sets["train"])


def _named(train_set: Any, eval_set: Any) -> dict[str, Any]:
    return {"train": train_set} if eval_set is train_set else {"train": train_set, "val": eval_set}


def _without(dataset: Any, bad: Sequence[Sequence[Any]]) -> Any:
    return ReadableDataset(dataset, [BadImage(*each) for each in bad]) if bad else dataset


def _write(run: Run, saved: Mapping[str, Any]) -> None:
    """Write the images left out into the run's folder."""
    lines = [f"{name}\t{reason}\n" for name, bad in saved.items() for _, _, reason in bad]
    if lines and run.rank == 0:
        with atomic_write(Path(run.cfg.exp_name, BAD_IMAGES)) as file:
            file.write("".join(lines).encode())


def _checked(sets: Mapping[str, Any], max_bad: int, num_workers: int) -> dict[str, list[BadImage]]:
    """Open every image of some datasets and return the bad ones of each.

    Raises:
        DataError: there are more than ``max_bad``; it names all.
    """
    began, count = time.perf_counter(), sum(map(len, sets.values()))
    with image_progress(count) as advance:
        found = {
            name: find_bad_images(each, num_workers=num_workers, advance=advance)
            for name, each in sets.items()
        }
    # A sample may come several times; and a file in two sets is one image.
    reasons = list(dict.fromkeys(each.reason for bad in found.values() for each in bad))
    if len(reasons) > max_bad:
        more = len(reasons) - _MAX_LISTED
        lines = [*reasons[:_MAX_LISTED], *([f"and {more:,} more"] if more > 0 else [])]
        head = f"{len(reasons):,} of {count:,} images cannot be read, and {_KEY} is {max_bad}"
        if get_rank() > 0:
            # One list is enough.
            raise DataError(head)
        listed = "".join(f"  {line}\n" for line in lines)
        raise DataError(f"{head}:\n{listed}mend or delete them, or leave them out: {_KEY}={len(reasons)}")
    for reason in reasons:
        _LOGGER.warning("left out: %s", reason)
    seconds = time.perf_counter() - began
    _LOGGER.info("opened %s images in %.0f s: %s", f"{count:,}", seconds, _verdict(len(reasons)))
    return found


def _verdict(count: int) -> str:
    return f"{count:,} cannot be read and are left out" if count else "all can be read"


@contextmanager
def image_progress(total: int) -> Iterator[Callable[[int], object]]:
    """Show a bar on rank 0's terminal; yield what to call with each number of images that were read."""
    if get_rank() != 0 or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("opening images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.update(task, advance=count)
