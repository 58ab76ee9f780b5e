"""Thresholds for a precision against every threshold tried, and what they keep on other data."""

import pytest
import torch

from ding_cls.metrics.analysis.thresholds import class_thresholds


def drawn(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.rand(count, generator=generator, dtype=torch.float64)
    return scores, torch.rand(count, generator=generator) < 0.7 + 0.3 * scores


@pytest.mark.parametrize("count", [0, 1, 17, 18, 60, 500])
@pytest.mark.parametrize("wanted", [50.0, 90.0, 99.0])
def test_it_is_the_lowest_that_suffices(count: int, wanted: float) -> None:
    scores, is_right = drawn(count, torch.Generator().manual_seed(count))
    scores = (scores * 20).round() / 20 if count == 60 else scores
    found = class_thresholds([(scores, is_right)], wanted)
    tried = [(int((scores >= each).sum()), int(is_right[scores >= each].sum())) for each in scores]
    fits = [pair for pair in tried if 100 * (pair[1] + 1) / (pair[0] + 2) >= wanted]
    assert (found.kept[0], found.right[0]) == max(fits, default=(0, 0))
    if not fits:
        assert found.thresholds == (None,)
        return
    assert found.thresholds[0] is not None
    assert int((scores >= found.thresholds[0]).sum()) == found.kept[0]


def test_eighteen_right_ones_are_the_least_for_95_percent() -> None:
    for count, has_one in ((17, False), (18, True)):
        row = (torch.linspace(0.9, 0.5, count), torch.ones(count, dtype=torch.bool))
        found = class_thresholds([row, row], 95.0)
        assert [each is not None for each in found.thresholds] == [has_one] * 2
        assert found.thresholds[0] == (0.0 if has_one else None)


def test_the_precision_of_other_data_is_about_the_wanted_one() -> None:
    generator = torch.Generator().manual_seed(3)
    kept = right = 0
    for _ in range(100):
        found = class_thresholds([drawn(200, generator)], 90.0)
        if found.thresholds[0] is not None:
            scores, is_right = drawn(1000, generator)
            answered = scores >= found.thresholds[0]
            kept, right = kept + int(answered.sum()), right + int(is_right[answered].sum())
    assert 88.5 < 100 * right / kept < 92
