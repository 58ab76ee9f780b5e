"""An evaluation with the scores that a checkpoint's calibration makes."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ding_cls.answers.calibration import FITTED_ON_THESE, Calibration
from ding_cls.common.process import launched_rank
from ding_cls.data.datasets.digest import SampleList
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.pipeline.evaluation.inputs import EvalInputs
from ding_cls.policy.modes import EvalMode

_LOGGER = logging.getLogger(__name__)


def calibration_of(inputs: EvalInputs, dataset: Any, classes: Sequence[str], labels: Labels) -> Calibration:
    """Return the calibration of a checkpoint; warn where it was fitted on the samples that it meets now.

    Raises:
        CheckpointError: there is none.
    """
    calibration = Calibration.of(
        inputs.state or {},
        inputs.checkpoint,
        num_classes=len(classes),
        num_tasks=labels.num_tasks if labels.kind == "tasks" else None,
    )
    if launched_rank() == 0 and SampleList.of(dataset).digest == calibration.fitted_on["digest"]:
        _LOGGER.warning(FITTED_ON_THESE)
    return calibration


def with_temperature(mode: EvalMode, calibration: Calibration) -> EvalMode:
    """Return a policy's evaluation whose logits are divided by a calibration's temperatures."""

    def forward(batch: Any) -> torch.Tensor:
        logits = mode.forward(batch)
        scaled = torch.from_numpy(calibration.scaled(logits.cpu().double().numpy()))
        # Apple's GPUs know no float64.
        return scaled if logits.device.type == "mps" else scaled.to(logits.device)

    return replace(mode, forward=forward)
