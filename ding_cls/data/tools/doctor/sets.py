"""What is wrong with whole splits: classes, their counts and names, groups in two splits, files left out.

It knows samples; it must not look at images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ding_cls.common.counting import counted
from ding_cls.data.tools.doctor.findings import Data, Finding, Sample, Severity, Shown
from ding_cls.data.tools.doctor.names import alike_names, groups_in_names
from ding_cls.images.class_names import shown

_TRAIN = "train"
# So many times more images of one class than of another.
_IMBALANCE = 10


def set_findings(data: Data) -> Iterator[Finding]:
    """Yield what is found of splits."""
    yield from _alike_classes(data)
    counts = {
        split.name: Counter(label for each in data.of_split(split.name) for label in each.labels)
        for split in data.splits
    }
    yield from _missing(data, counts)
    yield from _imbalance(data, counts)
    yield from _groups(data)
    for split in data.splits:
        if split.left_out:
            yield Finding("left_out", "note", split.left_out, "rename or move what is to be read")


def _alike_classes(data: Data) -> Iterator[Finding]:
    names = dict.fromkeys(name for split in data.splits for name in split.classes)
    lines = []
    for alike in alike_names(names):
        other = alike[1] if len(alike) > 1 else ""
        words = [shown(name, other if name == alike[0] else alike[0]) for name in alike]
        # What looks the same in print is told by its code points.
        words = [
            word if word.isascii() else f"{word} = {name!a}" for word, name in zip(words, alike, strict=True)
        ]
        places = [
            " and ".join(split.name or "the data" for split in data.splits if name in split.classes)
            for name in alike
        ]
        lines.append(", ".join(f"{word} in {place}" for word, place in zip(words, places, strict=True)))
    if lines:
        yield Finding(
            "alike_classes",
            "serious",
            f"{counted(len(lines), 'class', 'classes')} under names that look alike",
            "write each in one form; rename folders that mean the same",
            lines=lines,
        )


def _missing(data: Data, counts: dict[str, Counter[str]]) -> Iterator[Finding]:
    trained = counts.get(_TRAIN)
    for split in data.splits:
        own = counts[split.name]
        empty = [name for name in split.classes if not own[name]]
        is_trained = split.name == _TRAIN or trained is None
        place = split.name or "the data"
        if empty and (is_trained or split.lists_folders):
            yield Finding(
                "empty_classes",
                "serious" if is_trained and split.lists_folders else "warning",
                f"{counted(len(empty), 'class', 'classes')} without an image in {place}",
                "add images or remove the class",
                lines=list(map(repr, empty)),
            )
        if is_trained or trained is None:
            continue
        for kind, names, severity, what, remedy in (
            (
                "untrained_classes",
                [name for name in own if not trained[name]],
                "serious",
                f"in {place} and without an image in {_TRAIN}",
                "add training images, or remove them",
            ),
            (
                "missing_classes",
                [name for name in trained if not own[name] and name not in empty],
                "warning",
                f"in {_TRAIN} and without an image in {place}",
                "add some, or results say nothing of them",
            ),
        ):
            if names:
                counted_names = counted(len(names), "class", "classes")
                level: Severity = "serious" if severity == "serious" else "warning"
                yield Finding(kind, level, f"{counted_names} {what}", remedy, lines=list(map(repr, names)))


def _imbalance(data: Data, counts: dict[str, Counter[str]]) -> Iterator[Finding]:
    name = _TRAIN if _TRAIN in counts else data.splits[0].name
    numbers = [(count, label) for label, count in counts[name].items()]
    if not numbers or max(numbers)[0] <= _IMBALANCE * min(numbers)[0]:
        return
    (most, largest), (fewest, smallest) = max(numbers), min(numbers)
    yield Finding(
        "imbalance",
        "warning",
        f"{most:,} images of {largest!r} and {fewest:,} of {smallest!r} in {name or 'the data'}",
        "look at results by class; policy.collect.sampler={type: ClassBalanced} shows the few more often",
    )


def _groups(data: Data) -> Iterator[Finding]:
    if len(data.splits) < 2:
        return
    told = [each.group for each in data.samples]
    if found := _in_two_splits(data.samples, told):
        yield Finding(
            "groups_across_splits",
            "serious",
            f"{counted(len(found), 'group')} of the table in two splits or more",
            "put all images of a group into one split",
            found,
        )
    files = [each for each in data.samples if each.is_file]
    named = groups_in_names([each.name for each in files], [each.labels for each in files])
    if found := _in_two_splits(files, named):
        first = found[0][0].note
        yield Finding(
            "names_across_splits",
            "warning",
            f"{counted(len(found), 'group')} of files that begin alike, as {first!r}, in two splits",
            "if that is a person or an object, put all of it into one split; --group-column is surer",
            found,
        )


def _in_two_splits(samples: Iterable[Sample], groups: Sequence[str]) -> list[list[Shown]]:
    """Return the samples of each group that is in several splits, each image once."""
    members: dict[str, dict[tuple[str, int], Sample]] = {}
    for sample, group in zip(samples, groups, strict=True):
        if group:
            members.setdefault(group, {}).setdefault((sample.split, sample.image), sample)
    several = {
        group: list(each.values()) for group, each in members.items() if len({split for split, _ in each}) > 1
    }
    return [[Shown(sample, group) for sample in each] for group, each in several.items()]
