"""All checks of the doctor, one after the other, and what to leave out for what they found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ding_cls.data.tools.doctor.crop import crop_in_words, kept_share
from ding_cls.data.tools.doctor.duplicates import Duplicates, duplicate_findings, find_duplicates, leaked
from ding_cls.data.tools.doctor.findings import Data, Finding, in_order
from ding_cls.data.tools.doctor.images import image_findings
from ding_cls.data.tools.doctor.sets import set_findings
from ding_cls.data.tools.quarantine import Quarantined


def examine(data: Data, steps: Sequence[Mapping[str, Any]]) -> tuple[list[Finding], list[Quarantined]]:
    """Return what is found, the most severe first, and the files that had better be left out.

    Args:
        data: what was looked at.
        steps: what evaluation does to an image, as dicts.
    """
    duplicates = find_duplicates(data)
    findings = [
        *image_findings(data, partial(kept_share, steps), crop_in_words(steps)),
        *duplicate_findings(data, duplicates),
        *set_findings(data),
    ]
    return in_order(findings), list(_left_out(data, duplicates))


def _left_out(data: Data, duplicates: Duplicates) -> Iterator[Quarantined]:
    """Yield the files that cannot be read, and those of the training side of exact duplicates; each once."""
    reasons: dict[str, str] = {}
    for sample in data.samples:
        if sample.is_file and (fault := data.looks[sample.image].fault):
            reasons.setdefault(sample.name, fault.removeprefix(repr(sample.name)).partition(";")[0].strip())
    for sample, kept in leaked(duplicates):
        reasons.setdefault(sample.name, f"the same image as {kept.name!r} in {kept.split}")
    yield from (Quarantined(path, reason) for path, reason in reasons.items())
