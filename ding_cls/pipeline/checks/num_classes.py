"""The number of classes that a config takes over from a base file, or from another dataset, follows the data.

Heads, losses and augmentations of mmclassification each need the number; a child config names data alone.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ding_cls.config.merge import to_easydict
from ding_cls.config.origins import FileNotes
from ding_cls.config.tree import place_of

_LOGGER = logging.getLogger(__name__)

_SECTIONS = ("policy.model", "policy.learn.loss", "policy.learn.batch_augments", "policy.learn.recipes")
_NAME = "num_classes"
_TOPK = "policy.eval.metric.topk"


def follow_num_classes(
    cfg: Any, num_classes: int, *, origins: Mapping[str, str], notes: FileNotes
) -> None:
    """Set what a config inherits of the number of classes to that of the data, in place, and tell it in a line.

    That is a number from a base file; with ``--data`` any that a file in mmclassification's spelling names, as
    it was written for other data. What is typed stays, and so does a file's own number for its own data: it
    is for others to refuse.

    Args:
        cfg: the compiled config.
        num_classes: classes in the data.
        origins: which line set what.
        notes: what reading the config file has found.
    """
    changed = []
    for path, owner in _owners(cfg):
        count = owner[_NAME]
        if count != num_classes and _follows(f"{path}.{_NAME}", origins, notes):
            owner[_NAME] = num_classes
            changed.append(f"{path}.{_NAME} ({count})")
    metric = cfg.policy.eval.metric
    ranks = metric.get("topk") if isinstance(metric, Mapping) else None
    if isinstance(ranks, list | tuple) and _follows(_TOPK, origins, notes):
        kept = [k for k in ranks if not isinstance(k, int) or k <= num_classes] or [1]
        if len(kept) < len(ranks) and not cfg.policy.eval.evaluator.save_best:
            metric["topk"] = to_easydict(kept)
            changed.append(f"{_TOPK} ({', '.join(map(str, ranks))})")
    if changed:
        noun = "class" if num_classes == 1 else "classes"
        _LOGGER.warning("%s", f"the data's {num_classes:,} {noun} take the place of {', '.join(changed)}")


def _owners(cfg: Any) -> Iterator[tuple[str, Any]]:
    """Yield each dict of the network, its loss and the mixing that names a number of classes, with its path."""
    for path in _SECTIONS:
        value = cfg
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        yield from _inside(path, value)


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _inside(f"{path}.{index}", each)
    if not isinstance(value, Mapping):
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
