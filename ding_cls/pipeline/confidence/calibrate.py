"""``ding-cls calibrate``: evaluate a checkpoint, fit what makes its scores probabilities, keep that in it."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.calibration import KEY, Calibration
from ding_cls.checkpoint import CheckpointKeeper, read_checkpoint
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.folder_lock import lock_folder
from ding_cls.common.process import launched_rank
from ding_cls.data.datasets.digest import SampleList
from ding_cls.errors import CheckpointError, ConfigError, DingError, DiskError
from ding_cls.metrics.analysis.temperature import Temperature
from ding_cls.pipeline.checks.changed_data import FACT
from ding_cls.pipeline.confidence.answers import Answers
from ding_cls.pipeline.confidence.measure import measured
from ding_cls.pipeline.datasets.splits import training_set
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import sample_paths
from ding_cls.pipeline.resume import is_run
from ding_cls.pipeline.run_folder import checkpoints_of

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What was found, for tables and files.

    Attributes:
        calibration: what is in the checkpoint now.
        temperatures: with a note where there is no best one.
        evaluation: what it was measured on.
    """

    calibration: Calibration
    temperatures: list[Temperature]
    evaluation: EvaluationReport


def calibrate(
    checkpoint: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    precision: float | None = None,
    batch_size: int | None = None,
    model: torch.nn.Module | None = None,
    allow_code: bool = False,
    max_bad: int | None = None,
) -> CalibrationReport | None:
    """Fit a temperature, a coverage / risk curve and thresholds; write them into the checkpoint.

    All else in the file stays as it is, and what reads it uses them only when asked. All ranks call it
    together; the first one writes, and the others return None.

    Args:
        checkpoint: a file that a run of this library wrote, or a run's folder: its best one.
        data: as in `ding_cls.evaluate`, like all that is not named here.
        precision: find thresholds by class, or label, from which on so many percent are right.

    Raises:
        CheckpointError: the file is missing, damaged, not a run's, or was overwritten meanwhile.
        ConfigError: the run is in progress, or a percentage that is none.
        DataError: as `ding_cls.evaluate`; or logits that are not finite.
        DiskError: the file cannot be written; it is the one it was.
    """
    if precision is not None and not 1 <= precision < 100:
        raise ConfigError(f"a precision of {precision:g} cannot be reached: it is in percent, from 1 to 99.9")
    # A link's target is replaced, not the link.
    file = (named := checkpoint_file(checkpoint)).resolve()
    before = _identity(file)
    report = evaluate_checkpoint(
        named,
        data=data,
        split=split,
        batch_size=batch_size,
        model=model,
        keep_predictions=True,
        intervals=False,
        allow_code=allow_code,
        max_bad=max_bad,
    )
    if precision is not None and report.records.kind == "tasks":
        raise ConfigError(
            "thresholds for a precision are for images with one label or several, and these have "
            "several tasks; leave out --precision: predict --max-risk P has one threshold for all tasks"
        )
    if launched_rank() > 0:
        return None
    samples = SampleList.of(report.dataset)
    fitted_on = {"split": report.split, **samples.facts}
    calibration, temperatures = measured(Answers(report.records), fitted_on, precision=precision)
    with _locked(_folder_of(file, report.cfg)):
        if _identity(file) != before:
            raise CheckpointError(f"'{file}' was overwritten while it was evaluated; calibrate it again")
        state = read_checkpoint(file)
        _warn_trained(report, state, samples)
        _rewrite(file, {**state, KEY: calibration.entry()})
    return CalibrationReport(calibration, temperatures, report)


def _rewrite(file: Path, state: Mapping[str, Any]) -> None:
    try:
        CheckpointKeeper(file.parent).rewrite(file.name, state)
    except OSError as error:
        raise DiskError(str(error)) from error


def _identity(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _folder_of(file: Path, cfg: Any) -> Path:
    """Return the folder whose lock guards a checkpoint: its run's, also where that keeps its checkpoints
    elsewhere; else its own."""
    above, named = file.parent.parent, Path(cfg.exp_name)
    if is_run(above):
        return above
    is_elsewhere = is_run(named) and checkpoints_of(cfg).resolve() == file.parent
    return named if is_elsewhere else file.parent


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        lock = lock_folder(folder)
    except OSError as error:
        raise DiskError(
            f"'{folder}' cannot be written ({error.strerror}), and a calibration is kept in the checkpoint; "
            "copy that, and calibrate the copy"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _warn_trained(report: EvaluationReport, state: Mapping[str, Any], samples: SampleList) -> None:
    """Warn where the run was trained on the images: there its scores are better than elsewhere."""
    trained = (state["run"].get(FACT) or {}).get("train") or {}
    count = samples.num_samples
    if report.split != "train" and trained.get("digest") != samples.digest:
        count = _num_shared_files(report)
    if count:
        _LOGGER.warning(
            "the run was trained on %s of these %s images: its scores are surer and better there than on "
            "new ones; name others: --split val, or --data PATH",
            f"{count:,}",
            f"{samples.num_samples:,}",
        )


def _num_shared_files(report: EvaluationReport) -> int:
    """Return how many of the images are files of the run's training data; 0 where these are not here."""
    try:
        return len(_files(report.dataset) & _files(training_set(report.cfg)))
    except (DingError, OSError):
        return 0


def _files(dataset: Any) -> set[str]:
    """Return the real paths of a dataset's files; of one without files nothing."""
    paths = sample_paths(dataset)
    if not paths or not os.path.lexists(paths[0]):
        return set()
    parted = [os.path.split(path) for path in paths]
    folders = {folder: os.path.realpath(folder) for folder, _ in parted}
    return {os.path.join(folders[folder], name) for folder, name in parted}
