"""What the doctor has found, as text for a terminal."""

import textwrap
from collections.abc import Iterator, Sequence

from ding_cls.common.counting import counted
from ding_cls.data.tools.doctor.findings import SEVERITIES, Finding, Shown
from ding_cls.pipeline.doctor.report import DoctorReport, headline, name_below

_WIDTH = 108
_NUM_SHOWN = 4
_NUM_IN_GROUP = 4


def doctor_text(report: DoctorReport) -> str:
    """Return lines of up to 110 columns: the data, then what was found, the most severe first."""
    return "\n".join(_lines(report))


def _lines(report: DoctorReport) -> Iterator[str]:
    yield from _wrapped(headline(report), "")
    if report.remark:
        yield from _wrapped(report.remark, "")
    for severity in SEVERITIES:
        found = [each for each in report.findings if each.severity == severity]
        if found:
            yield from ("", severity)
        for each in found:
            yield from _finding(each, report)
    if all(each.severity == "note" for each in report.findings):
        yield from ("", "all well: nothing serious, nothing to be warned of")
    if report.quarantine:
        count = counted(len(report.quarantine), "file")
        yield from ("", f"{count} had better be left out; --quarantine FILE.csv lists them")


def _finding(finding: Finding, report: DoctorReport) -> Iterator[str]:
    what = finding.what if finding.kind != "cropped" else f"{finding.what} ({report.crop_of})"
    yield from _wrapped(what, "  ")
    shown = [*finding.lines, *(_group(each, report) for each in finding.groups)]
    for line in shown[:_NUM_SHOWN]:
        yield from _wrapped(line, "      ")
    if len(shown) > _NUM_SHOWN:
        yield f"      and {len(shown) - _NUM_SHOWN:,} more"
    if finding.remedy:
        yield from _wrapped(f"-> {finding.remedy}", "    ")


def _group(group: Sequence[Shown], report: DoctorReport) -> str:
    words = [_shown(each, report) for each in group[:_NUM_IN_GROUP]]
    # Of a table or of arrays names do not say it.
    if len({each.sample.split for each in group}) > 1:
        words = [f"{each.sample.split}: {word}" for each, word in zip(group, words, strict=False)]
    if len({each.sample.labels for each in group}) > 1:
        labels = [", ".join(map(repr, each.sample.labels)) or "no label" for each in group]
        words = [f"{word} as {label}" for word, label in zip(words, labels, strict=False)]
    more = [f"{len(group) - _NUM_IN_GROUP:,} more"] if len(group) > _NUM_IN_GROUP else []
    return " | ".join([*words, *more])


def _shown(shown: Shown, report: DoctorReport) -> str:
    path, note = shown.sample.name, shown.note
    # A fault names the file by itself.
    if note.startswith(repr(path)):
        return f"{name_below(path, report)!r}{note.removeprefix(repr(path))}"
    return f"{name_below(path, report)!r}{f' ({note})' if note else ''}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
