"""Whether a run goes on with the data that it was begun with: names and labels, never the pixels.

A checkpoint has a digest of each dataset; the lists themselves lie in the run's folder, for the counts.
"""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ding_cls.data import EvalLoader
from ding_cls.data.datasets.digest import SampleList, changes
from ding_cls.distributed import broadcast_object
from ding_cls.errors import CheckpointError
from ding_cls.pipeline.checks.ranks import SPLITS, check_same_data

_LOGGER = logging.getLogger(__name__)
FACT = "data"
LISTS = "data_index"
_REMEDY = "put them back, start a new run, or go on with them as they are: --allow-changed-data"


def bind_data(
    run: Any,
    sets: Mapping[str, Any],
    *,
    without: Mapping[str, Collection[str]] | None = None,
    is_compared: bool = True,
) -> bool:
    """Compare the datasets of a run over all ranks and with its checkpoint; later checkpoints name them.

    All ranks call it together.

    Args:
        run: an open `Run`.
        sets: its datasets, 'train' and 'val'; one where nothing is evaluated.
        without: names of samples that are left out, by split.
        is_compared: compare them with the checkpoint's.

    Returns:
        Whether the data have changed, and that is allowed.

    Raises:
        ConfigError: the ranks read different data.
        CheckpointError: the data have changed, and that is not allowed.
    """
    left_out = without or {}
    lists = {split: SampleList.of(each, without=left_out.get(split, ())) for split, each in sets.items()}
    classes = {split: tuple(each.classes) for split, each in sets.items()}
    check_same_data(lists, classes)
    folder = Path(run.cfg.exp_name, LISTS)
    saved = run.saved_facts.get(FACT) if is_compared else None
    # Other classes are refused for themselves.
    are_comparable = run.saved_facts.get("class_names") in (None, list(classes["train"]))
    found = ""
    if saved and are_comparable and run.rank == 0:
        found = described_changes(saved, lists, folder, classes["train"])
    found = broadcast_object(found)
    if found and not run.allow_changed_data:
        raise CheckpointError(f"{found}; {_REMEDY}", is_on_all_ranks=True)
    if found:
        run.logger.warning(f"{found}; the run goes on with the data as they are now")
    # Behind what other facts there are, in a resumed run as in a new one.
    run.facts.pop(FACT, None)
    run.facts[FACT] = {split: each.facts for split, each in lists.items()}
    if run.rank == 0:
        write_lists(lists, folder)
    return bool(found)


def described_changes(
    saved: Any, lists: Mapping[str, SampleList], folder: Path, classes: tuple[str, ...]
) -> str:
    """Return which datasets are not those of a checkpoint, with the counts; empty where all are.

    Args:
        saved: what the checkpoint says of each.
        lists: what they are now.
        folder: where the run has left its lists.
        classes: the class names.
    """
    found = []
    for split, now in lists.items():
        before = saved.get(split) if isinstance(saved, Mapping) else {}
        if before is None or before == now.facts:
            continue
        digest, size = (before.get(name) for name in now.facts) if isinstance(before, Mapping) else ("", "")
        former = SampleList.read(folder, split, str(digest))
        counts = f"{size} samples then, {now.num_samples} now"
        if former is not None:
            counts = f"{changes(former, now, classes)}, {counts}"
        found.append(f"the {SPLITS[split]} data have changed: {counts}")
    return "; ".join(found)


def write_lists(lists: Mapping[str, SampleList], folder: Path) -> None:
    """Leave the lists of samples in a folder; without them a later refusal has no counts, so a failure is a
    warning."""
    try:
        for split, each in lists.items():
            each.write(folder, split)
    except OSError as error:
        _LOGGER.warning("the list of samples cannot be written into '%s': %s", folder, error.strerror)


def sets_of_loaders(train_loader: Any, owned: Collection[Any]) -> dict[str, Any]:
    """Return the datasets of a program that built them by itself, as its loaders show them."""
    evaluated = [("val", each.dataset) for each in owned if isinstance(each, EvalLoader)]
    return {"train": train_loader.dataset, **dict(evaluated[-1:])}


def with_present_data(checkpoint: Mapping[str, Any], facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a checkpoint that names the data as they are now: ``bind_data`` has looked at what differs."""
    run = checkpoint.get("run")
    if not isinstance(run, Mapping):
        return checkpoint
    return {**checkpoint, "run": {**run, FACT: facts[FACT]}}
