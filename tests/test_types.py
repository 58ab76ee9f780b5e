"""The batch: cut, split and moved without losing, doubling or reordering a sample."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from ding_cls.types import Batch, SampleKey, Share, Stateful


def batch_of(num_samples: int, *, has_weights: bool = True) -> Batch:
    ids = torch.arange(num_samples)
    images = ids.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 2, 2, 3)
    return Batch(images, ids % 4, ids + 100, ids.float() if has_weights else None)


def is_equal(one: Batch, other: Batch) -> bool:
    pairs = [
        (one.images, other.images),
        (one.targets, other.targets),
        (one.sample_ids, other.sample_ids),
        (one.weights, other.weights),
    ]
    return all((a is b) if a is None or b is None else torch.equal(a, b) for a, b in pairs)


def test_its_length_is_the_number_of_samples() -> None:
    assert [len(batch_of(number)) for number in (0, 1, 7)] == [0, 1, 7]


def test_splitting_loses_doubles_and_moves_nothing() -> None:
    checked = 0
    for num_samples in range(20):
        for parts in range(1, 25):
            batch = batch_of(num_samples)
            pieces = batch.split(parts)
            assert len(pieces) == min(parts, num_samples)
            sizes = [len(piece) for piece in pieces]
            assert sum(sizes) == num_samples
            assert all(sizes)
            assert max(sizes, default=0) - min(sizes, default=0) <= 1
            begin = 0
            for piece in pieces:
                assert is_equal(piece, batch.part(begin, begin + len(piece)))
                begin += len(piece)
            checked += 1
    assert checked == 20 * 24


def test_a_part_cuts_every_field_alike() -> None:
    part = batch_of(9).part(2, 5)
    assert part.sample_ids.tolist() == [102, 103, 104]
    assert part.targets.tolist() == [2, 3, 0]
    assert part.images[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert part.weights is not None
    assert part.weights.tolist() == [2.0, 3.0, 4.0]


def test_a_batch_without_weights_stays_without() -> None:
    batch = batch_of(4, has_weights=False)
    assert batch.part(0, 2).weights is None
    assert batch.to(torch.device("meta")).weights is None
    assert all(piece.weights is None for piece in batch.split(2))


def test_what_a_device_computes_with_moves_as_a_whole() -> None:
    batch = batch_of(4)
    moved = batch.to(torch.device("meta"))
    assert moved.weights is not None
    tensors = (moved.images, moved.targets, moved.weights)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.sample_ids is batch.sample_ids, "the host alone asks for them"


def test_other_pixels_leave_the_rest() -> None:
    batch = batch_of(4)
    changed = batch.with_images(torch.zeros(4, 3, 2, 2))
    assert changed.images.shape == (4, 3, 2, 2)
    assert changed.targets is batch.targets
    assert changed.weights is batch.weights
    assert batch.images.shape == (4, 2, 2, 3)


def test_it_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch_of(1).targets = torch.zeros(1)  # type: ignore[misc]


def test_a_sample_key_is_a_tuple_and_orders_like_one() -> None:
    assert SampleKey(epoch=1, sample_id=5) == (1, 5, 0)
    assert sorted([SampleKey(1, 0), SampleKey(0, 9, 2)]) == [(0, 9, 2), (1, 0, 0)]


def test_stateful_is_recognised_by_its_two_methods() -> None:
    assert isinstance(torch.nn.Linear(1, 1), Stateful)
    assert not isinstance(batch_of(1), Stateful)


def test_importing_the_records_does_not_import_torch() -> None:
    code = "import sys, ding_cls.types, ding_cls.errors, ding_cls.registry; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_processes_of_unequal_shares_make_as_many_pieces() -> None:
    checked = 0
    for whole in range(1, 12):
        for processes in range(1, 5):
            for parts in range(1, 6):
                owns = [len(range(rank, whole, processes)) for rank in range(processes)]
                shares = [Share(own, whole, processes) for own in owns]
                batches = [
                    dataclasses.replace(batch_of(max(own, 1)), share=own_share)
                    for own, own_share in zip(owns, shares, strict=True)
                ]
                pieces = [batch.split(parts) for batch in batches]
                assert {len(each) for each in pieces} == {min(parts, max(1, whole // processes))}
                assert all(len(piece) for each in pieces for piece in each)
                assert [sum(map(len, each)) for each in pieces] == [len(batch) for batch in batches]
                assert all(
                    piece.share == batch.share
                    for batch, each in zip(batches, pieces, strict=True)
                    for piece in each
                )
                assert sum(batch.scale for batch in batches) == pytest.approx(processes)
                checked += 1
    assert checked == 11 * 4 * 5
    assert batch_of(3).scale == 1.0
