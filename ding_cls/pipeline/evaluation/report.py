"""What the evaluation of a checkpoint found, for tables and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ding_cls.answers.evaluation.report import Evaluation
from ding_cls.pipeline.evaluation.sample_records import folder_of, list_of, sample_paths


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport(Evaluation):
    """What a checkpoint makes of a split.

    Attributes:
        dataset: the split.
        cfg: the config, for this machine.
        intervals: as in `Evaluation`, like all that is not named here; empty on other ranks than the first.
    """

    dataset: Any
    cfg: Any

    @property
    def folder(self) -> str:
        """The folder that was read; empty where the data lie in none."""
        return folder_of(self.dataset)

    @property
    def source(self) -> str:
        """The folder, or else the list of the samples, or the dataset's class."""
        return self.folder or list_of(self.dataset) or type(self.dataset).__name__

    @property
    def paths(self) -> Sequence[str]:
        """What each sample of the dataset is called."""
        return sample_paths(self.dataset)
