"""Which samples, in which order, on which rank: pure functions of (seed, epoch).

It knows lengths and numbers; it must not know images, workers or tensors of pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

from ding_cls.common.seed import Stream
from ding_cls.data.sampling.epoch_order import EpochOrder, Shuffled, shuffled
from ding_cls.errors import DataError
from ding_cls.types import SampleKey, Share, Sized


class DistributedSampler(Sampler[int]):
    """A rank's share of a dataset, for any torch DataLoader.

    Each ``iter()`` takes the order of the next epoch, so a loop that never calls `set_epoch` still sees a new
    order every time. After ``set_epoch(e)`` every ``iter()`` takes the order of ``e`` until the next call.

    Args:
        dataset: its length counts, nothing else.
        world_size: number of ranks; the process group's where None.
        rank: this process; the process group's where None.
        round_up: repeat samples from the front until all ranks have equally many. False: each sample once.
        seed: of the order; the same on all ranks.
        shuffle: False keeps the dataset's order.

    Raises:
        DataError: ``rank`` is outside ``[0, world_size)``.
    """

    def __init__(
        self,
        dataset: Sized,
        world_size: int | None = None,
        rank: int | None = None,
        round_up: bool = True,
        *,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        # The process group is asked only where the caller left it open: a single process never needs it.
        from ding_cls.distributed.comm import get_rank, get_world_size

        self.dataset = dataset
        self.world_size = get_world_size() if world_size is None else world_size
        self.rank = get_rank() if rank is None else rank
        self.round_up = round_up
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self._is_pinned = False
        _check_rank(self.rank, self.world_size)

    def __len__(self) -> int:
        """Return how many numbers one ``iter()`` yields on this rank."""
        return -(-len(self.dataset) // self.world_size) if self.round_up else self.num_valid

    @property
    def num_valid(self) -> int:
        """How many of this rank's samples are no repeats: they are its first ones."""
        return len(range(self.rank, len(self.dataset), self.world_size))

    def set_epoch(self, epoch: int) -> None:
        """Take the order of ``epoch`` from the next ``iter()`` on, until told otherwise."""
        self.epoch = epoch
        self._is_pinned = True

    def __iter__(self) -> Iterator[int]:
        length = len(self.dataset)
        order = (
            shuffled(length, Stream.SAMPLER, self.seed, self.epoch) if self.shuffle else list(range(length))
        )
        if not self._is_pinned:
            self.epoch += 1
        positions = range(self.rank, self.rank + len(self) * self.world_size, self.world_size)
        return iter([order[position % length] for position in positions])


class EpochBatches(Sampler[list[SampleKey]]):
    """The training batches of one rank: every epoch a new order, every rank a slice of each global batch.

    The global batch is ``batch_size * world_size`` samples at most. An epoch has as few of them as hold all
    its samples; they differ in size by one at most, and so do the ranks' shares of each. A rank whose share
    is empty, which only ``batch_size=1`` can bring about, shows a sample of the others that counts for
    nothing.

    Args:
        length: number of samples in the dataset.
        batch_size: samples per rank and batch, at most.
        seed: of the order; the same on all ranks.
        rank: this process.
        world_size: number of processes.
        order: which samples an epoch shows; each once, shuffled, where None. What it repeats is augmented
            anew.
        drop_last: all global batches are whole, and what is left of an epoch is dropped; a dataset smaller
            than one gives one batch of what all ranks can have equally many of.

    Attributes:
        length: samples of the order.
        batch_size: most samples of a rank in any batch.
        global_batch_size: what a batch of all ranks holds at most; less than asked for where the dataset is
            smaller.
        drop_last: as given.
        num_left_out: samples of the order that an epoch does not show.
        sizes: fewest and most samples of a global batch.
        fewest: fewest samples in a batch of any rank.

    Raises:
        DataError: fewer samples than ranks, or a number outside its range.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        order: EpochOrder | None = None,
        drop_last: bool = False,
    ) -> None:
        _check_rank(rank, world_size)
        _check_batch_size(batch_size)
        self._order = Shuffled(length) if order is None else order
        self.length = length = len(self._order)
        if length < world_size:
            raise DataError(f"{length} training samples are fewer than {world_size} processes; start fewer")
        if drop_last:
            self.global_batch_size = min(batch_size, length // world_size) * world_size
            self._count = max(1, length // (batch_size * world_size))
            self._num_shown = self._count * self.global_batch_size
        else:
            self.global_batch_size = min(batch_size * world_size, length)
            self._count = -(-length // self.global_batch_size)
            self._num_shown = length
        self.drop_last = drop_last
        self.num_left_out = length - self._num_shown
        self.sizes = (self._num_shown // self._count, -(-self._num_shown // self._count))
        self.batch_size = -(-self.sizes[1] // world_size)
        self.fewest = max(1, self.sizes[0] // world_size)
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._position = (0, 0)

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return self._count

    @property
    def first_batch(self) -> int:
        """Number of the batch that the next ``iter()`` begins with."""
        return self._position[1]

    def set_position(self, epoch: int, first_batch: int) -> None:
        """Let the next ``iter()`` begin at ``first_batch`` of ``epoch``; later ones go on from there."""
        self._position = (epoch, first_batch)

    def share(self, number: int) -> Share | None:
        """Return this rank's part of a global batch; None where all ranks' parts are equal."""
        begin, end = _span(self._num_shown, self._count, number)
        if (end - begin) % self._world_size == 0:
            return None
        own = _span(end - begin, self._world_size, self._rank)
        return Share(own[1] - own[0], end - begin, self._world_size)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        # A generator, so the position is taken with the first batch: torch's DataLoader calls iter() twice
        # when its workers start, and reads from the second alone.
        epoch, first_batch = self._position
        self._position = (epoch + 1, 0)
        order = self._order.indices(self._seed, epoch)
        repeats = _repeats(order)
        for number in range(first_batch, len(self)):
            start, stop = _span(self._num_shown, self._count, number)
            begin, end = _span(stop - start, self._world_size, self._rank)
            # Without a sample of its own a rank would be missing where all ranks meet.
            places = range(start + begin, start + end) or range(start, start + 1)
            yield [SampleKey(epoch, order[place], repeats.get(place, 0)) for place in places]


class EvalBatches(Sampler[list[SampleKey]]):
    """The evaluation batches of one rank: cut in data order, dealt out whole, each sample exactly once.

    A batch has the same members at every world size, so what is computed on it has the same digits. Nothing
    is padded and nothing dropped; a rank can have no batches.

    Args:
        length: number of samples in the dataset.
        batch_size: samples per batch; the last one may be shorter.
        rank: this process.
        world_size: number of processes.

    Attributes:
        first_batch: number of this rank's first batch among all batches.

    Raises:
        DataError: a number outside its range.
    """

    def __init__(self, length: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        _check_rank(rank, world_size)
        _check_batch_size(batch_size)
        num_batches = -(-length // batch_size)
        self.length = length
        self.batch_size = batch_size
        self.first_batch = num_batches * rank // world_size
        self._end_batch = num_batches * (rank + 1) // world_size

    def __len__(self) -> int:
        """Return the number of this rank's batches."""
        return self._end_batch - self.first_batch

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for number in range(self.first_batch, self._end_batch):
            start = number * self.batch_size
            yield [SampleKey(0, index) for index in range(start, min(start + self.batch_size, self.length))]


def _span(length: int, parts: int, number: int) -> tuple[int, int]:
    """Return where a part begins and ends of a length cut into parts that differ by one at most, larger ones
    first."""
    size, num_larger = divmod(length, parts)
    begin = number * size + min(number, num_larger)
    return begin, begin + size + (number < num_larger)


def _repeats(order: Sequence[int]) -> dict[int, int]:
    """Return, for each place where a sample comes again, how often it came before."""
    if len(set(order)) == len(order):
        return {}
    seen: Counter[int] = Counter()
    repeats = {}
    for place, index in enumerate(order):
        if seen[index]:
            repeats[place] = seen[index]
        seen[index] += 1
    return repeats


def _check_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise DataError(f"rank={rank} must be at least 0 and below world_size={world_size}")


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise DataError(f"batch_size={batch_size} must be at least 1")
