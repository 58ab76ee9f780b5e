"""Each sample once, whatever loader yields the batches, and a recount that says so where it is not."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from ding_cls.data import DistributedSampler, build_eval_loader
from ding_cls.errors import ConfigError, DataError
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch
from ding_cls.worker.evaluation import batches as batches_module
from ding_cls.worker.evaluation.batches import (
    EvaluationStoppedError,
    checked_count,
    eval_batches,
    mean_loss,
)

DATA = TensorDataset(torch.arange(7.0), torch.arange(7))


def seen(loader: object) -> list[int]:
    return [int(each) for _, targets in eval_batches(loader, lambda: False) for each in targets]


def test_a_padding_samplers_repeats_are_left_out() -> None:
    shares = [DistributedSampler(DATA, rank=rank, world_size=3, shuffle=False) for rank in range(3)]
    found = [seen(DataLoader(DATA, 2, sampler=share)) for share in shares]
    assert sum(len(share) for share in shares) == 9
    assert sorted(each for share in found for each in share) == list(range(7))


def test_it_is_given_up_between_batches() -> None:
    answers = iter([False, True])
    batches = eval_batches(DataLoader(DATA, 3), lambda: next(answers))
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


class _Twice(torch.utils.data.Sampler[int]):
    """A sampler of one's own, whose length is what it says."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


def test_our_own_loader_leaves_none_out() -> None:
    loader = build_eval_loader(DATA, 3)
    assert checked_count(loader, 7, world_size=1) == (7, "")
    with pytest.raises(DataError, match=r"5 samples were evaluated, the data set holds 7; .* the whole set"):
        checked_count(loader, 5, world_size=1)


def test_samples_that_a_sampler_chose_and_nobody_evaluated_are_missed() -> None:
    loader = DataLoader(DATA, 3, sampler=_Twice(5))
    assert checked_count(loader, 5, world_size=1)[1].endswith("that of the samples its sampler chose")
    with pytest.raises(
        DataError, match=r"4 samples .* holds 7, of which its sampler chose 5; .* ends too early"
    ):
        checked_count(loader, 4, world_size=1)
    dropping = torch.utils.data.DistributedSampler(DATA, 1, 0, drop_last=True)
    with pytest.raises(DataError, match=r"its sampler has drop_last=True, use drop_last=False"):
        checked_count(DataLoader(DATA, 3, sampler=dropping), 6, world_size=1)


def test_ranks_with_datasets_of_different_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "gather_objects", lambda own: [own, (5, own[1])])
    with pytest.raises(
        DataError, match="the evaluation data of rank 1 hold 5 samples, those of rank 0 7; give"
    ):
        checked_count(build_eval_loader(DATA, 3, world_size=2), 6, world_size=2)


def policy_with(loss: object) -> EvalMode:
    attributes = {} if loss is None else {"eval_loss": loss}
    return EvalMode(
        forward=lambda batch: batch,
        reset=lambda: None,
        get_attribute=attributes.__getitem__,
        set_attribute=lambda name, value: None,
        state_dict=dict,
        load_state_dict=lambda state: None,
    )


def test_a_mean_loss_counts_each_sample_alike() -> None:
    counts: list[int] = []
    batches = [(torch.arange(3.0), torch.zeros(3)), (torch.tensor([9.0]), torch.zeros(1))]
    policy = policy_with(lambda batch: batch[0].mean())
    assert mean_loss(policy, batches, check=counts.append) == (0 + 1 + 2 + 9) / 4
    assert counts == [4]


def test_a_batch_of_our_loader_is_passed_on_whole() -> None:
    batch = Batch(torch.zeros(2, 3, 1, 1), torch.tensor([1, 0]), torch.arange(2))
    seen: list[object] = []
    policy = policy_with(lambda given: (seen.append(given), torch.tensor(2.5))[1])
    assert mean_loss(policy, [(batch, batch.targets)], check=lambda count: None) == 2.5
    assert seen == [batch]


def test_a_mean_loss_needs_a_policy_that_has_one_and_samples() -> None:
    with pytest.raises(ConfigError, match=r"loss_interval asks for the training loss.*'eval_loss'"):
        mean_loss(policy_with(None), [], check=lambda count: None)

    def refuse(count: int) -> None:
        raise DataError(f"{count} samples")

    with pytest.raises(DataError, match="0 samples"):
        mean_loss(policy_with(lambda batch: torch.tensor(0.0)), [], check=refuse)
