"""Records and roles that several rooms share. It imports nothing but torch, and that only for type
checkers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch


# Before the names of results of the weights in training, where an average of them is evaluated too.
RAW = "raw_"


class SampleKey(NamedTuple):
    """Which sample, in which epoch: the whole randomness of its augmentation follows from it and the seed.

    Attributes:
        epoch: from 0.
        sample_id: position in the data set.
        repeat: how often the epoch has shown the sample before.
    """

    epoch: int
    sample_id: int
    repeat: int = 0


class Share(NamedTuple):
    """A process's part of a global batch that the processes cannot share equally.

    Attributes:
        own: samples of this process; 0: the sample that it has stands in for none, and counts for nothing.
        whole: samples of all processes.
        processes: their number.
    """

    own: int
    whole: int
    processes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What our loader yields.

    Attributes:
        images: uint8 ``(N, H, W, 3)`` pixels as decoded and cropped; or float ``(N, 3, H, W)`` that a user's
            own transform has normalised already.
        targets: int64 ``(N,)`` class numbers; float32 ``(N, C)``, one for each class (several labels, soft
            targets); or int64 ``(N, K)`` class numbers of several tasks.
        sample_ids: int64 ``(N,)`` positions in the dataset.
        weights: float32 ``(N,)`` share of each sample in the loss; None: equal shares.
        share: this process's part of the global batch; None: as large as every other's.
    """

    images: torch.Tensor
    targets: torch.Tensor
    sample_ids: torch.Tensor
    weights: torch.Tensor | None = None
    share: Share | None = None

    def __len__(self) -> int:
        return self.targets.shape[0]

    @property
    def scale(self) -> float:
        """What a mean over these samples is multiplied by, so that the mean of that over the processes is the
        mean over the global batch."""
        return 1.0 if self.share is None else self.share.own * self.share.processes / self.share.whole

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``; copies from pinned memory do not wait. ``sample_ids`` stay."""
        if self.images.device == device == self.targets.device and self.weights is None:
            return self
        images = self.images.to(device, non_blocking=True)
        targets = self.targets.to(device, non_blocking=True)
        weights = None if self.weights is None else self.weights.to(device, non_blocking=True)
        return Batch(images, targets, self.sample_ids, weights, self.share)

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory; torch's DataLoader calls this."""
        return self._map(lambda tensor: tensor.pin_memory())

    def split(self, parts: int) -> list[Batch]:
        """Return the batch as at most ``parts`` consecutive pieces that differ in length by one at most.

        Every process gets as many: those of unequal shares as many as the smallest share has samples.
        """
        if self.share is not None:
            parts = min(parts, max(1, self.share.whole // self.share.processes))
        size, extra = divmod(len(self), parts)
        ends = [0]
        for part in range(parts):
            ends.append(ends[-1] + size + (part < extra))
        return [self.part(begin, end) for begin, end in pairwise(ends) if end > begin]

    def part(self, begin: int, end: int) -> Batch:
        """Return the samples at positions ``begin`` to ``end - 1``."""
        return self._map(lambda tensor: tensor[begin:end])

    def with_images(self, images: torch.Tensor) -> Batch:
        """Return the same samples with other pixels."""
        return replace(self, images=images)

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        weights = None if self.weights is None else change(self.weights)
        ids = change(self.sample_ids)
        return Batch(change(self.images), change(self.targets), ids, weights, self.share)


@runtime_checkable
class Stateful(Protocol):
    """Whatever changes during training, and therefore has its place in the checkpoint."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Sized(Protocol):
    """A data set with a known length."""

    def __len__(self) -> int: ...


class PositionedLoader(Protocol):
    """A loader that can be told where to begin; ``BaseLearner.start`` asks for nothing more."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def set_position(self, epoch: int, first_batch: int) -> None: ...


class ImageDataset(Protocol):
    """What our loader wants of a data set: pixels before normalisation, and the names of the classes."""

    classes: Sequence[str]

    def __len__(self) -> int: ...

    def load(self, index: int) -> tuple[torch.Tensor, int | torch.Tensor]: ...


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a run the next update stands; a schedule is a pure function of it.

    Attributes:
        train_iter: finished updates.
        updates_per_epoch: updates in one epoch.
        max_epochs: epochs in all.
        max_iters: updates in all, where the run ends inside an epoch; None: whole epochs.

    Raises:
        ValueError: a number is negative, or ``updates_per_epoch`` is 0.
    """

    train_iter: int
    updates_per_epoch: int
    max_epochs: int
    max_iters: int | None = None

    def __post_init__(self) -> None:
        if self.train_iter < 0 or self.updates_per_epoch < 1 or self.max_epochs < 0:
            raise ValueError(f"{self}: numbers start at 0, and updates_per_epoch at 1")

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.train_iter // self.updates_per_epoch

    @property
    def max_iter(self) -> int:
        """Updates in the whole run."""
        return self.max_epochs * self.updates_per_epoch if self.max_iters is None else self.max_iters


class Schedule(Protocol):
    """A learning-rate schedule: the learning rate of the update at a position, for a base learning rate.

    It remembers nothing, so that a resumed run goes on with the same rates.
    """

    def __call__(self, base_lr: float, position: Position) -> float: ...


class Transform(Protocol):
    """One step of a pipeline.

    ``results`` holds what is known of a sample: ``img`` (uint8 ``(H, W, 3)`` RGB array until ``Normalize``,
    float after), ``gt_label``, ``img_info``, ``img_prefix``, ``filename``. It returns the same dict, changed.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None: ...


class Loss(Protocol):
    """A loss of a batch: a scalar, or one value for each sample with ``reduction_override='none'``."""

    def __call__(
        self,
        pred: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> torch.Tensor: ...


class Backbone(Protocol):
    """A network without its classifier: images ``(N, 3, H, W)`` to a tuple of maps, shallow to deep."""

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]: ...


class Neck(Protocol):
    """What stands between backbone and head: a tuple of maps to a tuple of ``(N, D)`` vectors."""

    def __call__(self, features: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]: ...


class Head(Protocol):
    """What turns a neck's vectors into logits ``(N, C)``, and names the losses of these."""

    def __call__(self, features: tuple[torch.Tensor, ...]) -> torch.Tensor: ...

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> Mapping[str, torch.Tensor]: ...


class OptimizerConstructor(Protocol):
    """Makes an optimizer for a network: groups its parameters, then builds what the config names."""

    def __call__(self, model: torch.nn.Module) -> torch.optim.Optimizer: ...
