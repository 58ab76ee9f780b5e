"""What a report shows, as plain values; who gathers it knows runs and networks, the page knows only this.

Accuracies, precision, recall and F1 are percentages, 0 to 100; scores, confidences and ECE are in [0, 1].
A sample is named by its position in the arrays, a class by its number. What is missing stays None or empty,
with a line in ``notes`` that says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSamples:
    """What was answered for each of N images.

    Attributes:
        names: where each image is from, (N,): a path, or such as 'image 17 of x.npz'.
        is_right: (N,) bool.
        scores: the probability of the predicted class, (N,); several labels or tasks: whatever says how sure
            the answer is.
        targets: class numbers, (N,); None with several labels or tasks.
        predicted: class numbers, (N,); a number that no class has (such as -1): no class was answered. None
            where ``targets`` is.
        target_texts: what is right, in words, (N,); only where ``targets`` is None.
        predicted_texts: the answers in words, (N,), likewise.
        thumbnails: JPEG, PNG, WebP or GIF files by position, of any number of samples; best about 96 pixels
            and 3 kB each. Those that do not fit into a page are left out, the last first.
        heat_maps: the same images with what the network looked at, by position.

    Raises:
        ValueError: the lengths differ.
    """

    names: Sequence[str]
    is_right: npt.NDArray[np.bool_]
    scores: Floats
    targets: Ints | None = None
    predicted: Ints | None = None
    target_texts: Sequence[str] | None = None
    predicted_texts: Sequence[str] | None = None
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    heat_maps: Mapping[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse rows that belong to different samples."""
        columns = (self.is_right, self.scores, self.targets, self.predicted)
        texts = (self.target_texts, self.predicted_texts)
        lengths = {len(self.names), *(len(each) for each in (*columns, *texts) if each is not None)}
        if len(lengths) > 1:
            raise ValueError(f"columns of {', '.join(map(str, sorted(lengths)))} samples")
        if (self.targets is None) != (self.predicted is None):
            raise ValueError("targets without predicted classes, or the other way round")

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A label that is likely wrong: of which sample, its class and the one that is suggested."""

    position: int
    given: int
    suggested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Percentages of each class, (C,); NaN where there is nothing to divide by. ``support`` counts images."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often answers of about one confidence are right, in B bins.

    Attributes:
        edges: of the bins, (B + 1,), in [0, 1].
        confidence: its mean in each bin, (B,); any value where the bin is empty.
        accuracy: the fraction that is right, (B,), in [0, 1]; likewise.
        count: images in each bin, (B,).
        ece: expected calibration error, in [0, 1].
        name: of what, as 'before temperature scaling'; may be empty.
    """

    edges: Floats
    confidence: Floats
    accuracy: Floats
    count: Ints
    ece: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One value of the config: its dotted key, the value as text, and what set it ('' : the default)."""

    key: str
    value: str
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """Everything that a report of one evaluation shows.

    Attributes:
        title: of the page, such as the run's name.
        run: the run's folder, or the checkpoint's where it has no run.
        checkpoint: the file that was judged.
        split: as 'val', or the folder or file where the data has no splits.
        created: when, as text.
        is_trained_on: the network was trained on these very samples.
        results: metrics by name, as ``ding-cls eval`` prints them; lists and tables are left out.
        intervals: 95 % intervals (low, high) of those that have one.
        rows: of the run's ``log/metrics.jsonl``, of every kind, in order; empty: a bare checkpoint.
        class_names: by class number.
        samples: what was answered; None: not kept.
        label_issues: the likeliest first; None: not looked for.
        class_scores: of single or several labels; None: makes no sense.
        reliability: one diagram each.
        phases: name and seconds, in order.
        data: facts, as ('images', '360').
        config: in order.
        environment: as ('torch', '2.9.0').
        digests: as ('checkpoint sha256', '...').
        notes: one sentence for whatever is missing, and why; the page itself says so of curves, the confusion
            matrix and thumbnails.
    """

    title: str
    run: str
    checkpoint: str
    split: str
    created: str = ""
    is_trained_on: bool = False
    results: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    class_names: Sequence[str] = ()
    samples: JudgedSamples | None = None
    label_issues: Sequence[LabelIssue] | None = None
    class_scores: ClassScores | None = None
    reliability: Sequence[Reliability] = ()
    phases: Sequence[tuple[str, float]] = ()
    data: Pairs = ()
    config: Sequence[ConfigLine] = ()
    environment: Pairs = ()
    digests: Pairs = ()
    notes: Sequence[str] = ()


def worst_mistakes(samples: JudgedSamples) -> list[int]:
    """Return the positions of what is wrong, the surest answer first; an unknown score (NaN) last."""
    wrong = np.flatnonzero(~samples.is_right)
    return [int(each) for each in wrong[np.argsort(-samples.scores[wrong], kind="stable")]]


def worth_showing(
    samples: JudgedSamples, label_issues: Iterable[LabelIssue] = (), *, limit: int
) -> list[int]:
    """Return at most ``limit`` positions whose thumbnails a page needs most, the most needed first.

    The worst 100 mistakes and the first 100 label errors; the surest mistake of each confused pair of
    classes, then its second ...; at last the least sure right answers of each class in turn.
    """
    worst = worst_mistakes(samples)
    right = np.flatnonzero(samples.is_right)
    right = right[np.argsort(samples.scores[right], kind="stable")]
    issues = [issue.position for issue in label_issues]
    order = [*worst[:100], *issues[:100], *_in_turn(samples, worst), *_in_turn(samples, right.tolist())]
    return list(dict.fromkeys(order))[:limit]


def _in_turn(samples: JudgedSamples, positions: Sequence[int]) -> list[int]:
    """Return the positions, the first of every cell of the confusion matrix before any second one."""
    if samples.targets is None or samples.predicted is None:
        return list(positions)
    seen: dict[tuple[int, int], int] = {}
    turns = []
    for position in positions:
        cell = (int(samples.targets[position]), int(samples.predicted[position]))
        seen[cell] = seen.get(cell, -1) + 1
        turns.append(seen[cell])
    return [positions[index] for index in np.argsort(turns, kind="stable")]
