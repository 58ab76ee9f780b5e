"""What an evaluation found, for tables and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.calibration import Calibration
from ding_cls.answers.proportions import Interval
from ding_cls.metrics import Display
from ding_cls.pipeline.evaluation.sample_records import SampleRecords, folder_of


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What a checkpoint makes of a split.

    Attributes:
        result: what the metric gives for all samples.
        num_samples: how many these are.
        records: what it makes of each sample.
        dataset: the split.
        split: its name; None: a folder of classes without splits.
        classes: the class names.
        checkpoint: the file.
        train_iter: updates that the checkpoint's weights have seen.
        cfg: the config, for this machine.
        seconds: of reading the images and passing them through the network.
        is_other_loss: training minimised another function than the cross-entropy that is ``loss`` here.
        calibration: what the logits were divided by; None: they are the network's.
        intervals: of results of one number the 95 % interval, low and high, in the unit of the result; some
            have none (`ding_cls.metrics.analysis.bootstrap`). Empty where none were asked for, and on other
            ranks than the first.
        tta: each image was seen as its mirror image too.
    """

    result: dict[str, Any]
    num_samples: int
    records: SampleRecords
    dataset: Any
    split: str | None
    classes: tuple[str, ...]
    checkpoint: Path
    train_iter: int
    cfg: Any
    seconds: float
    is_other_loss: bool
    calibration: Calibration | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    tta: bool = False

    @property
    def folder(self) -> str:
        """The folder that was read; empty where the data lie in none."""
        return folder_of(self.dataset)

    @property
    def display(self) -> Display:
        """Which results are shown, and under which names."""
        has_one_label = self.records.kind != "several"
        return Display(len(self.classes), has_one_label=has_one_label, is_other_loss=self.is_other_loss)

    @property
    def images_per_s(self) -> float:
        """Samples per second, all processes together."""
        return self.num_samples / max(self.seconds, 1e-9)

    @property
    def predictions(self) -> dict[str, torch.Tensor]:
        """``sample_ids``, ``targets`` and ``logits`` in the order of the data, where logits were kept."""
        return {name: getattr(self.records, name) for name in ("sample_ids", "targets", "logits")}

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
