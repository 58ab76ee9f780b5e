"""What a campaign counted, and how the page shows it."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import torch

from kill_campaign.compare import Differences
from kill_campaign.processes import Phase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
NAMES = {
    Phase.SAVE: "a save",
    Phase.EVALUATION: "an evaluation",
    Phase.TRAINING: "training",
    Phase.START: "the start",
}


@dataclass
class Figures:
    """What was counted.

    Attributes:
        runs: runs that were brought to their end, and compared.
        faults: kills, each proved by the exit code -9; or stops.
        phases: how many kills hit each phase.
        kinds: how many stops there were of each kind, and how many of them went well.
        resumes: processes that went on from a checkpoint.
        anew: runs that were killed before their first checkpoint, and began anew.
        lost: updates lost although they were saved, or although the run was asked to stop.
        repeated: the most updates that a resume did again, since they were not saved yet.
        total: the differences of all runs.
        orphans: processes left behind.
        leftovers: temporary files left in finished runs.
        seconds: how long it took.
        failures: every bound that was missed, in words.
    """

    runs: int = 0
    faults: int = 0
    phases: Counter[Phase] = field(default_factory=Counter)
    kinds: dict[str, list[int]] = field(default_factory=dict)
    resumes: int = 0
    anew: int = 0
    lost: int = 0
    repeated: int = 0
    total: Differences = field(default_factory=Differences)
    orphans: int = 0
    leftovers: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def fail(self, what: str) -> None:
        """Count a bound that was missed, and print it at once."""
        self.failures.append(what)
        print(f"FAILED: {what}", flush=True)


def kill_lines(figures: Figures, found: str) -> list[str]:
    """Return the page's figures of the kills.

    Args:
        figures: what was counted.
        found: how many of the things that were broken on purpose were found.
    """
    total = figures.total
    phases = ", ".join(f"{figures.phases[each]} in {NAMES[each]}" for each in NAMES)
    facts = {
        "SIGKILLs, each proved by the exit code -9": f"{figures.faults}: {phases}",
        "runs brought to their end and compared": f"{figures.runs}",
        "resumes from a checkpoint; runs killed before their first": f"{figures.resumes}; {figures.anew}",
        "bits that differ, of all tensors compared": f"{total.bits}, {total.tensors:,}",
        "other values that differ": f"{len(total.values)}",
        "rows missing, doubled, with other numbers": (
            f"{total.missing}, {total.doubled}, {len(total.rows)} of {total.num_rows:,}"
        ),
        "updates lost beyond the last save": f"{figures.lost}",
        "most updates done again by a resume": f"{figures.repeated}, where saves are up to 7 apart",
        "processes, temporary files left": f"{figures.orphans}, {figures.leftovers}",
        "things broken on purpose that were found": found,
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]


def stop_lines(figures: Figures) -> list[str]:
    """Return the page's figures of the stops."""
    total = figures.total
    rows = [f"| {what} | {count} | {good} |" for what, (count, good) in figures.kinds.items()]
    differing = f"{total.bits} bits of {total.tensors:,} tensors, {len(total.values)} other values"
    rows_differing = f"{total.missing + total.doubled + len(total.rows)} of {total.num_rows:,} rows"
    sums = (
        f"In all {figures.faults} stops: {figures.lost} updates lost; in {figures.runs} runs that were "
        f"resumed and compared {differing} and {rows_differing} differ; {figures.orphans} processes left."
    )
    header = ["| stop | times | exit code 75, nothing lost, equal bits |", "|---|---|---|"]
    return [*header, *rows, "", sums]


def write_block(name: str, lines: Sequence[str], seconds: float) -> None:
    """Put lines between two marks in the page, with where and when they were measured."""
    begin, end = f"<!-- {name}, written by benchmarks/kills.py -->", f"<!-- end of {name} -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise RuntimeError(f"{PAGE} has no marks {begin!r} and {end!r}")
    where = (
        f"{date.today()}, {os.cpu_count()} cores {platform.machine()}, 1 thread; Python "
        f"{platform.python_version()}, torch {torch.__version__}; {seconds:.0f} s."
    )
    text = "\n".join([*lines, "", where])
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
