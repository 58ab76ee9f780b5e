"""Whether all processes of a run were started alike; all refuse together where they were not."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from ding_cls.config.merge import plain_copy
from ding_cls.config.tree import comparable_leaves, last_name
from ding_cls.data.datasets.digest import Changes, SampleList, changes
from ding_cls.distributed import broadcast_object, gather_objects, get_rank, get_world_size
from ding_cls.errors import ConfigError

# Where things lie may differ from machine to machine: what is found there is compared by its digest.
_PLACES = ("exp_name", "learn_data_path", "eval_data_path", "data_prefix", "ann_file", "root", "folder")
SPLITS = {"train": "training", "val": "evaluation"}
_MOST_SHOWN = 3


def check_same_start(cfg: Any, **further: object) -> None:
    """Refuse ranks whose versions, seed, config or further arguments differ.

    Args:
        cfg: the compiled config.
        further: arguments of this process that all must have alike, by name.

    Raises:
        ConfigError: on all ranks alike; names rank, key and both values.
    """
    if get_world_size() == 1:
        return
    values = {
        "the version of ding_cls": import_module("ding_cls").__version__,
        "the version of torch": str(torch.__version__),
        **further,
        **comparable_leaves(plain_copy(cfg)),
    }
    own = {key: repr(value) for key, value in values.items() if last_name(key) not in _PLACES}
    found = [
        f"{key} is {_short(given.get(key))} on rank {rank} and {_short(first.get(key))} on rank 0"
        for first, rank, given in _others(own)
        for key in sorted(first.keys() | given.keys())
        if first.get(key) != given.get(key)
    ]
    if found:
        message = f"the ranks were started differently: {_joined(found)}; start all alike"
        raise ConfigError(message, is_on_all_ranks=True)


def check_same_data(lists: Mapping[str, SampleList], classes: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse ranks that read other samples, or number the classes otherwise.

    Args:
        lists: this rank's, by split.
        classes: the class names, by split.

    Raises:
        ConfigError: on all ranks alike; names rank, dataset and what differs.
    """
    if get_world_size() == 1:
        return
    own = {split: (each.digest, each.num_samples, list(classes[split])) for split, each in lists.items()}
    differing = [
        (rank, split)
        for first, rank, given in _others(own)
        for split in first
        if first[split] != given.get(split)
    ]
    if not differing:
        return
    # Rank 0's lists travel only now: each rank finds out what it has otherwise.
    sent = {split: (lists[split].content, own[split][1:]) for split in own} if get_rank() == 0 else {}
    reference = broadcast_object(sent)
    digests = gather_objects(
        {
            split: _difference(SampleList(content, size), known, lists[split], list(classes[split]))
            for split, (content, (size, known)) in reference.items()
            if split in lists
        }
    )
    found = [
        f"rank {rank} has other {SPLITS[split]} data than rank 0: {digests[rank].get(split, 'none')}"
        for rank, split in differing
    ]
    raise ConfigError(f"{_joined(found)}; give all ranks the same files", is_on_all_ranks=True)


def _others(own: dict[str, Any]) -> list[tuple[dict[str, Any], int, dict[str, Any]]]:
    """Return (what rank 0 has, rank, what that rank has) of each other rank."""
    first, *others = gather_objects(own)
    return [(first, rank, each) for rank, each in enumerate(others, 1)]


def _difference(first: SampleList, known: list[str], own: SampleList, classes: list[str]) -> str:
    if known != classes:
        pairs = [pair for pair in zip(classes, known, strict=False) if pair[0] != pair[1]]
        first_pair = f"first {pairs[0][0]!r} and {pairs[0][1]!r}" if pairs else "the first ones alike"
        return f"{len(classes)} and {len(known)} classes, {first_pair}"
    found: Changes = changes(first, own, classes)
    return f"{own.num_samples:,} and {first.num_samples:,} samples, {found}"


def _joined(found: list[str]) -> str:
    more = len(found) - _MOST_SHOWN
    return "; ".join([*found[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _short(text: str | None) -> str:
    text = "not set" if text is None else text
    return text if len(text) <= 80 else f"{text[:77]}..."
