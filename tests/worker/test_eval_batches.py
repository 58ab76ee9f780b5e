"""Each sample once, whatever loader yields the batches, and a recount that says so where it is not."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from ding_cls.data import DistributedSampler
from ding_cls.errors import DataError
from ding_cls.worker.eval_batches import EvaluationStoppedError, checked_count, judged_batches

DATA = TensorDataset(torch.arange(7.0), torch.arange(7))


def seen(loader: object) -> list[int]:
    return [int(each) for _, targets in judged_batches(loader, lambda: False) for each in targets]


def test_a_padding_samplers_repeats_are_left_out() -> None:
    shares = [DistributedSampler(DATA, rank=rank, world_size=3, shuffle=False) for rank in range(3)]
    found = [seen(DataLoader(DATA, 2, sampler=share)) for share in shares]
    assert sum(len(share) for share in shares) == 9
    assert sorted(each for share in found for each in share) == list(range(7))


def test_it_is_given_up_between_batches() -> None:
    answers = iter([False, True])
    batches = judged_batches(DataLoader(DATA, 3), lambda: next(answers))
    assert len(next(batches)[1]) == 3
    with pytest.raises(EvaluationStoppedError):
        next(batches)


def test_the_number_evaluated_is_that_of_the_data() -> None:
    loader = DataLoader(DATA, 3)
    assert checked_count(loader, 7, world_size=2) == (7, "")
    # Both of two ranks went through all.
    assert checked_count(loader, 14, world_size=2) == (7, "")
    with pytest.raises(DataError, match="the evaluation data are empty"):
        checked_count(loader, 0, world_size=1)
    with pytest.raises(DataError, match=r"6 samples were evaluated, the data set holds 7.*drop_last=False"):
        checked_count(DataLoader(DATA, 3, drop_last=True), 6, world_size=1)
