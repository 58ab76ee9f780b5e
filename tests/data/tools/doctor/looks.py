"""Data of the doctor without files: samples and looks as a test describes them."""

from typing import Any

from ding_cls.data.tools.doctor.findings import Data, Finding, Sample, Split
from ding_cls.data.tools.doctor.look import ImageLook


def data_of(
    *rows: tuple[str, str, str, dict[str, Any]], classes: dict[str, tuple[str, ...]] | None = None
) -> Data:
    """Return data of rows (split, path, label, what the look says); each is an image of its own."""
    usual = {"width": 200, "height": 150, "mode": "RGB"}
    looks = [
        ImageLook(**{**usual, "pixel_digest": f"{number}".encode(), **look})
        for number, (_, _, _, look) in enumerate(rows)
    ]
    samples = [Sample(split, path, (label,), number) for number, (split, path, label, _) in enumerate(rows)]
    names = dict.fromkeys(split for split, _, _, _ in rows)
    own = classes or {
        name: tuple(sorted({label for split, _, label, _ in rows if split == name})) for name in names
    }
    return Data([Split(name, own[name]) for name in names], samples, looks)


def by_kind(findings: Any) -> dict[str, Finding]:
    return {each.kind: each for each in findings}


def paths(finding: Finding) -> list[list[str]]:
    return [[shown.sample.name for shown in group] for group in finding.groups]
