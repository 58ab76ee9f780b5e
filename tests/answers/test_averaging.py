"""The mean of probabilities as logits: against it written out, and where probabilities round to 0 or 1."""

import numpy as np
import pytest
import torch

from ding_cls.answers.averaging import mean_logits


@pytest.mark.parametrize("shape", [(7, 2), (5, 1000), (4, 3, 6)])
def test_the_probabilities_of_the_mean_are_the_mean_of_the_probabilities(shape: tuple[int, ...]) -> None:
    views = list(torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)) * 4)
    arrays = [each.numpy() for each in views]
    one = torch.from_numpy(mean_logits(arrays, has_several_labels=False))
    expected = torch.stack([each.double().softmax(-1) for each in views]).mean(0)
    assert one.dtype == torch.float32
    assert torch.allclose(one.double().softmax(-1), expected, rtol=0, atol=1e-6)
    several = torch.from_numpy(mean_logits(arrays, has_several_labels=True))
    expected = torch.stack([each.double().sigmoid() for each in views]).mean(0)
    assert torch.allclose(several.double().sigmoid(), expected, rtol=0, atol=1e-6)


def test_what_is_sure_stays_finite() -> None:
    views = [np.array([[2000.0, -2000.0]]), np.array([[1000.0, -1000.0]])]
    assert mean_logits(views, has_several_labels=False).tolist() == [
        [0.0, pytest.approx(-2000.693, abs=1e-2)]
    ]
    assert np.isfinite(mean_logits(views, has_several_labels=True)).all()


def test_nan_in_one_view_is_nan_and_a_view_alone_is_as_it_was() -> None:
    view = np.array([[0.1, 0.2]], np.float32)
    broken = np.array([[float("nan"), 0.2]], np.float32)
    for several in (True, False):
        assert np.isnan(mean_logits([view, broken], has_several_labels=several)).any()
        assert mean_logits([view], has_several_labels=several) is view
