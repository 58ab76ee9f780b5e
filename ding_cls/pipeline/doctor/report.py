"""What the doctor has found, as a record, and in plain values.

It must not know how it is shown.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ding_cls.common.counting import counted
from ding_cls.data.same_images import Source
from ding_cls.data.tools.doctor.findings import Data, Finding, Shown
from ding_cls.data.tools.quarantine import Quarantined


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What the doctor has found.

    Attributes:
        name: of the data, as the user gave it.
        data: what was looked at.
        sources: what the image of each look comes from.
        findings: the most severe first.
        quarantine: the files that had better be left out.
        crop_of: whose resizing and cropping was looked at.
        remark: a line on what a quarantine list leaves out already; empty without one.
        seconds: how long it took.
        num_workers: reading processes.
    """

    name: str
    data: Data
    sources: Sequence[Source]
    findings: Sequence[Finding]
    quarantine: Sequence[Quarantined]
    crop_of: str
    remark: str
    seconds: float
    num_workers: int

    @property
    def is_serious(self) -> bool:
        """Whether results will be wrong, or a run will fail."""
        return any(each.severity == "serious" for each in self.findings)

    def counts(self, split: str) -> dict[str, int]:
        """Return how many samples of a split each class has, in the order of the classes."""
        found = Counter(label for each in self.data.of_split(split) for label in each.labels)
        classes = next(each.classes for each in self.data.splits if each.name == split)
        return {name: found[name] for name in classes}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "data": self.name,
            "splits": [
                {
                    "name": each.name,
                    "num_samples": len(self.data.of_split(each.name)),
                    "classes": self.counts(each.name),
                }
                for each in self.data.splits
            ],
            "num_images": len(self.data.looks),
            "seconds": round(self.seconds, 3),
            "findings": [
                {
                    "kind": each.kind,
                    "severity": each.severity,
                    "what": each.what,
                    "remedy": each.remedy,
                    "groups": [[_plain(shown) for shown in group] for group in each.groups],
                    "lines": list(each.lines),
                }
                for each in self.findings
            ],
            "quarantine": [each._asdict() for each in self.quarantine],
        }


def _plain(shown: Shown) -> dict[str, Any]:
    sample = shown.sample
    return {"path": sample.name, "split": sample.split, "labels": list(sample.labels), "note": shown.note}


def headline(report: DoctorReport) -> str:
    """Return the data in a line: images, classes, splits, and the time it took."""
    classes = {name for each in report.data.splits for name in each.classes}
    parts = [
        f"{each.name} {len(report.data.of_split(each.name)):,}" for each in report.data.splits if each.name
    ]
    splits = f" ({', '.join(parts)})" if parts else ""
    return (
        f"{report.name}: {counted(len(report.data.samples), 'sample')}{splits} of "
        f"{counted(len(classes), 'class', 'classes')}; "
        f"{counted(len(report.data.looks), 'image')} looked at in {report.seconds:.1f} s; {_spread(report)}"
    )


def _spread(report: DoctorReport) -> str:
    """Return how many images the classes of each split have."""
    words = []
    for each in report.data.splits:
        counts = list(report.counts(each.name).values())
        if counts:
            few, most = min(counts), max(counts)
            numbers = f"{few:,}" if few == most else f"{few:,} to {most:,}"
            words.append(f"{each.name} {numbers}".strip())
    return f"of each class {', '.join(words)}"


def name_below(path: str, report: DoctorReport) -> str:
    """Return a path from the folder of the data on; as it is where it is elsewhere."""
    return path.removeprefix(os.path.join(report.name, "")) or path
