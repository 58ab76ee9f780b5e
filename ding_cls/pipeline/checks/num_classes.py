"""The number of classes that a config takes over from a base file, or from another dataset, follows the data.

Heads, losses and augmentations of mmclassification each need the number; a child config names data alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ding_cls.config.origins import FileNotes
from ding_cls.config.tree import at, place_of

_SECTIONS = ("policy.model", "policy.learn.loss", "policy.learn.batch_augments", "policy.learn.recipes")
_NAME = "num_classes"
_METRIC = "policy.eval.metric"


def follow_num_classes(
    cfg: dict[str, Any], num_classes: int, *, origins: Mapping[str, str], notes: FileNotes
) -> str:
    """Set what a config inherits of the number of classes to that of the data, in place.

    That is a number from a base file; with ``--data`` any that a file in mmclassification's spelling names:
    it was written for other data. What is typed stays, and so does a file's own number for its own data: it
    is for others to refuse.

    Args:
        cfg: the config in the native spelling, compiled or not.
        num_classes: classes in the data.
        origins: which line set what.
        notes: what reading the config file has found.

    Returns:
        The line that tells it; empty where nothing has changed.
    """
    owners: list[str] = []
    counts: list[int] = []
    for path, owner in _owners(cfg):
        count = owner[_NAME]
        if count != num_classes and _follows(f"{path}.{_NAME}", origins, notes):
            owner[_NAME] = num_classes
            owners.append(path.rstrip("0123456789").rstrip("."))
            counts.append(count)
    texts = []
    if owners:
        listed = ", ".join(dict.fromkeys(owners))
        former = ", ".join(f"{each:,}" for each in dict.fromkeys(counts))
        texts.append(f"num_classes is {num_classes:,}, as in the data, not {former}, in {listed}")
    if (ranks := _follow_topk(cfg, num_classes, origins, notes)) is not None:
        texts.append(f"{_METRIC}.topk is {ranks}")
    return "; ".join(texts)


def _follow_topk(
    cfg: dict[str, Any], num_classes: int, origins: Mapping[str, str], notes: FileNotes
) -> list[int] | None:
    """Take out of the metric's ``topk`` what is more than there are classes; return the rest, if any was."""
    metric = at(cfg, _METRIC)
    ranks = metric.get("topk") if isinstance(metric, dict) else None
    is_named = bool(at(cfg, "policy.eval.evaluator.save_best"))
    if not isinstance(ranks, list | tuple) or is_named or not _follows(f"{_METRIC}.topk", origins, notes):
        return None
    kept = [k for k in ranks if not isinstance(k, int) or k <= num_classes] or [1]
    if len(kept) == len(ranks):
        return None
    metric["topk"] = kept
    return kept


def _owners(cfg: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each dict of network, loss and mixing that names a number of classes, with its path."""
    for path in _SECTIONS:
        yield from _inside(path, at(cfg, path))


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _inside(f"{path}.{index}", each)
    if not isinstance(value, dict):
        return
    count = value.get(_NAME)
    if type(count) is int and count > 0:
        yield path, value
    for name, each in dict.items(value):
        yield from _inside(f"{path}.{name}", each)


def _follows(path: str, origins: Mapping[str, str], notes: FileNotes) -> bool:
    place = place_of(path, origins)
    if place is None or place.startswith("override "):
        return False
    return notes.is_inherited(place) or (bool(notes.data) and notes.is_openmmlab)
