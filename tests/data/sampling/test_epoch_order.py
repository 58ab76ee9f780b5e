from collections import Counter
from itertools import chain

import pytest
import torch

from ding_cls.data import SyntheticDataset, build_train_loader
from ding_cls.data.sampling.epoch_order import SAMPLERS, ClassBalanced, RepeatAug, build_order
from ding_cls.data.sampling.samplers import EpochBatches
from ding_cls.errors import ConfigError, DataError


class Rare:
    """90 samples of class 0, 9 of class 1, one of class 2."""

    targets = [0] * 90 + [1] * 9 + [2]

    def __len__(self):
        return len(self.targets)


def keys(batches):
    return [[tuple(key) for key in batch] for batch in batches]


def test_an_epoch_shows_a_third_of_the_samples_three_times_each():
    order = RepeatAug(range(30), num_repeats=3)
    assert len(order) == 30
    assert Counter(order.indices(0, 0)).most_common() == [(index, 3) for index in order.indices(0, 0)[::3]]
    assert order.indices(0, 0) != order.indices(0, 1) != order.indices(1, 1)
    seen = set(chain.from_iterable(order.indices(0, epoch) for epoch in range(20)))
    assert seen == set(range(30))


def test_an_epoch_may_show_all_samples_three_times():
    order = RepeatAug(range(30), num_repeats=3, keep_length=False)
    assert len(order) == 90
    assert Counter(order.indices(4, 2)) == dict.fromkeys(range(30), 3)


def test_an_epoch_is_cut_to_a_multiple_as_in_timm():
    assert len(RepeatAug(range(1000), selected_round=256)) == 768
    assert len(RepeatAug(range(100), selected_round=256)) == 100


@pytest.mark.parametrize("kind", ["RepeatAug", "ClassBalanced"])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_same_global_batches_and_every_position_continues(kind, world_size):
    def batches(rank, ranks):
        order = build_order({"type": kind}, Rare())
        return EpochBatches(100, 12 // ranks, seed=7, rank=rank, world_size=ranks, order=order)

    whole = batches(0, 1)
    epochs = [keys(whole) for _ in range(2)]
    ranks = [keys(batches(rank, world_size)) for rank in range(world_size)]
    assert [list(chain.from_iterable(parts)) for parts in zip(*ranks, strict=True)] == epochs[0]
    for first_batch in range(len(whole) + 1):
        whole.set_position(1, first_batch)
        assert keys(whole) == epochs[1][first_batch:]


def test_repeats_are_numbered_and_augmented_each_in_its_own_way():
    class Noise(Rare):
        def __getitem__(self, index):
            return torch.rand(3, 2, 2), 0

    batches = EpochBatches(100, 12, seed=0, order=RepeatAug(Rare()))
    assert [key.repeat for key in next(iter(batches))] == [0, 1, 2] * 4
    loader = build_train_loader(Noise(), 12, seed=0, sampler={"type": "RepeatAug"})
    again = build_train_loader(Noise(), 12, seed=0, num_workers=2, sampler={"type": "RepeatAug"})
    once = build_train_loader(Noise(), 100, seed=0)
    everything = next(iter(once))
    by_index = dict(zip(everything.sample_ids.tolist(), everything.images, strict=True))
    for mine, theirs in zip(loader, again, strict=True):
        # A batch of 11 may begin and end with one or two of a sample's three.
        assert len(mine.sample_ids.unique()) in (4, 5)
        assert len(mine.images.flatten(1).unique(dim=0)) == len(mine) in (11, 12)
        assert torch.equal(mine.images, theirs.images)
        # The first showing is that of a run without repeats.
        first = 0 if len(mine) == 12 else int((mine.sample_ids[1:] != mine.sample_ids[:-1]).nonzero()[0]) + 1
        assert torch.equal(mine.images[first], by_index[int(mine.sample_ids[first])])
    again.close()


def test_classes_are_drawn_alike():
    order = ClassBalanced(Rare(), num_samples=3000)
    drawn = Counter(Rare.targets[index] for index in order.indices(0, 0))
    assert all(abs(drawn[name] - 1000) < 100 for name in range(3))
    assert order.indices(0, 0) == order.indices(0, 0) != order.indices(0, 1)
    assert len(ClassBalanced(Rare()).indices(0, 0)) == len(ClassBalanced(Rare())) == 100


def test_the_power_goes_from_samples_alike_to_classes_alike():
    even = Counter(Rare.targets[index] for index in ClassBalanced(Rare(), 0.0, 10000).indices(0, 0))
    assert even[0] == pytest.approx(9000, abs=150)
    half = Counter(Rare.targets[index] for index in ClassBalanced(Rare(), 0.5, 10000).indices(0, 0))
    total = 90**0.5 + 9**0.5 + 1
    assert half[0] == pytest.approx(10000 * 90**0.5 / total, abs=200)


def test_the_rarest_of_several_classes_counts():
    class Several:
        def get_cat_ids(self, index):
            return [[0], [0, 1], [0], []][index]

        def __len__(self):
            return 4

    drawn = Counter(ClassBalanced(Several(), num_samples=6000).indices(0, 0))
    # Shares 1/3, 1, 1/3, 1/3 of 2.
    assert drawn[1] == pytest.approx(3000, abs=150)
    assert drawn[3] == pytest.approx(1000, abs=120)


def test_mmclassifications_names_are_known():
    assert {"RepeatAugSampler", "DistributedSampler", "RepeatAug", "ClassBalanced"} <= set(SAMPLERS)
    default = build_order({"type": "DistributedSampler", "shuffle": True}, range(9))
    plain = EpochBatches(9, 3, seed=1)
    assert keys(EpochBatches(9, 3, seed=1, order=default)) == keys(plain)
    assert build_order(None, range(9)) is None


@pytest.mark.parametrize(
    ("sampler", "error", "reason"),
    [
        ({"type": "RepeatAug", "num_repeats": 0}, DataError, "num_repeats=0 must be at least 1"),
        ({"type": "ClassBalanced", "power": -1}, DataError, "power=-1 at least 0"),
        ({"type": "ClassBalanced", "num_samples": 0}, DataError, "num_samples=0 must be at least 1"),
        ({"type": "RepeatAug", "shuffle": False}, ConfigError, "shuffle=False is not supported"),
        ({"type": "RepeatAgu"}, ConfigError, "no sampler named 'RepeatAgu'; did you mean RepeatAug"),
    ],
)
def test_a_sampler_that_cannot_be_is_named(sampler, error, reason):
    with pytest.raises(error, match=reason):
        build_train_loader(SyntheticDataset(9, 3, 4), 3, seed=0, sampler=sampler)
