"""All that a model card shows, gathered from a checkpoint, its run and an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ding_cls.answers.calibration import KEY as CALIBRATION
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.evaluation.summary import interval_text
from ding_cls.answers.show import Display, digits_of, is_percentage, show_value
from ding_cls.config.tools.show import literal
from ding_cls.inference.predictor import Predictor
from ding_cls.pipeline.build import network_text
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.exporting.card_facts import (
    confidence_facts,
    evaluated_name,
    initial_weights,
    limits,
    model_facts,
    preprocessing_lines,
    run_title,
    split_data_name,
    split_facts,
    training_facts,
)
from ding_cls.pipeline.exporting.snippets import installation, network_name, snippets
from ding_cls.pipeline.reporting.report import run_folder_of
from ding_cls.pipeline.reporting.run_facts import is_of_training
from ding_cls.report.model_card import CardRecord, CardResult

# Among the results of an evaluation, and on the card among the data.
_COUNTED = "n_bad"


@dataclass(frozen=True, slots=True)
class CardSource:
    """What a card is gathered from.

    Attributes:
        checkpoint: the file.
        state: what it holds.
        cfg: its run's config, for this machine.
        predictor: of the checkpoint.
        description: of the network, without weights.
        found: the evaluation; None: there was none.
        note: why not, as a phrase.
    """

    checkpoint: Path
    state: Mapping[str, Any]
    cfg: Any
    predictor: Predictor
    description: Mapping[str, Any]
    found: EvaluationReport | None
    note: str


def gather_card(source: CardSource, *, file: str, num_bytes: int, sha256: str) -> CardRecord:
    """Return what a card shows.

    Args:
        source: the checkpoint and what is known of it.
        file: name of the file of weights.
        num_bytes: its size.
        sha256: of it.
    """
    cfg, predictor, found = source.cfg, source.predictor, source.found
    results, about = _recorded(source) if found is None else _measured(found)
    name = network_name(source.description)
    calibration = _calibration(source)
    num_classes = len(predictor.classes)
    folder = run_folder_of(source.checkpoint, cfg)
    return CardRecord(
        title=run_title(cfg.exp_name),
        network=name,
        is_initial_foreign=initial_weights(cfg.policy.model) is not None,
        model=model_facts(predictor, _described(source), file=file, num_bytes=num_bytes, sha256=sha256),
        classes=predictor.classes,
        results=results,
        results_about=about,
        dataset=split_data_name(cfg.policy.collect, "val") if found is None else evaluated_name(found),
        split="val" if found is None else found.split or "all",
        confidence=confidence_facts(calibration),
        splits=split_facts(source.state["run"], cfg, found=found, run_folder=folder, num_classes=num_classes),
        training=training_facts(source.state, cfg),
        preprocessing=preprocessing_lines(predictor.preprocessing),
        limits=limits(predictor, has_calibration=calibration is not None),
        snippets=[
            installation(file, source.description),
            *snippets(file, source.description, predictor, own_modules=_own_modules(cfg)),
        ],
        notes=_notes(source),
    )


def _own_modules(cfg: Any) -> list[str]:
    names = (cfg.custom_imports or {}).get("imports") or []
    return [names] if isinstance(names, str) else list(names)


def _notes(source: CardSource) -> list[str]:
    """Return what a reader must not miss."""
    found, notes = source.found, []
    if not source.state.get("last_iter", 1):
        notes.append("These weights are not trained: they were saved before the run's first update.")
    if source.cfg.policy.collect.synthetic:
        notes.append("The network was trained on generated images: its classes mean nothing on real ones.")
    if found is not None and (found.split == "train" or is_of_training(found, source.state["run"])):
        notes.append("The results are of images that it was trained on.")
    return notes


def _calibration(source: CardSource) -> Calibration | None:
    if not source.state.get(CALIBRATION):
        return None
    predictor = source.predictor
    num_classes, num_tasks = len(predictor.classes), predictor.num_tasks
    return Calibration.of(source.state, source.checkpoint, num_classes=num_classes, num_tasks=num_tasks)


def _described(source: CardSource) -> str:
    text = network_text(source.predictor.model, source.description)
    if "backbone" in source.description:
        return text
    rest = {name: value for name, value in source.description.items() if name not in ("name", "type")}
    return ", ".join([text, *(f"{name}={literal(value)}" for name, value in rest.items())])


def _measured(found: EvaluationReport) -> tuple[Sequence[CardResult], str]:
    """Return the results of an evaluation with their intervals, and what they are of."""
    results = _results(found.result, found.display, found.intervals)
    split = f", split {found.split}" if found.split else ""
    about = f"Measured for this card on {found.num_samples:,} images: {evaluated_name(found)}{split}."
    if any(each.interval for each in results):
        about += " In the last column 95 % intervals, for other images of the same kind."
    return results, about


def _recorded(source: CardSource) -> tuple[Sequence[CardResult], str]:
    """Return the last results that a run has left in its checkpoint, and what they are."""
    state, note = source.state, source.note
    evaluator = (state.get("parts") or {}).get("evaluator") or {}
    results, when = evaluator.get("last_result") or {}, evaluator.get("last_eval_iter")
    if not results:
        return [], f"Not measured: {note}, and the run has recorded no results."
    display = Display(len(source.predictor.classes), has_one_label=not source.predictor.has_several_labels)
    about = f"As the run recorded them, without intervals: when this card was written, {note}."
    if when != state.get("last_iter"):
        about += f" They are those after update {when:,}, not of these weights."
    return _results(results, display, {}), about


def _results(
    results: Mapping[str, Any], display: Display, intervals: Mapping[str, tuple[float, float]]
) -> list[CardResult]:
    found = []
    for name, value in display(results).items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and name != _COUNTED:
            unit = " %" if is_percentage(name) else ""
            text = f"{show_value(value, digits_of(name))}{unit}"
            interval = interval_text(name, intervals.get(name)).strip("()")
            found.append(CardResult(name, display.name(name), float(value), text, interval))
    return found
