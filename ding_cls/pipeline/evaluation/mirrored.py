"""Evaluation that sees each image and its mirror image."""

from dataclasses import replace
from typing import Any

import torch

from ding_cls.answers.averaging import mean_logits
from ding_cls.inference.predictor import mirrored
from ding_cls.policy.batches import as_batch
from ding_cls.policy.modes import EvalMode


def with_mirrored(mode: EvalMode, *, has_several_labels: bool) -> EvalMode:
    """Return a policy's evaluation whose logits are those of the mean over each image and its mirror image.

    Args:
        mode: the policy's.
        has_several_labels: as in `mean_logits`.
    """

    def forward(data: Any) -> torch.Tensor:
        batch = as_batch(data)
        views = [mode.forward(each) for each in (batch, batch.with_images(mirrored(batch.images)))]
        found = mean_logits(
            [each.cpu().float().numpy() for each in views], has_several_labels=has_several_labels
        )
        return torch.from_numpy(found).to(views[0].device)

    return replace(mode, forward=forward)
