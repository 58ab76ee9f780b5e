"""Dividing samples into parts: by shares or counts, each class alike, groups kept together.

Pure functions of labels, groups and seed; they know no dataset.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.common.seed import Stream, generator
from ding_cls.errors import DataError

REST = "rest"
Counts = Sequence[int | str]
_Numbers = npt.NDArray[np.int64]


def split_indices(
    labels: Sequence[Hashable],
    *,
    fractions: Sequence[float] | None = None,
    per_class: Counts | None = None,
    groups: Sequence[Hashable] | None = None,
    seed: int | None = None,
) -> list[list[int]]:
    """Return the indices of each part, ascending; every sample is in one part at most.

    With ``fractions`` every class has, but for rounding, the same shares: its counts differ from the exact
    ones by less than one, and so do the parts' totals. Only where a class is so small that the first part
    would lack it does that part get one. With ``groups`` whole groups are dealt out, the largest first, each
    to where it disturbs the shares least; then counts are near, not exact.

    Args:
        labels: what is to be alike in all parts, one for each sample; a class number as a rule.
        fractions: share of each part; together 1 at most.
        per_class: samples of each class in each part; ``'rest'``, once, takes what is left.
        groups: samples of one group go into one part.
        seed: of which samples go where; None: in the order given, the first part first.

    Raises:
        DataError: neither or both of fractions and counts are given, or they cannot be met.
    """
    if (fractions is None) == (per_class is None):
        raise DataError("say either fractions or per_class counts")
    members = _members(labels, seed)
    if fractions is not None:
        _check_fractions(fractions)
        if groups is not None:
            return _dealt_groups(labels, groups, fractions, seed)
        counts = _counts(members, fractions)
        _give_first(counts, members, fractions)
    elif groups is not None:
        raise DataError("counts per class cannot be met with groups; say fractions")
    else:
        counts = [_counts_of(name, len(each), per_class or ()) for name, each in members.items()]
    parts: list[list[int]] = [[] for _ in counts[0]] if counts else []
    for indices, sizes in zip(members.values(), counts, strict=True):
        ends = np.cumsum(sizes)
        for part, end, size in zip(parts, ends, sizes, strict=True):
            part.extend(indices[end - size : end])
    return [sorted(part) for part in parts]


def fold_indices(
    labels: Sequence[Hashable],
    num_splits: int,
    *,
    groups: Sequence[Hashable] | None = None,
    stratified: bool = True,
    seed: int | None = None,
) -> list[list[int]]:
    """Return the samples that each fold is tested on, ascending: every sample in one fold.

    Folds differ in size, and in the count of each class, by one at most; with ``groups`` as little as these
    allow.

    Args:
        labels: one for each sample.
        num_splits: number of folds.
        groups: as in `split_indices`.
        stratified: each class alike in all folds; False looks at sizes alone.
        seed: as in `split_indices`; None keeps neighbours together.

    Raises:
        DataError: there are fewer than two folds, or more than samples or groups.
    """
    if num_splits < 2:
        raise DataError(f"num_splits={num_splits} must be at least 2")
    units = len(labels) if groups is None else len(set(groups))
    if num_splits > units:
        raise DataError(f"num_splits={num_splits} is more than the {units} samples or groups there are")
    if not stratified:
        labels = [0] * len(labels)
    shares = [1 / num_splits] * num_splits
    if groups is not None:
        return _dealt_groups(labels, groups, shares, seed)
    members = _members(labels, seed)
    folds: list[list[int]] = [[] for _ in shares]
    for indices, sizes in zip(members.values(), _counts(members, shares), strict=True):
        ends = np.cumsum(sizes)
        for fold, end, size in zip(folds, ends, sizes, strict=True):
            fold.extend(indices[end - size : end])
    return [sorted(fold) for fold in folds]


def image_folds(
    labels: Sequence[Hashable],
    num_splits: int,
    images: Sequence[Hashable],
    *,
    groups: Sequence[Hashable] | None = None,
    stratified: bool = True,
    seed: int | None = None,
) -> list[list[int]]:
    """Return folds as `fold_indices` does; samples of one image are in one fold.

    Args:
        labels: as there, like the rest; that of an image's first sample counts.
        num_splits: number of folds.
        images: what is the same for the samples of one image, one for each sample.
        groups: samples of one group go into one fold, and those of their images too.
        stratified: each class alike in all folds.
        seed: of which samples go where.

    Raises:
        DataError: as there; an image counts once.
    """
    units = list(_members(images, None).values())
    if groups is not None:
        joined = groups if len(units) == len(labels) else _joined(groups, units)
        return fold_indices(labels, num_splits, groups=joined, stratified=stratified, seed=seed)
    first = [labels[unit[0]] for unit in units]
    folds = fold_indices(first, num_splits, stratified=stratified, seed=seed)
    return [sorted(index for number in fold for index in units[number]) for fold in folds]


def subset_indices(labels: Sequence[Hashable], num_samples: int, *, seed: int | None = None) -> list[int]:
    """Return the indices, ascending, of so many samples, each class by its share.

    Args:
        labels: one for each sample.
        num_samples: how many; at most as many as there are.
        seed: as in `split_indices`.
    """
    members = _members(labels, seed)
    share = num_samples / len(labels)
    counts = _counts(members, [share, 1 - share])
    pairs = zip(members.values(), counts, strict=True)
    return sorted(index for indices, sizes in pairs for index in indices[: sizes[0]])


def _members(labels: Sequence[Hashable], seed: int | None) -> dict[Hashable, list[int]]:
    """Return the indices of each class, in order or shuffled."""
    members: dict[Hashable, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    if seed is None:
        return members
    # The order of a class depends on its own samples alone, and not on how many classes there are.
    return {
        name: [indices[each] for each in _permutation(len(indices), seed)]
        for name, indices in members.items()
    }


def _joined(groups: Sequence[Hashable], units: Sequence[Sequence[int]]) -> list[Hashable]:
    """Return the groups with those made one that have samples of one unit."""
    above: dict[Hashable, Hashable] = {group: group for group in groups}

    def top(group: Hashable) -> Hashable:
        while above[group] != group:
            group = above[group] = above[above[group]]
        return group

    for unit in units:
        for index in unit[1:]:
            above[top(groups[index])] = top(groups[unit[0]])
    return [top(group) for group in groups]


def _permutation(length: int, seed: int) -> list[int]:
    order: list[int] = torch.randperm(length, generator=generator(Stream.SPLIT, seed, length)).tolist()
    return order


def _counts(members: dict[Hashable, list[int]], fractions: Sequence[float]) -> list[_Numbers]:
    """Return how many samples of each class each part gets.

    Each gets the whole part of its share; what is left goes, one each, to the parts that so far got least
    against their shares.
    """
    shares = np.array(fractions, float)
    total = min(float(shares.sum()), 1.0)
    debts = np.zeros(len(shares))
    counts = []
    for indices in members.values():
        exact = shares * len(indices)
        # A third of three is one, whatever floating point says.
        sizes = np.floor(exact + 1e-9).astype(np.int64)
        remainders = np.maximum(exact - sizes, 0)
        debts += exact - sizes
        left = round(total * len(indices)) - int(sizes.sum())
        candidates = [part for part in np.argsort(-debts, kind="stable") if remainders[part] > 1e-9]
        for part in candidates[: max(left, 0)]:
            sizes[part] += 1
            debts[part] -= 1
        counts.append(sizes)
    return counts


def _give_first(
    counts: list[_Numbers], members: dict[Hashable, list[int]], fractions: Sequence[float]
) -> None:
    """Let the first part, which is trained on, have every class."""
    if fractions[0] <= 0:
        return
    for sizes, indices in zip(counts, members.values(), strict=True):
        if sizes[0] == 0 and len(indices):
            if sizes.sum() == len(indices):
                sizes[int(np.argmax(sizes))] -= 1
            sizes[0] = 1


def _counts_of(name: Hashable, size: int, per_class: Counts) -> _Numbers:
    fixed = [count for count in per_class if count != REST]
    if any(not isinstance(count, int) or count < 0 for count in fixed) or len(per_class) - len(fixed) > 1:
        raise DataError(f"per_class={list(per_class)} must be whole numbers, and 'rest' once at most")
    taken = sum(int(count) for count in fixed)
    if taken > size:
        raise DataError(f"class {name!r} has {size} samples, fewer than {' + '.join(map(str, fixed))}")
    return np.array([size - taken if count == REST else count for count in per_class], np.int64)


def _check_fractions(fractions: Sequence[float]) -> None:
    if not fractions or min(fractions) < 0 or not 0 < sum(fractions) <= 1 + 1e-9:
        raise DataError(f"fractions={list(fractions)} must be at least 0, and together above 0 and at most 1")


def _dealt_groups(
    labels: Sequence[Hashable], groups: Sequence[Hashable], fractions: Sequence[float], seed: int | None
) -> list[list[int]]:
    """Deal out whole groups, the largest first, each to the part whose shares it mends most."""
    if len(groups) != len(labels):
        raise DataError(f"there are {len(groups)} groups for {len(labels)} samples")
    members = _members(groups, None)
    names: dict[Any, int] = {}
    numbers = [names.setdefault(label, len(names)) for label in labels]
    per_group = np.zeros((len(members), len(names)))
    for row, indices in enumerate(members.values()):
        np.add.at(per_group[row], [numbers[index] for index in indices], 1)
    totals = per_group.sum(0)
    order = list(range(len(members))) if seed is None else _permutation(len(members), seed)
    order.sort(key=lambda row: -per_group[row].sum())
    shares = np.array([*fractions, max(1 - sum(fractions), 0)])
    wanted = shares[:, None] * totals
    given = np.zeros_like(wanted)
    parts: list[list[int]] = [[] for _ in shares]
    indices_of = list(members.values())
    for row in order:
        # What is missing in a part, as shares of the classes: the group goes where that shrinks most.
        missing = (wanted - given) / totals
        gain = (missing**2 - (missing - per_group[row] / totals) ** 2).sum(1)
        gain = np.where(shares > 1e-9, gain, -np.inf)
        # A class that lies in one group alone mends all folds alike: then the smallest gets it.
        lacking = (wanted - given).sum(1)
        part = int(np.argmax(np.where(gain > gain.max() - 1e-9, lacking, -np.inf)))
        given[part] += per_group[row]
        parts[part].extend(indices_of[row])
    return [sorted(part) for part in parts[: len(fractions)]]
