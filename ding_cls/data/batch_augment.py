"""Batch augmentations: images and targets of one batch mixed with each other, on their own device.

Chance comes from torch's default CPU generator, which the policy seeds for each update; nothing waits for the
device. It must not know networks or losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry
from ding_cls.types import Batch

# Counting in float32 leaves sums such as 0.1 + 0.2 + 0.7 a little above 1.
_ROUNDING = 1e-6
_MODES = ("nearest", "bilinear", "bicubic", "area")

Range = tuple[float, float]
Box = tuple[int, int, int, int]


class Mixture(NamedTuple):
    """Images of which each holds a part of another one.

    Attributes:
        images: float ``(N, C, H, W)``.
        partners: int64 ``(N,)``: which image of the batch each was mixed with.
        share: how much of each image is its own, in [0, 1].
    """

    images: Tensor
    partners: Tensor
    share: float


Mixer = Callable[[Tensor], Mixture]

BATCH_AUGMENTS: Registry[Callable[..., Mixer]] = Registry("batch augmentation")
"""What ``policy.learn.batch_augments`` names: a class whose instances turn images into a `Mixture`."""


@BATCH_AUGMENTS.register_module(name=["Mixup", "MixUp", "BatchMixup"])
class Mixup:
    """Every image becomes a weighted mean of itself and another.

    Args:
        alpha: of the Beta distribution that the share is drawn from.

    Raises:
        ConfigError: ``alpha`` is not above 0.

    Source: mixup: Beyond Empirical Risk Minimization, Zhang et al. 2017, section 2 (arXiv:1710.09412).
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _above_zero(alpha, "Mixup")

    def __call__(self, images: Tensor) -> Mixture:
        """Return the mixture of a batch ``(N, C, H, W)``."""
        share, partners = _beta(self.alpha), _partners(images)
        return Mixture(torch.lerp(images[partners], images, share), partners, share)


@BATCH_AUGMENTS.register_module(name=["CutMix", "BatchCutMix"])
class CutMix:
    """A box of every image is replaced by the same box of another.

    Args:
        alpha: of the Beta distribution that the share is drawn from, which stays of each image.
        cutmix_minmax: smallest and largest side of the box as a share of the image's; the box then lies
            wholly inside, and ``alpha`` has no effect.
        correct_lam: count the share by the box as it was cut: at the border it is smaller. Always so with
            ``cutmix_minmax``.

    Raises:
        ConfigError: values that mean nothing.

    Source: CutMix, Yun et al. 2019, section 3 (arXiv:1905.04899).
    """

    def __init__(
        self, alpha: float = 1.0, cutmix_minmax: Sequence[float] | None = None, correct_lam: bool = True
    ) -> None:
        self.alpha = _above_zero(alpha, "CutMix")
        self.sides = _sides(cutmix_minmax, "CutMix")
        self.correct_lam = bool(correct_lam)

    def __call__(self, images: Tensor) -> Mixture:
        """Return the mixture of a batch ``(N, C, H, W)``."""
        share, partners = _beta(self.alpha), _partners(images)
        (top, bottom, left, right), share = _box(images, share, self.sides, is_corrected=self.correct_lam)
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[partners, :, top:bottom, left:right]
        return Mixture(mixed, partners, share)


@BATCH_AUGMENTS.register_module(name=["ResizeMix", "BatchResizeMix"])
class ResizeMix:
    """Another image, made smaller, is laid over a box of every image.

    Args:
        alpha: of the Beta distribution that the share is drawn from; 1, every share is as likely.
        lam_min: smallest share that stays of each image.
        lam_max: largest.
        interpolation: 'nearest', 'bilinear', 'bicubic' or 'area', as torch's ``interpolate`` has them.
        cutmix_minmax: as in `CutMix`.
        correct_lam: as in `CutMix`.

    Raises:
        ConfigError: values that mean nothing.

    Source: ResizeMix: Mixing Data with Preserved Object Information and True Labels, Qin et al. 2020,
    section 3.2 (arXiv:2012.11101). As in mmclassification the share is drawn, not the side of the box.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        lam_min: float = 0.1,
        lam_max: float = 0.8,
        interpolation: str = "bilinear",
        cutmix_minmax: Sequence[float] | None = None,
        correct_lam: bool = True,
    ) -> None:
        self.alpha = _above_zero(alpha, "ResizeMix")
        self.sides = _sides(cutmix_minmax, "ResizeMix")
        self.correct_lam = bool(correct_lam)
        if not 0 <= lam_min <= lam_max <= 1:
            raise ConfigError(
                f"ResizeMix: lam_min={lam_min!r} and lam_max={lam_max!r} must lie in [0, 1], in this order"
            )
        if interpolation not in _MODES:
            raise ConfigError(f"ResizeMix: interpolation={interpolation!r} is none of {', '.join(_MODES)}")
        self.lam_min, self.lam_max, self.interpolation = float(lam_min), float(lam_max), interpolation

    def __call__(self, images: Tensor) -> Mixture:
        """Return the mixture of a batch ``(N, C, H, W)``."""
        share = self.lam_min + (self.lam_max - self.lam_min) * _beta(self.alpha)
        partners = _partners(images)
        (top, bottom, left, right), share = _box(images, share, self.sides, is_corrected=self.correct_lam)
        if top == bottom or left == right:
            # A share near 1 leaves a box without pixels, and nothing can be resized to that.
            return Mixture(images, partners, 1.0)
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = functional.interpolate(
            images[partners], size=(bottom - top, right - left), mode=self.interpolation
        )
        return Mixture(mixed, partners, share)


@BATCH_AUGMENTS.register_module(name=["Identity"])
class Identity:
    """Leaves the images alone."""

    def __call__(self, images: Tensor) -> Mixture:
        """Return the batch as a mixture of itself with itself."""
        return Mixture(images, torch.arange(len(images), device=images.device), 1.0)


class _Choice(NamedTuple):
    mixer: Mixer
    prob: float
    until_epoch: int | None


class BatchMixing:
    """One of several batch augmentations for each batch, by chance; targets become shares of the classes.

    Each is a ``dict(type='Mixup', ..., prob=0.5)`` of `BATCH_AUGMENTS`. Where none names ``prob`` all are
    as likely; what the probabilities leave below 1 leaves the images alone. Further keys of each:
    ``num_classes``, which must be the network's, and ``until_epoch``: from this epoch on (counted from 0; a
    negative number counts from the end, -10 spares the last ten) its share of the batches stays as it is.

    The targets are float in every batch, mixed or not, so that a loss sees one kind alone.

    Args:
        augments: the dicts, or a single one.
        num_classes: how many logits the network gives.
        max_epochs: length of the run.

    Raises:
        ConfigError: an unknown name or argument, probabilities that sum to more than 1, another number of
            classes.
    """

    def __init__(
        self,
        augments: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        num_classes: int,
        max_epochs: int = 0,
    ) -> None:
        described = [augments] if isinstance(augments, Mapping) else list(augments)
        self._num_classes = num_classes
        self._max_epochs = max_epochs
        names_prob = any(isinstance(each, Mapping) and "prob" in each for each in described)
        default = 1.0 if names_prob else 1 / max(len(described), 1)
        self._choices = [self._choice(each, default) for each in described]
        total = sum(each.prob for each in self._choices)
        if total > 1 + _ROUNDING:
            raise ConfigError(
                f"the probabilities of policy.learn.batch_augments sum to {total:g}; "
                "give each a prob=, at most 1 together"
            )

    def __call__(self, batch: Batch, epoch: int = 0) -> Batch:
        """Return a batch of normalised images with float targets ``(N, C)``, mixed or not.

        Sample weights go with the targets: a sample without weight teaches its class nowhere.

        Args:
            batch: float images ``(N, 3, H, W)``; targets int64 ``(N,)`` or float ``(N, C)``.
            epoch: finished epochs.

        Raises:
            ConfigError: the targets are something else.
        """
        targets = self._soft(batch.targets)
        mixer = self._drawn(epoch)
        if mixer is None:
            return replace(batch, targets=targets)
        mixture = mixer(batch.images)
        own, partners = mixture.share, mixture.partners
        if batch.weights is None:
            mixed = torch.lerp(targets[partners], targets, own)
            return replace(batch, images=mixture.images, targets=mixed)
        first, second = batch.weights * own, batch.weights[partners] * (1 - own)
        weights = first + second
        summed = first[:, None] * targets + second[:, None] * targets[partners]
        mixed = summed / weights.clamp(min=torch.finfo(weights.dtype).tiny)[:, None]
        return replace(batch, images=mixture.images, targets=mixed, weights=weights)

    def _choice(self, described: Mapping[str, Any], default: float) -> _Choice:
        if not isinstance(described, Mapping):
            raise ConfigError(f"policy.learn.batch_augments holds dict(type='Mixup', ...), not {described!r}")
        given = dict(described)
        prob, until = given.pop("prob", default), given.pop("until_epoch", None)
        count = given.pop("num_classes", self._num_classes)
        name = given.get("type")
        if not isinstance(prob, int | float) or not 0 <= prob <= 1:
            raise ConfigError(f"{name}: prob={prob!r} must lie in [0, 1]")
        if until is not None and (isinstance(until, bool) or not isinstance(until, int)):
            raise ConfigError(f"{name}: until_epoch={until!r} must be a whole number of epochs, or None")
        if count != self._num_classes:
            raise ConfigError(
                f"{name}: num_classes={count!r}, but there are {self._num_classes} classes; leave it out"
            )
        return _Choice(BATCH_AUGMENTS.build(given), float(prob), until)

    def _drawn(self, epoch: int) -> Mixer | None:
        # Drawn in any case: what is off changes nothing about the rest.
        position = float(torch.rand((), dtype=torch.float64))
        for mixer, prob, until in self._choices:
            if position < prob:
                return mixer if self._is_on(until, epoch) else None
            position -= prob
        return None

    def _is_on(self, until: int | None, epoch: int) -> bool:
        if until is None:
            return True
        return epoch < (until if until >= 0 else self._max_epochs + until)

    def _soft(self, targets: Tensor) -> Tensor:
        if targets.is_floating_point() and targets.dim() == 2:
            # -1 marks what an annotator was not sure of, and counts as there; mixed with 1 it would make 0.
            return targets.abs()
        if targets.is_floating_point() or targets.dim() != 1:
            raise ConfigError(
                "policy.learn.batch_augments mixes class numbers (N,) or shares (N, C), and the targets are "
                f"{targets.dtype} {tuple(targets.shape)}; set policy.learn.batch_augments=[]"
            )
        # torch's one_hot would read the largest target first, which waits for it.
        empty = torch.zeros(len(targets), self._num_classes, device=targets.device)
        return empty.scatter(1, targets[:, None], 1.0)


def _beta(alpha: float) -> float:
    both = torch.full((2,), alpha, dtype=torch.float64)
    # A Dirichlet distribution of two is a Beta distribution.
    return float(torch.distributions.Dirichlet(both, validate_args=False).sample()[0])


def _partners(images: Tensor) -> Tensor:
    return torch.randperm(len(images)).to(images.device, non_blocking=True)


def _below(limit: int) -> int:
    return int(torch.randint(limit, ()))


def _box(images: Tensor, share: float, sides: Range | None, *, is_corrected: bool) -> tuple[Box, float]:
    """Return top, bottom, left and right of a random box, and the share of an image that lies outside."""
    height, width = images.shape[-2:]
    if sides is None:
        ratio = math.sqrt(1 - share)
        spans = [_around(int(side * ratio), side) for side in (height, width)]
    else:
        spans = [_inside(side, *sides) for side in (height, width)]
    (top, bottom), (left, right) = spans
    if is_corrected or sides is not None:
        share = 1 - (bottom - top) * (right - left) / (height * width)
    return (top, bottom, left, right), share


def _around(length: int, side: int) -> tuple[int, int]:
    """Return a span with its centre anywhere on the side; what sticks out is cut off."""
    begin = _below(side) - length // 2
    return max(begin, 0), min(begin + length, side)


def _inside(side: int, low: float, high: float) -> tuple[int, int]:
    """Return a span between these shares of the side, wholly on it."""
    shortest, longest = int(side * low), int(side * high)
    length = shortest + _below(longest - shortest + 1)
    begin = _below(side - length + 1)
    return begin, begin + length


def _above_zero(alpha: float, name: str) -> float:
    if not isinstance(alpha, int | float) or not alpha > 0:
        raise ConfigError(f"{name}: alpha={alpha!r} must be above 0")
    return float(alpha)


def _sides(minmax: Sequence[float] | None, name: str) -> Range | None:
    if minmax is None:
        return None
    is_pair = isinstance(minmax, list | tuple) and len(minmax) == 2
    if not is_pair or not 0 <= minmax[0] <= minmax[1] <= 1:
        raise ConfigError(f"{name}: cutmix_minmax={minmax!r} must be two shares in [0, 1], smaller first")
    return float(minmax[0]), float(minmax[1])
