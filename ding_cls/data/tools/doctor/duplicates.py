"""The same image twice: within a split, across splits, under two labels. And what to leave out for it.

It knows looks and samples; it must not open files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ding_cls.common.counting import counted
from ding_cls.data.tools.doctor.findings import Data, Finding, Sample, Severity, Shown
from ding_cls.data.tools.doctor.near import INSTALL, can_find_near, near_pairs

_ORDER = ("train", "val", "test")
Clusters = Sequence[Sequence[Sample]]


class Duplicates(NamedTuple):
    """Samples that show one image, cluster by cluster; a sample that comes several times is there once.

    Attributes:
        exact: of the same pixels.
        near: that look the same, not all of the same pixels.
        num_flat: images with too little contrast to say whether they look like another.
        limit: as `NearPairs.limit`.
    """

    exact: Clusters
    near: Clusters
    num_flat: int = 0
    limit: float = 1.0


def find_duplicates(data: Data) -> Duplicates:
    """Return the samples that show one image."""
    samples: dict[int, dict[tuple[str, int, tuple[str, ...]], Sample]] = {}
    for each in data.samples:
        samples.setdefault(each.image, {}).setdefault((each.split, each.image, each.labels), each)
    same: dict[bytes, list[int]] = {}
    for number, look in enumerate(data.looks):
        if look.pixel_digest and number in samples:
            same.setdefault(look.pixel_digest, []).append(number)
    exact = [_samples(images, samples) for images in same.values()]
    first = [images[0] for images in same.values()]
    signatures = {
        place: known for place, number in enumerate(first) if (known := data.looks[number].signature)
    }
    compared = list(signatures)
    sides = [min(data.looks[first[place]].width, data.looks[first[place]].height) for place in compared]
    found = near_pairs(list(signatures.values()), sides)
    near = _joined(((compared[one], compared[two]) for one, two in found.pairs), len(first))
    return Duplicates(
        exact=[each for each in exact if len(each) > 1],
        near=[[sample for place in places for sample in exact[place]] for places in near],
        num_flat=found.num_flat,
        limit=found.limit,
    )


def _samples(
    images: Iterable[int], samples: dict[int, dict[tuple[str, int, tuple[str, ...]], Sample]]
) -> list[Sample]:
    return [sample for image in images for sample in samples[image].values()]


def _joined(pairs: Iterable[tuple[int, int]], count: int) -> list[list[int]]:
    """Return the places that pairs join, directly or through others."""
    above = list(range(count))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for one, two in pairs:
        high, low = sorted((top(one), top(two)))
        above[low] = high
    groups: dict[int, list[int]] = {}
    for place in range(count):
        groups.setdefault(top(place), []).append(place)
    return [each for each in groups.values() if len(each) > 1]


def duplicate_findings(data: Data, found: Duplicates) -> Iterator[Finding]:
    """Yield what is found of images that are there twice."""
    yield from _of_clusters(data, found.exact, "", ("serious", "serious", "warning"))
    yield from _of_clusters(data, found.near, "near_", ("serious", "warning", "note"))
    if not can_find_near():
        yield Finding(
            "near_not_sought", "note", "near duplicates were not looked for: imagehash is missing", INSTALL
        )
    elif found.num_flat:
        what = f"{counted(found.num_flat, 'image')} too flat for a hash: compared by their pixels alone"
        yield Finding("flat", "note", what)
    if found.limit < 1:
        limit = f"{found.limit:g} of the usual difference"
        what = f"so many images look alike that only those within {limit} are told"
        yield Finding("many_near", "note", what)


def _of_clusters(
    data: Data, clusters: Clusters, near: str, severities: tuple[Severity, Severity, Severity]
) -> Iterator[Finding]:
    alike = "look the same" if near else "are the same"
    across = [each for each in clusters if len({sample.split for sample in each}) > 1]
    if across:
        splits = sorted({sample.split for each in across for sample in each}, key=_rank)
        told = "evaluated on what was trained on" if _ORDER[0] in splits else "splits that are not apart"
        what = f"{_images(across)} that {alike} in {_listed(splits)}: {told}"
        remedy = "remove them from one side" + (
            "" if near else "; --quarantine FILE.csv takes the training side"
        )
        if any(
            len({(one.split, one.image) for one in each}) > len({one.image for one in each})
            for each in across
        ):
            remedy += "; what is one file in two splits is to be mended in its table"
        yield _finding(f"{near}duplicates_across_splits", severities[0], what, remedy, across, data)
    contrary = [each for each in clusters if len({sample.labels for sample in each}) > 1]
    if contrary:
        what = f"{_images(contrary)} that {alike} under different labels"
        yield _finding(
            f"{near}duplicates_across_labels", severities[1], what, "look which is right", contrary, data
        )
    within = [each for each in clusters if len({(sample.split, sample.labels) for sample in each}) == 1]
    if within:
        what = f"{_images(within)} that {alike} within a split"
        remedy = "remove all but one, unless they are to count more"
        yield _finding(f"{near}duplicates_within_split", severities[2], what, remedy, within, data)


def _listed(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])


def _images(clusters: Clusters) -> str:
    return f"{counted(len(clusters), 'group')} of images ({sum(map(len, clusters)):,} in all)"


def _finding(
    kind: str, severity: Severity, what: str, remedy: str, clusters: Clusters, data: Data
) -> Finding:
    return Finding(
        kind,
        severity,
        what,
        remedy,
        [[Shown(each, _note(each, cluster, data)) for each in cluster] for cluster in clusters],
    )


def _note(sample: Sample, cluster: Sequence[Sample], data: Data) -> str:
    """Return how a sample's image is like the first one of its cluster."""
    look, first = data.looks[sample.image], data.looks[cluster[0].image]
    size = f"{look.width} x {look.height} px"
    if sample is cluster[0]:
        return size
    if sample.image == cluster[0].image:
        return "the same file" if sample.is_file else "the same image"
    if look.file_digest and look.file_digest == first.file_digest:
        return f"{size}, the same bytes"
    return f"{size}, the same pixels" if look.pixel_digest == first.pixel_digest else size


def leaked(found: Duplicates) -> Iterator[tuple[Sample, Sample]]:
    """Yield each sample in a file whose pixels a later split has too, and the sample there.

    Of training, validation and test the last one's stays: its numbers can be compared with others'. A file
    that is itself in the later split is none of them.
    """
    for cluster in found.exact:
        last = max(map(_rank, (each.split for each in cluster)))
        kept = [each for each in cluster if _rank(each.split) == last]
        images = {each.image for each in kept}
        yield from (
            (each, kept[0])
            for each in cluster
            if _rank(each.split) < last and each.is_file and each.image not in images
        )


def _rank(split: str) -> int:
    return _ORDER.index(split) if split in _ORDER else len(_ORDER)
