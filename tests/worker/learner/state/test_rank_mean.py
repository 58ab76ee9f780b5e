"""A number is this rank's own until its mean is known; the first reader of several means waits for all."""

import pytest
import torch

from ding_cls.worker.learner.state.rank_mean import Means, RankMean


def test_a_number_is_this_ranks_own_and_then_the_mean() -> None:
    number = RankMean(torch.tensor(0.1))
    assert float(number) == float(torch.tensor(0.1))
    means = Means(torch.tensor([3.0, 0.3], dtype=torch.float64))
    number.take(means, 1)
    assert float(number) == 0.3
    assert number.own.item() == pytest.approx(0.1)


def test_the_mean_as_a_tensor_keeps_float64_and_must_be_known() -> None:
    number = RankMean(2.0)
    with pytest.raises(RuntimeError, match="not known yet"):
        number.tensor()
    number.take(Means(torch.tensor([1 / 3], dtype=torch.float64)), 0)
    mean = number.tensor()
    assert (mean.dtype, mean.shape) == (torch.float64, ())
    assert mean.item() == 1 / 3


def test_several_means_are_read_from_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: reads.append(1) or read(tensor))
    means = Means(torch.arange(3, dtype=torch.float64))
    numbers = [RankMean(9.0) for _ in range(3)]
    for place, number in enumerate(numbers):
        number.take(means, place)
    assert [float(each) for each in numbers] == [0.0, 1.0, 2.0]
    assert len(reads) == 1
