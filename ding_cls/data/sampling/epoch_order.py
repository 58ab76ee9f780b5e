"""Which samples an epoch of training shows, by name: pure functions of (seed, epoch), the same on all ranks.

An order knows the length of a dataset and its classes; it must not know batches, ranks or images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from ding_cls.common.seed import Stream, generator
from ding_cls.data.datasets.labels import categories
from ding_cls.errors import ConfigError, DataError
from ding_cls.registry import Registry

SAMPLERS: Registry[Callable[..., Any]] = Registry("sampler")
"""Orders of training samples: ours and the users' own. Each is built with ``dataset=`` and its arguments."""


class EpochOrder(Protocol):
    """Chooses the samples of an epoch; it remembers nothing."""

    def __len__(self) -> int: ...

    def indices(self, seed: int, epoch: int) -> Sequence[int]:
        """Return the samples in the order in which global batches are cut from them; ``len`` of them."""
        ...


class Shuffled:
    """Each sample once, in a new order every epoch.

    Args:
        length: number of samples in the dataset.
    """

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def indices(self, seed: int, epoch: int) -> list[int]:
        """Return a permutation."""
        return shuffled(self._length, Stream.ORDER, seed, epoch)


@SAMPLERS.register_module(name=["Default", "DistributedSampler"])
class DefaultOrder(Shuffled):
    """What a run does without a sampler: each sample once, in a new order every epoch.

    Args:
        dataset: the training set.
        shuffle: True; training always shuffles.

    Raises:
        ConfigError: ``shuffle`` is False.
    """

    def __init__(self, dataset: Any, shuffle: bool = True) -> None:
        _check_shuffle(shuffle)
        super().__init__(len(dataset))


@SAMPLERS.register_module(name=["RepeatAug", "RepeatAugSampler"])
class RepeatAug:
    """Each sample several times in a row, each time augmented anew: repeated augmentation.

    The copies of a sample fall into one global batch, or two, at every number of processes.

    Args:
        dataset: the training set.
        num_repeats: how often a sample comes.
        keep_length: an epoch stays as long as the dataset, and shows one sample in ``num_repeats``; False:
            it shows all, and is ``num_repeats`` times as long.
        selected_round: cut an epoch to a multiple of this number; 0: do not.
        shuffle: True; training always shuffles.

    Raises:
        ConfigError: ``shuffle`` is False.
        DataError: ``num_repeats`` is below 1, or ``selected_round`` below 0.

    Source: "Multigrain: a unified image embedding for classes and instances", Berman et al. 2019
        (arXiv:1902.05509); the shorter epoch: "Training data-efficient image transformers", Touvron et al.
        2020, section 6 (arXiv:2012.12877).
    """

    def __init__(
        self,
        dataset: Any,
        num_repeats: int = 3,
        keep_length: bool = True,
        selected_round: int = 0,
        shuffle: bool = True,
    ) -> None:
        _check_shuffle(shuffle)
        if num_repeats < 1 or selected_round < 0:
            raise DataError(
                f"RepeatAug: num_repeats={num_repeats} must be at least 1, and "
                f"selected_round={selected_round} at least 0"
            )
        self._num_samples = len(dataset)
        self._num_repeats = num_repeats
        length = self._num_samples * (1 if keep_length else num_repeats)
        is_rounded = 0 < selected_round <= length
        self._length = length // selected_round * selected_round if is_rounded else length

    def __len__(self) -> int:
        return self._length

    def indices(self, seed: int, epoch: int) -> list[int]:
        """Return the first of a permutation, each ``num_repeats`` times."""
        order = shuffled(self._num_samples, Stream.ORDER, seed, epoch)
        repeated = [index for index in order for _ in range(self._num_repeats)]
        return repeated[: self._length]


@SAMPLERS.register_module()
class ClassBalanced:
    """Samples drawn with replacement, so that each class is seen equally often, or nearer to that.

    A sample is drawn with a probability in proportion to n**-power, n being how many samples its class has;
    of several classes the rarest counts, and a sample without a class is drawn as one of the largest.

    Args:
        dataset: the training set.
        power: 1: all classes alike; 0.5: between; 0: all samples alike.
        num_samples: draws in an epoch; as many as the dataset has where None.
        shuffle: True; training always shuffles.

    Raises:
        ConfigError: ``shuffle`` is False.
        DataError: ``num_samples`` is below 1, ``power`` below 0, or the dataset does not say its classes.
    """

    def __init__(
        self, dataset: Any, power: float = 1.0, num_samples: int | None = None, shuffle: bool = True
    ) -> None:
        _check_shuffle(shuffle)
        self._length = len(dataset) if num_samples is None else num_samples
        if self._length < 1 or not (power >= 0 and math.isfinite(power)):
            raise DataError(
                f"ClassBalanced: num_samples={num_samples} must be at least 1, and power={power} at least 0"
            )
        classes = categories(dataset)
        counts = Counter(number for each in classes for number in set(each))
        largest = max(counts.values(), default=1)
        rarest = [min((counts[number] for number in each), default=largest) for each in classes]
        self._shares = torch.tensor(rarest, dtype=torch.float64).pow(-power)

    def __len__(self) -> int:
        return self._length

    def indices(self, seed: int, epoch: int) -> list[int]:
        """Return the draws of an epoch."""
        # Not torch.multinomial, which takes 2**24 samples at most.
        edges = self._shares.cumsum(0)
        points = torch.rand(self._length, dtype=torch.float64, generator=generator(Stream.ORDER, seed, epoch))
        drawn = torch.searchsorted(edges, points * edges[-1], right=True)
        indices: list[int] = drawn.clamp_(max=len(edges) - 1).tolist()
        return indices


def build_order(cfg: Mapping[str, Any] | None, dataset: Any) -> EpochOrder | None:
    """Return the order that ``dict(type='Name', ...)`` describes; None for None.

    Raises:
        ConfigError: the name or an argument does not exist.
        DataError: an argument lies outside its range, or the dataset does not say what the order asks for.
    """
    if cfg is None:
        return None
    order: EpochOrder = SAMPLERS.build(cfg, {"dataset": dataset})
    return order


def shuffled(length: int, *key: int) -> list[int]:
    """Return a permutation of ``range(length)``, a function of the key."""
    order: list[int] = torch.randperm(length, generator=generator(*key)).tolist()
    return order


def _check_shuffle(shuffle: bool) -> None:
    if not shuffle:
        raise ConfigError("shuffle=False is not supported in training: the order is new every epoch")
