"""One HTML file about a checkpoint on a split: evaluates it once, gathers the rest, writes the page."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import BEST_NAME, checkpoint_file
from ding_cls.common.process import launched_rank
from ding_cls.common.tables import checked_ending
from ding_cls.errors import DataError
from ding_cls.images import readable_names
from ding_cls.inference.saved_run import preprocessing_in
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting.heat_maps import heat_maps
from ding_cls.pipeline.reporting.pictures import thumbnails
from ding_cls.pipeline.reporting.run_facts import (
    config_lines,
    data_facts,
    digests,
    environment_facts,
    is_of_training,
    phases_of,
    rows_of,
)
from ding_cls.pipeline.reporting.samples import (
    class_scores,
    judged_samples,
    label_issues,
    reliability_of,
    temperature_in,
)
from ding_cls.pipeline.run_folder import checkpoints_of
from ding_cls.report import write_report_page
from ding_cls.report.page import need_jinja2
from ding_cls.report.records import JudgedSamples, LabelIssue, ReportRecord, worst_mistakes, worth_showing

NUM_THUMBNAILS = 2000
"""So many images have a thumbnail at most: of 4 kB each, and a few ms to read."""

NUM_HEAT_MAPS = 24
_ENDINGS = (".html", ".htm")
_MARK = b'<meta name="generator" content="ding_cls">'


def report(
    checkpoint: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    model: torch.nn.Module | None = None,
    out: str | os.PathLike[str] | None = None,
    allow_code: bool = False,
    max_bad: int | None = None,
) -> Path:
    """Evaluate a checkpoint, write one HTML file on what it does and where it is wrong, and return its path.

    The file appears whole or not at all. Only the process of rank 0 writes it.

    Args:
        checkpoint: a file that a run wrote, or a run's folder: its best one.
        data: as ``evaluate`` takes it, like the rest.
        split: likewise.
        batch_size: likewise.
        model: likewise.
        out: the file, ``.html``; None: ``report.html`` in the run's folder, with the names of split, data and
            checkpoint where they are not those that ``eval`` takes by itself.
        allow_code: as in ``evaluate``.
        max_bad: likewise.

    Raises:
        CheckpointError: as ``evaluate``.
        ConfigError: likewise; jinja2 is not installed, or ``out`` has another ending.
        DataError: as ``evaluate``; or the file is there and no report of ours, or cannot be written.
    """
    need_jinja2()
    file = checkpoint_file(checkpoint)
    usual = default_path(file, split=split, data=data, is_the_runs=os.path.isdir(checkpoint))
    path = usual if out is None else Path(out)
    checked_ending(path, _ENDINGS)
    _check_ours(path)
    found = evaluate_checkpoint(
        file,
        data=data,
        split=split,
        batch_size=batch_size,
        model=model,
        keep_predictions=True,
        allow_code=allow_code,
        max_bad=max_bad,
    )
    if launched_rank() == 0:
        is_trained_on = data is None and found.split == "train"
        record = gather_record(found, read_checkpoint(file), model=model, is_trained_on=is_trained_on)
        write_report_page(path, record)
    return path


def default_path(
    checkpoint: Path,
    *,
    split: str | None = None,
    data: str | os.PathLike[str] | None = None,
    is_the_runs: bool = False,
) -> Path:
    """Return where the report of a checkpoint is written: into its run's folder, or else beside it.

    Args:
        checkpoint: the file.
        split: as in `report`.
        data: likewise.
        is_the_runs: it is the one that the run's folder stands for; else it is named, unless it is the best.
    """
    name = checkpoint.name.removesuffix(".pth.tar")
    words = [
        *([] if is_the_runs or checkpoint.name == BEST_NAME else [name]),
        *([] if data is None else [Path(data).resolve().stem]),
        *([] if split in (None, "val") else [split]),
    ]
    folder = run_folder_of(checkpoint) or checkpoint.parent
    return folder / f"{'_'.join(['report', *map(str, words)])}.html"


def run_folder_of(checkpoint: Path, cfg: Any = None) -> Path | None:
    """Return the folder of a checkpoint's run; None where that is not known.

    Args:
        checkpoint: a file in the run's folder, or where ``cfg`` has the run keep its checkpoints.
        cfg: the run's config, compiled.
    """
    if checkpoint.absolute().parent.name == "ckpt" and (checkpoint.parent.parent / "log").is_dir():
        return checkpoint.parent.parent
    if cfg is None or checkpoints_of(cfg).resolve() != checkpoint.resolve().parent:
        return None
    return Path(cfg.exp_name) if Path(cfg.exp_name, "log").is_dir() else None


def gather_record(
    found: EvaluationReport,
    state: Mapping[str, Any],
    *,
    model: torch.nn.Module | None = None,
    is_trained_on: bool = False,
) -> ReportRecord:
    """Return all that a report shows.

    Args:
        found: the evaluation, with logits.
        state: the checkpoint.
        model: the network, where it was given.
        is_trained_on: the network was trained on these samples; else it is where they are those of the run.
    """
    run, folder = state.get("run") or {}, run_folder_of(found.checkpoint, found.cfg)
    samples = judged_samples(found)
    issues, num_issues = label_issues(found.records)
    notes = _notes_on_labels(issues, num_issues)
    samples, more = _with_pictures(samples, found, run, issues or (), model)
    rows = rows_of(folder)
    shown = found.display(found.result)
    results = {name: value for name, value in shown.items() if isinstance(value, int | float)}
    return ReportRecord(
        title=(folder or found.checkpoint).resolve().name,
        run=str(folder or found.checkpoint.parent),
        checkpoint=str(found.checkpoint),
        split=found.split or found.folder or type(found.dataset).__name__,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
        is_trained_on=is_trained_on or is_of_training(found, run),
        results={found.display.name(str(name)): float(value) for name, value in results.items()},
        intervals={
            found.display.name(name): each for name, each in found.intervals.items() if name in results
        },
        rows=rows,
        class_names=readable_names(found.classes),
        samples=samples,
        label_issues=issues,
        class_scores=class_scores(found),
        reliability=reliability_of(found.records, temperature_in(state)),
        phases=phases_of(rows),
        data=data_facts(found, run, folder),
        config=config_lines(run),
        environment=environment_facts(state.get("environment") or {}),
        digests=digests(found, run),
        notes=[*notes, *more],
    )


def _with_pictures(
    samples: JudgedSamples,
    found: EvaluationReport,
    run: Mapping[str, Any],
    issues: Sequence[LabelIssue],
    model: torch.nn.Module | None,
) -> tuple[JudgedSamples, list[str]]:
    """Return samples with thumbnails and heat maps, and a line on what is missing."""
    preprocessing = preprocessing_in(run, found.checkpoint)
    indices = found.records.sample_ids.tolist()
    shown = worth_showing(samples, issues, limit=NUM_THUMBNAILS)
    images = thumbnails(found.dataset, [(each, indices[each]) for each in shown], preprocessing)
    worst = worst_mistakes(samples)[:NUM_HEAT_MAPS]
    maps, note = heat_maps(found, [(each, indices[each]) for each in worst], preprocessing, model)
    return replace(samples, thumbnails=images, heat_maps=maps), [note] if note else []


def _notes_on_labels(issues: Sequence[LabelIssue] | None, num_issues: int) -> list[str]:
    notes = []
    if issues is None:
        notes.append("Label errors are looked for among 20 images or more that have one class each.")
        return notes
    if num_issues > len(issues):
        notes.append(f"Of {num_issues:,} likely label errors the first {len(issues):,} are listed.")
    return notes


def _check_ours(path: Path) -> None:
    """Refuse to write over a file that is no report of ours."""
    if not path.exists() or launched_rank() > 0:
        return
    try:
        with open(path, "rb") as file:
            is_ours = _MARK in file.read(4096)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}; take another --out FILE") from error
    if not is_ours:
        raise DataError(
            f"'{path}' is there and no report of ding-cls; move it, or name another: "
            f"--out {quote(str(path.with_stem(path.stem + '_2')))}"
        )
