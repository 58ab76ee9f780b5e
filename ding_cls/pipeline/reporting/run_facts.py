"""What a run has recorded of itself: its rows, where its time went, data, config, environment, digests.

It reads the run's folder and its checkpoint; a report of a bare checkpoint has less.
"""

import hashlib
import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy
import PIL
import torch
import torchvision

from ding_cls.common.counting import first_few
from ding_cls.common.logs.metrics_file import MetricsFile
from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.origins import DERIVED
from ding_cls.config.tools.show import literal
from ding_cls.config.tree import OriginTable, comparable_leaves, leaves, place_of
from ding_cls.data import innermost
from ding_cls.data.datasets.digest import SampleList
from ding_cls.images import readable_names
from ding_cls.pipeline.checks.changed_data import FACT as DATA
from ding_cls.pipeline.checks.changed_data import LISTS
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import list_of
from ding_cls.pipeline.resume import ORIGINS
from ding_cls.report.records import ConfigLine

_SET_BY_RUN = "set by the run"
_PHASES = {
    "data_time_val": "waiting for data",
    "forward_time_avg": "forward",
    "backward_time_avg": "backward",
    "sync_time_avg": "gradient synchronisation",
}
_REST = "evaluation, checkpoints and the rest"
_MAX_CLASSES = 30
_MAX_NAMED = 5
_SPLITS = {"train": "training", "val": "validation"}


def rows_of(run_folder: Path | None) -> list[dict[str, Any]]:
    """Return the rows of ``log/metrics.jsonl`` in the order of the updates; none of a bare checkpoint.

    Of an update that a resumed run did again its later row is kept. A line that a crash has torn is left out.
    """
    if run_folder is None:
        return []
    try:
        found = MetricsFile(run_folder / "log" / "metrics.jsonl").rows()
    except OSError:
        return []
    rows = {
        (row["kind"], row["train_iter"]): row
        for row in found
        if isinstance(row.get("kind"), str) and isinstance(row.get("train_iter"), int)
    }
    return sorted(rows.values(), key=lambda row: row["train_iter"])


def phases_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """Return the seconds of each phase of training, by the means that the run logged every few updates."""
    seconds = dict.fromkeys(_PHASES.values(), 0.0)
    before = 0
    for row in rows:
        if row["kind"] == "train":
            updates, before = row["train_iter"] - before, row["train_iter"]
            for name, phase in _PHASES.items():
                seconds[phase] += float(row.get(name) or 0.0) * updates
    total = sum(float(row.get("seconds") or 0.0) for row in rows if row["kind"] == "epoch")
    rest = total - sum(seconds.values())
    found = [(phase, seconds[phase]) for phase in _PHASES.values() if seconds[phase] > 0]
    return [*found, (_REST, rest)] if found and rest > 0 else found


def data_facts(
    report: EvaluationReport, run: Mapping[str, Any], run_folder: Path | None
) -> list[tuple[str, str]]:
    """Return where the data are, how many samples each split and class has, and what was left out.

    Args:
        report: the evaluation.
        run: what the checkpoint says of its run.
        run_folder: None without one.
    """
    split = f", split {report.split}" if report.split else ""
    place = report.folder or list_of(report.dataset) or type(report.dataset).__name__
    facts = [("evaluated on", f"{place}{split}"), ("images evaluated", f"{report.num_samples:,}")]
    if report.train_iter:
        facts.append(("updates that the weights have seen", f"{report.train_iter:,}"))
    if n_bad := getattr(report.dataset, "n_bad", 0):
        facts.append(("unreadable images left out", f"{n_bad:,}"))
    for each in innermost(report.dataset):
        if left_out := getattr(each, "left_out", None):
            facts.append(("files that are no samples", str(left_out)))
    for name, of_split in known_splits(run):
        facts.append((f"{_SPLITS.get(name, name)} images of the run", f"{of_split['num_samples']:,}"))
    for name, bad in (run.get("bad_images") or {}).items():
        facts.append((f"{_SPLITS.get(name, name)} images that the run left out", f"{len(bad):,}"))
    return [*facts, *_class_facts(report, run, run_folder)]


def config_lines(run: Mapping[str, Any]) -> list[ConfigLine]:
    """Return every value of a run's config, and what set it: a line of a file, or a word typed.

    A checkpoint of an earlier version does not say the latter; then what differs from the default was set by
    the run.
    """
    config = run.get("config") or {}
    standard = comparable_leaves(defaults(ROOT))
    origins = run.get(ORIGINS)
    table = OriginTable(origins or {})
    lines = []
    for key, value in leaves(config):
        is_default = key in standard and standard[key] == (list(value) if isinstance(value, tuple) else value)
        unknown = "" if is_default else _SET_BY_RUN if origins is None else DERIVED
        lines.append(ConfigLine(key, literal(value), place_of(key, table) or unknown))
    return lines


def environment_facts(saved: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the versions and the machine of this evaluation, with those of training where they are known.

    Args:
        saved: the checkpoint's ``environment``.
    """
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    here = {
        "ding_cls": import_module("ding_cls").__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "platform": platform.platform(),
        "device": device,
        "threads": str(torch.get_num_threads()),
    }
    trained = {"threads": "threads", "world_size": "processes", "torch": "torch"}
    training = [(f"{name} in training", str(saved[key])) for key, name in trained.items() if key in saved]
    return [*here.items(), *training]


def digests(report: EvaluationReport, run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return SHA-256 of the checkpoint file, and of the names and labels of the data, then and now."""
    with open(report.checkpoint, "rb") as file:
        found = [("checkpoint, sha256", hashlib.file_digest(file, "sha256").hexdigest())]
    now = SampleList.of(report.dataset).digest
    found.append(("names and labels evaluated, sha256", now))
    for split, facts in known_splits(run):
        same = " (the same)" if facts["digest"] == now else ""
        name = f"names and labels of the run's {_SPLITS.get(split, split)} data, sha256"
        found.append((name, f"{facts['digest']}{same}"))
    return found


def is_of_training(report: EvaluationReport, run: Mapping[str, Any]) -> bool:
    """Return whether the evaluated samples are those that the run was trained on, wherever they lie now.

    Names and labels tell, but not where another split's are the same, such as numbered images.
    """
    found = {name: facts["digest"] for name, facts in known_splits(run)}
    of_training = found.pop("train", None)
    if of_training is None or of_training in found.values() or report.split not in (None, "train"):
        return False
    return bool(of_training == SampleList.of(report.dataset).digest)


def known_splits(run: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each split of the run, and its digest and size, where the checkpoint says them."""
    data = run.get(DATA)
    for name, facts in data.items() if isinstance(data, Mapping) else ():
        if isinstance(facts, Mapping) and {"digest", "num_samples"} <= facts.keys():
            yield name, facts


def class_counts(run_folder: Path | None, split: str, digest: str, *, num_classes: int) -> list[int]:
    """Return how many samples of each class a split has, by the list that the run has left in its folder;
    empty where there is none, or its samples have no one class each."""
    samples = None if run_folder is None else SampleList.read(run_folder / LISTS, split, digest)
    labels = [] if samples is None else [label for _, label in samples.pairs()]
    if not labels or not all(map(str.isdecimal, labels)):
        return []
    numbers = Counter(map(int, labels))
    return [numbers[each] for each in range(num_classes)]


def _class_facts(
    report: EvaluationReport, run: Mapping[str, Any], run_folder: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield the images of each class by split; of many classes the range, and the classes with fewest."""
    names = readable_names(report.classes)
    counts = {"evaluated": report.records.by_class(len(names))["images"].astype(int).tolist()}
    now = SampleList.of(report.dataset).digest
    for split, facts in known_splits(run):
        if facts["digest"] == now and report.split in (None, split):
            continue
        if found := class_counts(run_folder, split, facts["digest"], num_classes=len(names)):
            counts[f"in {_SPLITS.get(split, split)}"] = found
    if len(names) <= _MAX_CLASSES:
        for number, name in enumerate(names):
            yield f"class {name}", ", ".join(f"{each[number]:,} {split}" for split, each in counts.items())
        return
    for split, each in counts.items():
        fewest = [names[number] for number, count in enumerate(each) if count == min(each)]
        yield (
            f"images of a class, {split}",
            f"{min(each):,} to {max(each):,}; the fewest have {first_few(fewest, _MAX_NAMED)}",
        )
