"""What an evaluation found, for tables and files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ding_cls.answers.calibration import Calibration
from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.answers.proportions import Interval
from ding_cls.answers.show import Display


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(ABC):
    """What a checkpoint, or an exported file, makes of a split.

    Attributes:
        result: what the metric gives for all samples.
        num_samples: how many these are.
        records: what it makes of each sample.
        split: its name; None: a folder of classes without splits.
        classes: the class names.
        checkpoint: the file.
        train_iter: updates that the weights have seen.
        seconds: of reading the images and passing them through the network.
        is_other_loss: training minimised another function than the cross-entropy that is ``loss`` here.
        calibration: what the logits were divided by; None: they are the network's.
        intervals: of results of one number the 95 % interval, low and high, in the unit of the result; some
            have none (`ding_cls.answers.resampling`). Empty where none were asked for.
        tta: each image was seen as its mirror image too.
    """

    result: dict[str, Any]
    num_samples: int
    records: SampleAnswers
    split: str | None
    classes: tuple[str, ...]
    checkpoint: Path
    train_iter: int
    seconds: float
    is_other_loss: bool = False
    calibration: Calibration | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    tta: bool = False

    @property
    @abstractmethod
    def folder(self) -> str:
        """The folder that was read; empty where the data lie in none."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What was read, for a reader: the folder, or else the table or the kind of data."""

    @property
    @abstractmethod
    def paths(self) -> Sequence[str]:
        """What each sample of the dataset is called, those left out too."""

    @property
    def note(self) -> str:
        """How the data were read, where it is to be told with the results."""
        return ""

    @property
    def predictions(self) -> dict[str, Any]:
        """``sample_ids``, ``targets`` and ``logits`` in the order of the data, where logits were kept; and
        the ``threshold`` of several labels."""
        several = ("threshold",) if self.records.kind == "several" else ()
        names = ("sample_ids", "targets", "logits", *several)
        return {name: getattr(self.records, name) for name in names}

    @property
    def display(self) -> Display:
        """Which results are shown, and under which names."""
        has_one_label = self.records.kind != "several"
        return Display(len(self.classes), has_one_label=has_one_label, is_other_loss=self.is_other_loss)

    @property
    def images_per_s(self) -> float:
        """Samples per second, all processes together."""
        return self.num_samples / max(self.seconds, 1e-9)

    def per_class(self) -> list[dict[str, Any]]:
        """Return ``name``, ``images``, and in percent ``precision``, ``recall`` and ``f1`` of each class, and
        what else the metric lists for each."""
        columns: dict[str, Sequence[Any]] = {
            name: values.tolist() for name, values in self.records.by_class(len(self.classes)).items()
        }
        columns["images"] = [int(count) for count in columns["images"]]
        for name, values in self.result.items():
            own = name.removesuffix("_per_class")
            is_listed = isinstance(values, list | tuple) and len(values) == len(self.classes)
            if own != name and own not in columns and is_listed:
                columns[own] = values
        rows = zip(*columns.values(), strict=True)
        return [
            {"name": name, **dict(zip(columns, row, strict=True))}
            for name, row in zip(self.classes, rows, strict=True)
        ]
