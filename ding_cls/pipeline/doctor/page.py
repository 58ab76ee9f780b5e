"""What the doctor has found, as one HTML page with the images of each finding side by side."""

from typing import Any

import numpy as np
from PIL import Image

from ding_cls.data import load_rgb
from ding_cls.data.same_images import Source
from ding_cls.data.tools.doctor.findings import SEVERITIES, Finding, Shown
from ding_cls.errors import DataError
from ding_cls.pipeline.doctor.report import DoctorReport, headline, name_below
from ding_cls.report.page import encoded, render_page

_SIDE_PX = 240
_MOST_IMAGES = 24
_MOST_LINES = 100


def doctor_page(report: DoctorReport) -> str:
    """Return the text of the page.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    findings = [
        {"severity": severity, "findings": [_finding(each, report) for each in found]}
        for severity in SEVERITIES
        if (found := [each for each in report.findings if each.severity == severity])
    ]
    return render_page(
        "doctor.html",
        name=report.name,
        headline=headline(report).removeprefix(f"{report.name}: "),
        remark=report.remark,
        crop_of=report.crop_of,
        severities=findings,
        is_well=all(each.severity == "note" for each in report.findings),
        splits=[(each.name or "all", list(report.counts(each.name).items())) for each in report.data.splits],
        num_left_out=len(report.quarantine),
    )


def _finding(finding: Finding, report: DoctorReport) -> dict[str, Any]:
    groups: list[list[dict[str, Any]]] = []
    left = _MOST_IMAGES
    for group in finding.groups:
        if left <= 0:
            break
        groups.append([_image(each, report) for each in group[:left]])
        left -= len(groups[-1])
    num_shown = sum(map(len, groups))
    return {
        "kind": finding.kind,
        "what": finding.what,
        "remedy": finding.remedy,
        "lines": list(finding.lines[:_MOST_LINES]),
        "num_more_lines": max(len(finding.lines) - _MOST_LINES, 0),
        "groups": groups if any(len(each) > 1 for each in groups) else _in_one(groups),
        "num_more": len(finding.shown) - num_shown,
    }


def _in_one(groups: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return groups of one image each as one row."""
    return [[image for group in groups for image in group]] if groups else []


def _image(shown: Shown, report: DoctorReport) -> dict[str, Any]:
    sample = shown.sample
    path = name_below(sample.name, report)
    return {
        "path": path,
        "place": " · ".join([*([sample.split] if sample.split else []), *sample.labels]),
        "note": shown.note.removeprefix(repr(sample.name)).strip(),
        "image": _thumbnail(report.sources[sample.image]),
    }


def _thumbnail(source: Source) -> bytes:
    """Return a small file of an image; empty where there is none to show."""
    try:
        image = Image.fromarray(source) if isinstance(source, np.ndarray) else load_rgb(source or "")
    except (DataError, TypeError, ValueError):
        return b""
    return encoded(np.asarray(image.convert("RGB")), _SIDE_PX)
