"""A record of thresholds says of each class what counting says."""

import torch

from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.metrics.analysis.thresholds import class_thresholds


def test_each_class_has_its_own_numbers() -> None:
    scores = torch.linspace(0.9, 0.5, 40, dtype=torch.float64)
    all_right, none_right = torch.ones(40, dtype=torch.bool), torch.zeros(40, dtype=torch.bool)
    first_right = torch.arange(40) < 20
    found = class_thresholds([(scores, all_right), (scores, none_right), (scores, first_right)], 95.0)
    between = float(scores[19] + scores[20]) / 2
    assert found == ClassThresholds(95.0, (0.0, None, between), (40, 0, 20), (40, 0, 20))
