"""What the doctor looks at and what it finds: plain records, which are shown as text, JSON and HTML.

They must not know how anything is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from ding_cls.data.tools.doctor.look import ImageLook

Severity: TypeAlias = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")


class Sample(NamedTuple):
    """One sample of the data.

    Attributes:
        split: 'train', 'val', 'test', or another name; empty where the data have no splits.
        name: the path of its file, or what it is called.
        labels: names of its classes.
        image: place of its image among the looks; samples of one file have the same.
        group: what the table says it is of; empty without that.
        is_file: ``name`` is a path.
    """

    split: str
    name: str
    labels: tuple[str, ...]
    image: int
    group: str = ""
    is_file: bool = True


class Split(NamedTuple):
    """One split of the data.

    Attributes:
        name: as in `Sample`.
        classes: the names of its classes, those without samples included.
        left_out: a line on files that are no samples; empty where there are none.
        lists_folders: its classes are folders of its own, not those of another split's list.
    """

    name: str
    classes: tuple[str, ...]
    left_out: str = ""
    lists_folders: bool = True


@dataclass(frozen=True, slots=True)
class Data:
    """All that was looked at.

    Attributes:
        splits: in the order of training, validation, test.
        samples: of all splits.
        looks: of each image once.
    """

    splits: Sequence[Split]
    samples: Sequence[Sample]
    looks: Sequence[ImageLook]

    def of_split(self, name: str) -> list[Sample]:
        """Return the samples of a split."""
        return [each for each in self.samples if each.split == name]


class Shown(NamedTuple):
    """A sample of a finding.

    Attributes:
        sample: which.
        note: what is to be said of it alone.
    """

    sample: Sample
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the data that somebody should know.

    Attributes:
        kind: a name for programs.
        severity: 'serious': results will be wrong, or a run will fail; 'warning': that may be; 'note'.
        what: in a line.
        remedy: what to do; empty where nothing has to be done.
        groups: the samples, those that belong together side by side.
        lines: what else to name, such as classes.
    """

    kind: str
    severity: Severity
    what: str
    remedy: str = ""
    groups: Sequence[Sequence[Shown]] = field(default=())
    lines: Sequence[str] = field(default=())

    @property
    def shown(self) -> list[Shown]:
        """All samples, group after group."""
        return [each for group in self.groups for each in group]


def single(samples: Sequence[tuple[Sample, str]]) -> list[list[Shown]]:
    """Return samples with their notes, each a group of its own."""
    return [[Shown(sample, note)] for sample, note in samples]


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, the most severe first."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))
