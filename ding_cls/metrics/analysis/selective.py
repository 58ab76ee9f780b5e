"""The reject option: how many samples are answered from which score on, and how many of these answers are
wrong.

It must not know networks, images or files.
"""

import torch

from ding_cls.answers.risk_curve import RiskCurve

NUM_POINTS = 100


def risk_curve(scores: torch.Tensor, is_right: torch.Tensor) -> RiskCurve:
    """Return the curve of answers, at each percent of coverage that equal scores allow.

    Args:
        scores: of the answers, float ``(N,)`` in [0, 1]; N is at least 1.
        is_right: bool ``(N,)``.
    """
    thresholds, kept, right = levels(scores, is_right)
    total = len(scores)
    needed = torch.arange(1, NUM_POINTS + 1, dtype=torch.float64) * total / NUM_POINTS
    chosen = torch.unique(torch.searchsorted(kept.double(), needed - 1e-9))
    return RiskCurve(
        total,
        tuple(thresholds[chosen].tolist()),
        tuple(kept[chosen].tolist()),
        tuple((kept - right)[chosen].tolist()),
    )


def levels(scores: torch.Tensor, is_right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return of each different score, the highest first, a threshold that parts it from the next lower one;
    how many samples reach that; and how many of these are right.

    The threshold lies in the middle, so that another batch size's rounding moves no sample across; the last
    is 0.

    Args:
        scores: float ``(N,)`` in [0, 1]; N is at least 1.
        is_right: bool ``(N,)``.
    """
    ordered, order = scores.double().sort(descending=True, stable=True)
    ends = (ordered.diff() != 0).nonzero().flatten()
    last = torch.cat([ends, torch.tensor([len(scores) - 1])])
    thresholds = torch.cat([(ordered[ends] + ordered[ends + 1]) / 2, torch.zeros(1, dtype=torch.float64)])
    return thresholds, last + 1, is_right[order].long().cumsum(0)[last]
