"""A model card in Hugging Face's form: front matter in YAML, then what a stranger must know in Markdown.

It draws from plain values; it must not know runs, networks or files.

Source: the form, https://huggingface.co/docs/hub/model-cards; what belongs on a card, "Model Cards for Model
Reporting", Mitchell et al. 2018 (arXiv:1810.03993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ding_cls.report.markdown import code, escaped, facts, table
from ding_cls.report.page import shown
from ding_cls.report.records import Pairs

MAX_CLASSES = 1000
"""So many class names are listed at most."""

_TASK = "image-classification"
_FOLDED = 30
# The Hub's names of metrics, https://huggingface.co/metrics; other results keep their own.
_HUB_NAMES = {"acc1": "accuracy", "f1_macro": "f1"}
_LICENCES = (
    "| of the weights | unknown: fill in, here and as `license` in the first lines of this file |\n"
    "| of the training data | unknown: fill in |\n"
    "| of the weights that training started from | {initial} |"
)


@dataclass(frozen=True, slots=True)
class CardResult:
    """One result: its key, such as 'acc1'; what it is called; its value; value and 95 % interval as text."""

    key: str
    name: str
    value: float
    text: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class CardSplit:
    """What is known of a split: all as text, '' where it is not."""

    name: str
    data: str
    samples: str
    by_class: str
    left_out: str
    digest: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code that loads the weights: what it does, its language, and in Markdown what to know beside it."""

    title: str
    language: str
    code: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRecord:
    """Everything on a card.

    Attributes:
        title: the run's name.
        network: its name, for a tag.
        is_initial_foreign: training started from weights of somebody else.
        model: facts about the network.
        classes: names by class number.
        results: of the evaluation.
        results_about: one sentence on what they were measured on, and how.
        dataset: name of the data that they were measured on.
        split: likewise, of the split.
        confidence: facts of a calibration; empty without one.
        splits: of the run's data, and of what was evaluated.
        training: facts.
        preprocessing: one line for each step.
        limits: one sentence for each thing that is known not to work.
        snippets: how to load it.
        notes: sentences that stand on top: what a reader must not miss.
    """

    title: str
    network: str
    is_initial_foreign: bool
    model: Pairs
    classes: Sequence[str]
    results: Sequence[CardResult]
    results_about: str
    dataset: str
    split: str
    confidence: Pairs
    splits: Sequence[CardSplit]
    training: Pairs
    preprocessing: Sequence[str]
    limits: Sequence[str]
    snippets: Sequence[Snippet]
    notes: Sequence[str] = ()


def model_card(record: CardRecord) -> str:
    """Return the text of a card."""
    columns = ("split", "data", "samples", "per class", "left out", "digest of names and labels")
    splits = [[escaped(getattr(each, name)) or "–" for name in CardSplit.__slots__] for each in record.splits]
    initial = "unknown: fill in" if record.is_initial_foreign else "none: it started from random values"
    parts = [
        f"---\n{_front_matter(record)}---",
        f"# {escaped(record.title)}",
        *(f"> **Note.** {escaped(each)}" for each in record.notes),
        facts(record.model),
        f"## Classes\n\n{_classes(record.classes)}",
        f"## Results\n\n{_results(record)}",
        *([f"### Confidence\n\n{facts(record.confidence)}"] if record.confidence else []),
        f"## Data\n\n{table(columns, splits)}",
        f"## Training\n\n{facts(record.training)}",
        "## Preprocessing\n\n"
        + "\n".join(f"{n}. {escaped(each)}" for n, each in enumerate(record.preprocessing, 1)),
        f"## Licence\n\n{table(('', ''), [])}\n{_LICENCES.format(initial=initial)}",
        "## Intended use and limits\n\nWhat it is meant for, and for whom: not written yet, fill in.\n\n"
        + "\n".join(f"- {escaped(each)}" for each in record.limits),
        "## How to load it",
        *map(_snippet, record.snippets),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(record: CardRecord) -> str:
    metrics = [
        {"type": _HUB_NAMES.get(each.key, shown(each.key)), "value": each.value, "name": shown(each.name)}
        for each in record.results
    ]
    result = {
        "task": {"type": _TASK},
        # A folder of images: a dataset's name on the Hub would stand here, which none of these has.
        "dataset": {"type": "imagefolder", "name": shown(record.dataset), "split": shown(record.split)},
        "metrics": metrics,
    }
    about: dict[str, Any] = {
        "license": "unknown",
        "library_name": "ding_cls",
        "pipeline_tag": _TASK,
        "tags": [_TASK, "pytorch", "ding_cls", shown(record.network)],
        "metrics": list(dict.fromkeys(each["type"] for each in metrics)),
        "model-index": [{"name": shown(record.title), "results": [result] if metrics else []}],
    }
    text: str = yaml.safe_dump(about, allow_unicode=True, sort_keys=False)
    return text


def _classes(classes: Sequence[str]) -> str:
    text = "\n".join(map(shown, classes[:MAX_CLASSES]))
    about = f"{len(classes):,} classes, one a line in the order of their numbers, from 0 on."
    if len(classes) > MAX_CLASSES:
        about = f"The first {MAX_CLASSES:,} of {about}"
    block = code(text, "text")
    if len(classes) > _FOLDED:
        block = f"<details>\n<summary>the names</summary>\n\n{block}\n\n</details>"
    return f"{about}\n\n{block}"


def _results(record: CardRecord) -> str:
    about = escaped(record.results_about)
    if not record.results:
        return about
    has_intervals = any(each.interval for each in record.results)
    header = ("result", "value", *(["95 % interval"] if has_intervals else []))
    rows = [[escaped(each.name), each.text, each.interval or "–"] for each in record.results]
    return f"{about}\n\n{table(header, [row[: len(header)] for row in rows])}"


def _snippet(snippet: Snippet) -> str:
    remark = f"\n\n{snippet.remark}" if snippet.remark else ""
    return f"### {escaped(snippet.title)}\n\n{code(snippet.code, snippet.language)}{remark}"
