"""Batches and loaders of any make."""

import time
from typing import Any

import pytest
import torch

from ding_cls.errors import CheckpointError
from ding_cls.types import Batch, Share
from ding_cls.worker.learner.batches import batch_length, is_sorted_by_class, seek, timed
from tests.worker.learner.parts import Loader

IMAGES = torch.zeros(8, 3, 2, 2)


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (Batch(IMAGES, torch.zeros(8), torch.zeros(8)), 8),
        ([IMAGES, torch.zeros(8)], 8),
        ((IMAGES[:5], torch.zeros(5)), 5),
        (IMAGES[:3], 3),
        (object(), 1),
    ],
)
def test_length_of_a_batch(data: Any, length: int) -> None:
    assert batch_length(data) == length
    assert batch_length(data, world_size=3) == 3 * length


def test_a_share_says_how_many_all_processes_have() -> None:
    batch = Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2), torch.arange(2), share=Share(2, 5, 3))
    assert batch_length(batch, world_size=3) == 5


@pytest.mark.parametrize(
    ("targets", "is_sorted"),
    [
        (torch.arange(8), True),
        (torch.zeros(8, dtype=torch.int64), True),  # a class-sorted set begins with one class
        (torch.tensor([0, 0, 1, 1, 2, 2, 3, 2]), False),
        (torch.arange(8).flip(0), False),
        (torch.arange(7), False),  # too few to tell
        (torch.zeros(8, 4), False),
    ],
)
def test_sorted_batches_are_seen(targets: torch.Tensor, is_sorted: bool) -> None:
    assert is_sorted_by_class([IMAGES, targets]) is is_sorted
    # Our own loader always shuffles: its batches are not asked.
    assert is_sorted_by_class(Batch(IMAGES, targets, torch.zeros(8))) is False


def test_data_without_targets_are_not_sorted() -> None:
    assert is_sorted_by_class(IMAGES) is False
    assert is_sorted_by_class([IMAGES, ["a"] * 8]) is False


class WithSampler(list[int]):
    def __init__(self) -> None:
        super().__init__([1, 2])
        self.epochs: list[int] = []
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)


def test_seeking_uses_what_the_loader_has() -> None:
    ours, samplers, plain = Loader(), WithSampler(), [1]
    seek(ours, 2, 1)
    assert ours.positions == [(2, 1)]
    seek(samplers, 4, 0)
    assert samplers.epochs == [4]
    seek(plain, 7, 0)
    for loader, name in ((samplers, "WithSampler"), (plain, "list")):
        with pytest.raises(
            CheckpointError, match=f"at batch 1 of epoch 7, and a {name} can only begin an epoch"
        ):
            seek(loader, 7, 1)
    assert samplers.epochs == [4]


def test_waiting_and_training_are_timed_apart() -> None:
    class Engine:
        data_time = 0.0
        training_seconds = 0.0

    def slow() -> Any:
        for number in range(2):
            time.sleep(0.03)
            yield number

    engine, waits = Engine(), []
    for _ in timed(slow(), engine):  # type: ignore[arg-type]
        waits.append(engine.data_time)
        time.sleep(0.05)
    assert min(waits) >= 0.03
    assert engine.training_seconds >= 0.16
