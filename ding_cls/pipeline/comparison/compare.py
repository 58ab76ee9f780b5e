"""Two or more results compared on the same images: how large is the difference, is it more than chance, which
images changed sides, and which settings differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.proportions import Interval, wilson
from ding_cls.common.process import launched_world_size
from ding_cls.config.merge import plain_copy
from ding_cls.config.tools.diff import ABSENT, differences
from ding_cls.errors import ConfigError
from ding_cls.metrics.analysis.paired import holm, mcnemar, paired_interval
from ding_cls.pipeline.comparison.judged import Judged, is_result_file, judged
from ding_cls.pipeline.comparison.matching import matched

LEVEL = 0.05
"""A difference is called one where p is below this."""

MAX_RESULTS = 26
_OF_EACH_RUN = ("exp_name",)


@dataclass(frozen=True, slots=True)
class Pair:
    """The first result and another one.

    Attributes:
        number: which result the other one is.
        places: where each image of the first is in it, int64 ``(N,)``.
        matched_by: in words.
        difference: by how many points it is better, in percent of the images.
        interval: of this, 95 %; None where both are right on the same images.
        only_first: how many images the first alone has right.
        only_other: how many the other alone has right.
        p: McNemar's exact p.
        corrected_p: the same by Holm, for all pairs together.
        loss_difference: by how much its loss is higher; None where one has no losses.
        loss_interval: of this.
    """

    number: int
    places: npt.NDArray[np.int64]
    matched_by: str
    difference: float
    interval: Interval | None
    only_first: int
    only_other: int
    p: float
    corrected_p: float
    loss_difference: float | None
    loss_interval: Interval | None

    @property
    def is_shown(self) -> bool:
        """Whether a difference is shown: the one rule, by McNemar's p after Holm's correction."""
        return self.corrected_p < LEVEL


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results and how they differ.

    Attributes:
        results: in the given order.
        pairs: the first with each other one.
        settings: what differs between the runs' configs: key, and the value of each result; ``ABSENT`` where
            it has no such key.
    """

    results: Sequence[Judged]
    pairs: Sequence[Pair]
    settings: Mapping[str, Sequence[Any]]

    def letter(self, number: int) -> str:
        """The letter of a result: A for the first."""
        return chr(ord("A") + number)

    def accuracy(self, number: int) -> tuple[float, Interval]:
        """The images that a result has right in percent, and the interval of that."""
        hits, count = int(self.results[number].is_right.sum()), len(self.results[number])
        return 100.0 * hits / count, wilson(hits, count)

    def loss(self, number: int) -> float | None:
        """The mean loss of a result."""
        losses = self.results[number].losses
        return None if losses is None else float(losses.mean())

    def changed(self, pair: Pair) -> list[int]:
        """Return the positions, in the first result, of the images that one of two alone has right: first
        those that the first has, in the order of the data."""
        before, after = self.results[0].is_right, self.results[pair.number].is_right[pair.places]
        return [*np.nonzero(before & ~after)[0].tolist(), *np.nonzero(~before & after)[0].tolist()]


def compare(
    names: Sequence[str], *, data: str | None = None, split: str | None = None, allow_code: bool = False
) -> Comparison:
    """Compare the first result with each other one.

    Args:
        names: two or more runs' folders, checkpoints, or files that ``ding-cls eval --out`` wrote.
        data: what checkpoints are evaluated on, as in ``evaluate``; None: each on its own data.
        split: likewise.
        allow_code: import the modules that a run's ``custom_imports`` names.

    Raises:
        CheckpointError: as ``evaluate``.
        ConfigError: fewer than two, or ``data`` with files alone; on several processes.
        DataError: they are not about the same images, or a file cannot be read.
    """
    if not 2 <= len(names) <= MAX_RESULTS:
        raise ConfigError(
            f"name two to {MAX_RESULTS} results to compare: runs, checkpoints, or files of eval --out; "
            f"given were {len(names)}"
        )
    if (data or split) and all(is_result_file(name) for name in names):
        raise ConfigError("--data and --split say what checkpoints are evaluated on; all of these are files")
    if launched_world_size() > 1:
        raise ConfigError(
            "compare runs in one process; evaluate on several with ding-cls eval --out FILE.csv, and compare "
            "these files"
        )
    results = [judged(name, data=data, split=split, allow_code=allow_code) for name in names]
    return Comparison(results, _pairs(results), _settings(results))


def _pairs(results: Sequence[Judged]) -> list[Pair]:
    matches = [matched(results[0], other) for other in results[1:]]
    first, counts = results[0].is_right, []
    for other, (places, _) in zip(results[1:], matches, strict=True):
        right = other.is_right[places]
        counts.append((int((first & ~right).sum()), int((~first & right).sum())))
    p_values = [mcnemar(*each) for each in counts]
    corrected = holm(p_values)
    found = []
    for index, (other, (places, words)) in enumerate(zip(results[1:], matches, strict=True)):
        points = 100.0 * (other.is_right[places].astype(float) - first)
        losses = None
        if results[0].losses is not None and other.losses is not None:
            losses = other.losses[places] - results[0].losses
        found.append(
            Pair(
                number=index + 1,
                places=places,
                matched_by=words,
                difference=float(points.mean()),
                interval=paired_interval(points),
                only_first=counts[index][0],
                only_other=counts[index][1],
                p=p_values[index],
                corrected_p=corrected[index],
                loss_difference=None if losses is None else float(losses.mean()),
                loss_interval=None if losses is None else paired_interval(losses),
            )
        )
    return found


def _settings(results: Sequence[Judged]) -> dict[str, list[Any]]:
    """Return what differs between the configs that are known, by key."""
    configs = [None if each.config is None else _of_interest(each.config) for each in results]
    known = [number for number, each in enumerate(configs) if each is not None]
    found: dict[str, list[Any]] = {}
    for number in known[1:]:
        for each in differences(configs[known[0]], configs[number]):  # type: ignore[arg-type]
            key = each.left_path if each.left_path == each.right_path else each.right_path
            if key not in found:
                found[key] = [each.left if place in known else ABSENT for place in range(len(results))]
            found[key][number] = each.right
    return found


def _of_interest(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain_copy(config).items() if key not in _OF_EACH_RUN}
