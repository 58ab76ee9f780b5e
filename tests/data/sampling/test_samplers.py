from collections import Counter
from itertools import chain

import pytest
import torch

from ding_cls.data.sampling.samplers import DistributedSampler, EpochBatches, EvalBatches
from ding_cls.errors import DataError

WORLDS = (1, 2, 3, 4)


def flat(lists):
    return list(chain.from_iterable(lists))


def share(length, world_size, **options):
    return [DistributedSampler(range(length), world_size, rank, **options) for rank in range(world_size)]


@pytest.mark.parametrize("world_size", WORLDS)
@pytest.mark.parametrize("length", [1, 2, 3, 10, 97, 101])
def test_shares_without_rounding_hold_each_sample_once(length, world_size):
    shares = [list(sampler) for sampler in share(length, world_size, round_up=False)]
    assert sorted(flat(shares)) == list(range(length))
    assert list(map(len, shares)) == list(map(len, share(length, world_size, round_up=False)))


@pytest.mark.parametrize("world_size", WORLDS)
@pytest.mark.parametrize("length", [1, 2, 3, 10, 97, 101])
def test_rounded_shares_are_equal_and_their_valid_parts_hold_each_sample_once(length, world_size):
    samplers = share(length, world_size)
    shares = [list(sampler) for sampler in samplers]
    assert {len(each) for each in shares} == {len(samplers[0])} == {-(-length // world_size)}
    valid = [each[: sampler.num_valid] for each, sampler in zip(shares, samplers, strict=True)]
    assert sorted(flat(valid)) == list(range(length))
    assert set(flat(shares)) == set(range(length))


def test_a_share_is_every_nth_of_one_permutation():
    whole = list(DistributedSampler(range(10), 1, 0, seed=4))
    shares = [list(sampler) for sampler in share(10, 3, seed=4)]
    assert shares == [whole[0::3], whole[1::3] + whole[0:1], whole[2::3] + whole[1:2]]


def test_the_order_changes_by_itself_until_an_epoch_is_set():
    sampler = DistributedSampler(range(50), 1, 0)
    orders = [list(sampler) for _ in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    sampler.set_epoch(1)
    assert [list(sampler), list(sampler)] == [orders[1], orders[1]]
    sampler.set_epoch(2)
    assert list(sampler) == orders[2]
    assert list(DistributedSampler(range(50), 1, 0, seed=1)) != orders[0]


def test_without_shuffling_the_order_is_the_data_sets():
    assert [list(sampler) for sampler in share(5, 2, shuffle=False)] == [[0, 2, 4], [1, 3, 0]]


def test_the_process_group_gives_rank_and_world_size_where_they_are_left_open():
    sampler = DistributedSampler(range(5))
    assert (sampler.rank, sampler.world_size) == (0, 1)


def test_orders_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    list(DistributedSampler(range(50), 1, 0))
    list(EpochBatches(50, 4, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("sampler", [DistributedSampler, EpochBatches, EvalBatches])
def test_a_rank_outside_the_world_is_an_error(sampler):
    options = {"seed": 0} if sampler is EpochBatches else {}
    dataset = range(4) if sampler is DistributedSampler else 4
    arguments = (dataset,) if sampler is DistributedSampler else (dataset, 2)
    with pytest.raises(DataError, match="rank=2 must be at least 0 and below world_size=2"):
        sampler(*arguments, rank=2, world_size=2, **options)


def ids(batches):
    return [[key.sample_id for key in batch] for batch in batches]


@pytest.mark.parametrize("world_size", WORLDS)
def test_a_global_batch_holds_the_same_samples_at_every_world_size(world_size):
    whole = ids(EpochBatches(101, 12, seed=7))
    ranks = [
        ids(EpochBatches(101, 12 // world_size, seed=7, rank=r, world_size=world_size))
        for r in range(world_size)
    ]
    joined = [flat(slices) for slices in zip(*ranks, strict=True)]
    assert joined == whole
    assert [len(batch) for batch in whole] == [12, 12, 11, 11, 11, 11, 11, 11, 11]


def test_an_epoch_shows_every_sample_once_in_batches_and_shares_of_nearly_equal_size():
    cases = 0
    for length in (*range(4, 30), 97, 101, 120):
        for batch_size in (1, 2, 3, 8, 32):
            for world_size in WORLDS:
                ranks = [
                    EpochBatches(length, batch_size, seed=1, rank=r, world_size=world_size)
                    for r in range(world_size)
                ]
                shares = [[each.share(number) for number in range(len(each))] for each in ranks]
                slices = list(zip(*map(ids, ranks), strict=True))
                whole = batch_size * world_size
                assert len(slices) == len(ranks[0]) == -(-length // whole)
                shown = [
                    [batch if share is None or share.own else [] for batch, share in zip(*pair, strict=True)]
                    for pair in zip(slices, zip(*shares, strict=True), strict=True)
                ]
                assert sorted(flat(flat(parts) for parts in shown)) == list(range(length))
                sizes = [len(flat(parts)) for parts in shown]
                assert max(sizes) - min(sizes) <= 1
                assert max(sizes) <= whole
                assert ranks[0].sizes == (min(sizes), max(sizes))
                counts = [[len(part) for part in parts] for parts in shown]
                assert all(max(each) - min(each) <= 1 for each in counts)
                assert max(map(max, counts)) == ranks[0].batch_size <= batch_size
                assert ranks[0].fewest == max(1, min(map(min, counts)))
                for number, (parts, size) in enumerate(zip(counts, sizes, strict=True)):
                    for rank, own in enumerate(parts):
                        is_equal = size % world_size == 0
                        expected = None if is_equal else (own, size, world_size)
                        assert shares[rank][number] == expected
                    # A rank without a sample of its own still has one to show.
                    assert all(slices[number])
                assert ranks[0].num_left_out == 0
                cases += 1
    assert cases == 29 * 5 * 4


@pytest.mark.parametrize("world_size", WORLDS)
@pytest.mark.parametrize("batches", [1, 2, 7])
def test_where_the_batch_divides_the_set_nothing_depends_on_drop_last(world_size, batches):
    length = batches * 3 * world_size
    for rank in range(world_size):
        options = {"seed": 2, "rank": rank, "world_size": world_size}
        near_equal, whole = (EpochBatches(length, 3, **options, drop_last=last) for last in (False, True))
        assert list(near_equal) == list(whole)
        assert len(near_equal) == len(whole) == batches
        assert {near_equal.share(number) for number in range(batches)} == {None}


def test_with_drop_last_an_epoch_shows_no_sample_twice_and_drops_less_than_a_batch():
    batches = EpochBatches(101, 12, seed=7, drop_last=True)
    seen = Counter(flat(ids(batches)))
    assert set(seen.values()) == {1}
    assert (len(seen), len(batches), batches.num_left_out) == (96, 8, 5)


def test_each_epoch_has_its_own_order_and_its_number_in_the_keys():
    batches = EpochBatches(40, 8, seed=0)
    first, second = list(batches), list(batches)
    assert {key.epoch for batch in first for key in batch} == {0}
    assert {key.epoch for batch in second for key in batch} == {1}
    assert ids(first) != ids(second)
    assert ids(EpochBatches(40, 8, seed=1)) != ids(first)


@pytest.mark.parametrize("drop_last", [False, True])
def test_every_position_continues_with_the_tail_of_its_epoch(drop_last):
    batches = EpochBatches(41, 8, seed=3, drop_last=drop_last)
    epochs = [list(batches) for _ in range(3)]
    for epoch in range(2):
        for first_batch in range(len(batches) + 1):
            batches.set_position(epoch, first_batch)
            assert list(batches) == epochs[epoch][first_batch:]
            assert list(batches) == epochs[epoch + 1]


@pytest.mark.parametrize(("length", "world_size", "per_rank"), [(5, 1, 5), (5, 2, 2), (3, 3, 1), (7, 3, 2)])
def test_with_drop_last_a_small_set_gives_one_batch_shared_equally(length, world_size, per_rank):
    ranks = [
        EpochBatches(length, 8, seed=0, rank=rank, world_size=world_size, drop_last=True)
        for rank in range(world_size)
    ]
    shares = [flat(ids(batches)) for batches in ranks]
    assert [len(each) for each in shares] == [per_rank] * world_size
    assert len(set(flat(shares))) == per_rank * world_size
    assert {(len(each), each.batch_size, each.global_batch_size) for each in ranks} == {
        (1, per_rank, per_rank * world_size)
    }


def test_fewer_samples_than_processes_is_an_error():
    with pytest.raises(DataError, match="2 training samples are fewer than 3 processes"):
        EpochBatches(2, 8, seed=0, rank=0, world_size=3)
    with pytest.raises(DataError, match="batch_size=0 must be at least 1"):
        EpochBatches(2, 0, seed=0)


def test_evaluation_batches_are_the_same_at_every_world_size_and_each_sample_comes_once():
    cases = 0
    for length in (0, 1, 2, 3, 5, 10, 97, 98, 99, 100, 101):
        for batch_size in (1, 3, 4, 7):
            whole = ids(EvalBatches(length, batch_size))
            assert flat(whole) == list(range(length))
            for world_size in WORLDS:
                ranks = [
                    EvalBatches(length, batch_size, rank=r, world_size=world_size) for r in range(world_size)
                ]
                assert flat(ids(each) for each in ranks) == whole
                for each in ranks:
                    assert len(each) == len(list(each))
                    assert ids(each) == whole[each.first_batch : each.first_batch + len(each)]
                assert max(map(len, ranks)) - min(map(len, ranks)) <= 1
                cases += 1
    assert cases == 11 * 4 * 4
