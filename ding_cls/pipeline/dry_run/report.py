"""What a dry run found, and its lines of text."""

import math
from dataclasses import dataclass

from ding_cls.common.columns import in_columns
from ding_cls.common.counting import counted, either


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds for each repetition, averaged.

    Attributes:
        data: waiting for a batch.
        step: what is done with it.
        count: how many were measured, after one that was not; 0: that first one is all there is.
    """

    data: float
    step: float
    count: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would be like.

    Attributes:
        run_folder: what the run would claim.
        num_train: training images.
        num_eval: evaluation images.
        num_classes: classes.
        num_left_out: training images that each epoch leaves out, always others.
        shapes: type and shape by name, for one batch.
        num_parameters: numbers that the network consists of.
        num_trainable: those of them that are trained.
        loss: of the first update.
        expected_loss: what guessing costs: ``ln(num_classes)`` in cross-entropy, and ``ln(2)`` for each class
            where each is predicted by itself; None: not known.
        train_timing: seconds of an update.
        eval_timing: seconds of an evaluation batch.
        memory_bytes: most memory in use at once, beyond what was in use before the network was built.
        memory_kind: which memory that is.
        updates_per_epoch: updates in an epoch.
        num_updates: updates in all.
        num_evaluations: evaluations in all.
        eval_batches: batches in one of them.
        batch_sizes: fewest and most images in an update, all processes together.
        learning_rates: update and learning rate at the begin, at the highest and at the end.
        checkpoint_bytes: size of one file.
        num_checkpoints: most files that lie there at once, the best one included.
        free_bytes: free on the disk of the run's folder.
        remarks: what deserves a second look.
        recipe: the recipe that ships and that the run is laid over, and what it does; None: none.
        input: what of the images' size and statistics follows from the network; empty: nothing.
        tables: which columns of each table are taken, a line for each.
        was_checked: every image was opened; those that cannot be read are among the remarks.
    """

    run_folder: str
    num_train: int
    num_eval: int
    num_classes: int
    num_left_out: int
    shapes: dict[str, str]
    num_parameters: int
    num_trainable: int
    loss: float
    expected_loss: float | None
    train_timing: Timing
    eval_timing: Timing
    memory_bytes: int
    memory_kind: str
    updates_per_epoch: int
    num_updates: int
    num_evaluations: int
    eval_batches: int
    batch_sizes: tuple[int, int]
    learning_rates: tuple[tuple[int, float], ...]
    checkpoint_bytes: int
    num_checkpoints: int
    free_bytes: int
    remarks: tuple[str, ...]
    recipe: str | None = None
    input: str = ""
    tables: tuple[str, ...] = ()
    was_checked: bool = False

    @property
    def seconds(self) -> float:
        """Seconds to the end of the run: updates and evaluations, without saving and starting."""
        train, evaluation = self.train_timing, self.eval_timing
        return self.num_updates * (train.data + train.step) + self.num_evaluations * self.eval_batches * (
            evaluation.data + evaluation.step
        )


def print_dry_run(report: DryRun) -> None:
    """Print a report, a line for each thing, and the remarks last."""
    rows = [*_rows(report), *(("look at this", remark) for remark in report.remarks)]
    print(in_columns([(f"{name}:", text) for name, text in rows], gap=1))


def _rows(report: DryRun) -> list[tuple[str, str]]:
    train, timing = report.train_timing, report.eval_timing
    begin, peak, end = report.learning_rates
    expected = "" if report.expected_loss is None else f"; guessing costs {_formula(report)}"
    left_out = f", {report.num_left_out} left out of each, always others" if report.num_left_out else ""
    sizes = f"{report.num_checkpoints} x {_bytes(report.checkpoint_bytes)}"
    total = report.num_checkpoints * report.checkpoint_bytes
    checked = "; each was opened" if report.was_checked else ""
    return [
        ("run folder", f"{report.run_folder} (nothing is written to it now)"),
        *([("recipe", report.recipe)] if report.recipe is not None else []),
        *([("input", report.input.removeprefix("input "))] if report.input else []),
        *(("table", line) for line in report.tables),
        (
            "samples",
            f"{report.num_train:,} to train on, {report.num_eval:,} to evaluate, {report.num_classes} "
            f"classes{checked}",
        ),
        *report.shapes.items(),
        ("parameters", f"{report.num_parameters:,}, of which {report.num_trainable:,} are trained"),
        ("first loss", f"{report.loss:.4f}{expected}"),
        (
            "updates",
            f"{report.num_updates:,}, {report.updates_per_epoch:,} an epoch with "
            f"{either(report.batch_sizes)} images each{left_out}",
        ),
        (
            "learning rate",
            f"{begin[1]:.3g} at first, {peak[1]:.3g} at most (update {peak[0]:,}), {end[1]:.3g} at last",
        ),
        ("one update", _timing(train, "step")),
        (
            "evaluation",
            f"{counted(report.num_evaluations, 'time')} {counted(report.eval_batches, 'batch', 'batches')}, "
            f"a batch {_timing(timing, 'forward')}",
        ),
        ("time in all", f"about {_duration(report.seconds)}, without saving and starting"),
        ("memory", f"{_bytes(report.memory_bytes)} {report.memory_kind}"),
        ("checkpoints", f"{sizes} = {_bytes(total)}; {_bytes(report.free_bytes)} are free"),
    ]


def _formula(report: DryRun) -> str:
    is_one = report.expected_loss == math.log(report.num_classes)
    formula = f"ln({report.num_classes})" if is_one else f"{report.num_classes} ln(2)"
    return f"{formula} = {report.expected_loss:.4f}"


def _timing(timing: Timing, name: str) -> str:
    count = f"from {timing.count} of them" if timing.count else "from one, starting up included"
    both = timing.data + timing.step
    return f"{_seconds(both)} = data {_seconds(timing.data)} + {name} {_seconds(timing.step)} ({count})"


def _seconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    days, rest = divmod(round(seconds / 60), 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
