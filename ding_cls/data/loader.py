"""Batches from a dataset: worker processes, one seed for each sample, errors in one line.

What is yielded depends on the dataset, the seed and the position alone, not on the number of workers. It
must not know what is done with a batch.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data.datasets.wrappers import draws_from_torch_only
from ding_cls.data.labels import as_target, weights_of
from ding_cls.data.sampling.epoch_order import build_order
from ding_cls.data.sampling.samplers import EpochBatches, EvalBatches
from ding_cls.data.worker_loss import ReadTrace, prepare_to_fall, sample_name, watched
from ding_cls.errors import DataError
from ding_cls.types import Batch, SampleKey

_Target = int | torch.Tensor
_Sample = tuple[torch.Tensor, _Target, int]
# Seconds after which a worker notices that the main process is gone.
_LOOK_S = 2.0


class TrainLoader:
    """Training batches, epoch after epoch; made by `build_train_loader`.

    Attributes:
        dataset: what it reads.
        batch_size: most samples of a process in any batch.
        global_batch_size: what a batch of all processes holds at most.
        sizes: fewest and most samples of a batch over all processes.
        fewest: fewest samples in a batch of any process.
        drop_last: as given.
        num_left_out: samples that each epoch leaves out, always others; 0 without ``drop_last``.
    """

    def __init__(self, dataset: Any, batches: EpochBatches, *, seed: int, num_workers: int) -> None:
        self.dataset = dataset
        self.batch_size = batches.batch_size
        self.global_batch_size = batches.global_batch_size
        self.sizes = batches.sizes
        self.fewest = batches.fewest
        self.drop_last = batches.drop_last
        self.num_left_out = batches.num_left_out
        self._batches = batches
        self._loader = _torch_loader(
            dataset, batches, seed=seed, num_workers=num_workers, weights=weights_of(dataset)
        )

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        """Return the batches of the next epoch, from the position that was set.

        Raises:
            DataError: an image cannot be read, or images of one batch differ in shape.
            WorkerError: a reading process was killed.
        """
        first_batch = self._batches.first_batch
        for number, batch in enumerate(_unwrapped(self._loader), first_batch):
            share = self._batches.share(number)
            yield batch if share is None else replace(batch, share=share)

    def keys(self) -> Iterator[list[SampleKey]]:
        """Return which samples the batches of the next epoch hold, in place of reading them."""
        return iter(self._batches)

    def close(self) -> None:
        """End the reading processes now; without it they end when the loader is garbage."""
        _end_workers(self._loader)

    def set_position(self, epoch: int, first_batch: int) -> None:
        """Let the next ``iter()`` begin at ``first_batch`` of ``epoch``; later ones go on from there."""
        self._batches.set_position(epoch, first_batch)


class EvalLoader:
    """The evaluation batches of one process, in data order; made by `build_eval_loader`.

    Attributes:
        dataset: what it reads.
        batch_size: samples per batch.
        first_batch: number of this process's first batch among all batches.
    """

    def __init__(self, dataset: Any, batches: EvalBatches, *, num_workers: int) -> None:
        self.dataset = dataset
        self.batch_size = batches.batch_size
        self.first_batch = batches.first_batch
        self._batches = batches
        self._loader = _torch_loader(dataset, batches, seed=0, num_workers=num_workers)

    def __len__(self) -> int:
        """Return the number of this process's batches."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        """Return this process's batches.

        Raises:
            DataError: an image cannot be read, or images of one batch differ in shape.
            WorkerError: a reading process was killed.
        """
        return _unwrapped(self._loader)

    def close(self) -> None:
        """End the reading processes now; without it they end when the loader is garbage."""
        _end_workers(self._loader)


def build_train_loader(
    dataset: Any,
    batch_size: int,
    *,
    seed: int,
    num_workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    sampler: Mapping[str, Any] | None = None,
    drop_last: bool = False,
) -> TrainLoader:
    """Return a loader whose order and augmentation are functions of ``seed`` and position.

    An epoch shows every sample, in batches that differ in size by one at most. Where the dataset has
    ``sample_weights`` that are not all equal, its batches have ``weights``.

    Args:
        dataset: a `ImageDataset`, or any torch map-style dataset of (float ``(3, H, W)``, target).
        batch_size: samples per process and batch, at most.
        seed: the run's; the same on all ranks.
        num_workers: processes that read ahead; 0 reads in this one.
        rank: this process.
        world_size: number of processes.
        sampler: ``dict(type='Name', ...)`` of `SAMPLERS`; each sample once an epoch where None.
        drop_last: whole batches alone; what is left of an epoch is left out.

    Raises:
        ConfigError: there is no such sampler.
        DataError: fewer samples than processes, a number outside its range, or weights that are no weights.
    """
    batches = EpochBatches(
        len(dataset),
        batch_size,
        seed=seed,
        rank=rank,
        world_size=world_size,
        order=build_order(sampler, dataset),
        drop_last=drop_last,
    )
    return TrainLoader(dataset, batches, seed=seed, num_workers=num_workers)


def build_eval_loader(
    dataset: Any, batch_size: int, *, num_workers: int = 0, rank: int = 0, world_size: int = 1
) -> EvalLoader:
    """Return a loader that shows each sample once, to exactly one process.

    Args:
        dataset: as in `build_train_loader`.
        batch_size: samples per batch.
        num_workers: processes that read ahead; 0 reads in this one.
        rank: this process.
        world_size: number of processes.

    Raises:
        DataError: a number outside its range.
    """
    batches = EvalBatches(len(dataset), batch_size, rank=rank, world_size=world_size)
    return EvalLoader(dataset, batches, num_workers=num_workers)


def load_sample(dataset: Any, key: SampleKey, *, seed: int, restore: bool = True) -> tuple[Any, Any]:
    """Return (image, target) of a sample as a loader reads it: what its transforms draw is that position's.

    Args:
        dataset: as in `build_train_loader`.
        key: epoch, index, and how often the epoch has shown the sample before.
        seed: the loader's; 0 in evaluation.
        restore: put the generators' states back.
    """
    epoch, index, repeat = key
    again = (repeat,) if repeat else ()
    draws = derive_seed(Stream.AUGMENT, seed, epoch, index, *again)
    with sample_randomness(draws, torch_only=draws_from_torch_only(dataset), restore=restore):
        image, target = getattr(dataset, "load", dataset.__getitem__)(index)
    return image, target


@dataclass(frozen=True, slots=True)
class _Failure:
    """A DataError on its way from a worker to the main process, which raises it there.

    torch would wrap the exception itself in a traceback of forty lines.
    """

    message: str
    kind: type[DataError] = DataError


class _KeyedView(Dataset["_Sample | _Failure"]):
    """A dataset addressed by (epoch, index): the key decides what its random transforms draw."""

    def __init__(self, dataset: Any, seed: int, trace: ReadTrace) -> None:
        self.trace = trace
        self.dataset = dataset
        self._seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: SampleKey) -> _Sample | _Failure:
        index = key.sample_id
        self.trace.note(index)
        try:
            image, target = load_sample(self.dataset, key, seed=self._seed, restore=get_worker_info() is None)
        except DataError as error:
            return _Failure(str(error), type(error))
        if not isinstance(image, torch.Tensor):
            return _Failure(
                f"sample {index} of the data set is a {type(image).__name__}; it must be a torch.Tensor"
            )
        return image, target if isinstance(target, torch.Tensor) else as_target(target), index


class _Collate:
    """Stacks samples, and looks up their weights.

    Args:
        weights: float32, of every sample of the dataset; None: all alike.
    """

    def __init__(self, weights: torch.Tensor | None) -> None:
        self._weights = weights

    def __call__(self, samples: Sequence[_Sample | _Failure]) -> Batch | _Failure:
        good: list[_Sample] = []
        for sample in samples:
            if isinstance(sample, _Failure):
                return sample
            good.append(sample)
        images, targets, sample_ids = zip(*good, strict=True)
        failure = _shape_failure(images, sample_ids)
        if failure is not None:
            return failure
        stacked = _stacked(targets, sample_ids)
        if isinstance(stacked, _Failure):
            return stacked
        ids = torch.tensor(sample_ids, dtype=torch.int64)
        weights = None if self._weights is None else self._weights[ids]
        return Batch(images=torch.stack(images), targets=stacked, sample_ids=ids, weights=weights)


def _stacked(targets: Sequence[_Target], sample_ids: Sequence[int]) -> torch.Tensor | _Failure:
    """Return class numbers as int64 ``(N,)``, of K tasks ``(N, K)``, and floats as float32 ``(N, C)``."""
    tensors = [torch.as_tensor(each) for each in targets]
    for tensor, sample_id in zip(tensors, sample_ids, strict=True):
        if tensor.shape != tensors[0].shape or tensor.dim() > 1:
            return _Failure(
                f"samples {sample_ids[0]} and {sample_id} have targets of the shapes "
                f"{tuple(tensors[0].shape)} and {tuple(tensor.shape)}; a target is a class number, "
                "(tasks,) or (classes,), the same for all"
            )
    stacked = torch.stack(tensors)
    is_float = stacked.is_floating_point() or stacked.dtype == torch.bool
    return stacked.float() if is_float and stacked.dim() == 2 else stacked.long()


def _shape_failure(images: Sequence[torch.Tensor], sample_ids: Sequence[int]) -> _Failure | None:
    first = images[0]
    for image, sample_id in zip(images, sample_ids, strict=True):
        if image.shape != first.shape:
            return _Failure(
                f"samples {sample_ids[0]} and {sample_id} have the shapes {tuple(first.shape)} and "
                f"{tuple(image.shape)}; a batch needs one shape: end the transform with a resize or a crop"
            )
    if first.dtype == torch.uint8 and (first.dim() != 3 or first.shape[-1] != 3):
        return _Failure(
            f"sample {sample_ids[0]} is uint8 of shape {tuple(first.shape)}; uint8 means (H, W, 3), "
            f"and channels first must be normalised floats"
        )
    return None


def _unwrapped(loader: DataLoader[_Sample | _Failure]) -> Iterator[Batch]:
    view: Any = loader.dataset
    for batch in watched(loader, view.trace, lambda index: sample_name(view.dataset, index)):
        if isinstance(batch, _Failure):
            raise batch.kind(batch.message)
        yield batch


def _torch_loader(
    dataset: Any,
    batches: Sampler[list[SampleKey]],
    *,
    seed: int,
    num_workers: int,
    weights: torch.Tensor | None = None,
) -> DataLoader[_Sample | _Failure]:
    return DataLoader(
        _KeyedView(dataset, seed, ReadTrace(num_workers)),
        batch_sampler=batches,
        collate_fn=_Collate(weights),
        pin_memory=torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
        **worker_options(num_workers),
    )


def worker_options(num_workers: int) -> dict[str, Any]:
    """Return the arguments with which torch's DataLoader reads in ``num_workers`` processes as ours do."""
    has_workers = num_workers > 0
    return {
        "num_workers": num_workers,
        "worker_init_fn": begin_worker if has_workers else None,
        # forkserver takes seven seconds to start where fork takes under one.
        "multiprocessing_context": "fork" if has_workers and sys.platform == "linux" else None,
        # torch draws a base seed per epoch; from its default generator that would shift the run's own draws.
        "generator": torch.Generator(),
    }


def _end_workers(loader: DataLoader[Any]) -> None:
    # DataLoader has no close(), and the traceback of a loop left by an exception keeps its iterator alive.
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None


def keep_workers_through_signals(loader: Any) -> None:
    """Let the reading processes of a DataLoader of torch outlive a signal, as ours do."""
    if not isinstance(loader, DataLoader) or loader.num_workers == 0:
        return
    begin = loader.worker_init_fn
    if begin is not begin_worker and not isinstance(begin, _Beginning):
        loader.worker_init_fn = _Beginning(begin)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a worker does first: ours, and what the user asked for."""

    user: Any

    def __call__(self, worker_id: int) -> None:
        _leave_signals_to_main(worker_id)
        if self.user is not None:
            self.user(worker_id)


def begin_worker(worker_id: int) -> None:
    """Leave signals, and the word at its end, to the main process: what each reading process does first."""
    prepare_to_fall()
    _leave_signals_to_main(worker_id)


def _leave_signals_to_main(worker_id: int) -> None:
    """Let a worker outlive a signal sent to the whole job, such as a Ctrl-C: the main process decides.

    A SIGTERM from the main process itself ends a worker at exit, so that one still counts; only Linux tells
    who sent a signal.
    """
    for name in ("SIGINT", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_main, daemon=True).start()


def _end_with_main() -> None:
    """End this worker by the main process's SIGTERM, or soon after that process is gone.

    torch's own watchdog takes for the main process whoever is the parent when it begins: where that one was
    killed before, nothing would ever end the worker.
    """
    main = multiprocessing.parent_process()
    while main is not None:
        sent = signal.sigtimedwait({signal.SIGTERM}, _LOOK_S)
        if sent.si_pid == main.pid if sent is not None else not main.is_alive():
            os._exit(0)
