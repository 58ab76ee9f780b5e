"""Heads on the angle between an image's vector and the classes': cosine, and ArcFace's margin."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models.heads.linear import ClsHead, check_sizes
from ding_cls.models.registry import HEADS


@HEADS.register_module()
class CosineClsHead(ClsHead):
    """Logits that are the cosines of vectors and classes, times a scale.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        scale: factor of the cosines.
        loss: as in ``ClsHead``.
        num_subcenters: directions a class has; the nearest counts.

    Raises:
        ConfigError: a number that is not positive.

    Source: NormFace, Wang et al. 2017, section 3.3 (arXiv:1704.06369).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        scale: float = 64.0,
        loss: Mapping[str, Any] | nn.Module | None = None,
        num_subcenters: int = 1,
    ) -> None:
        super().__init__(loss)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels, num_subcenters=num_subcenters)
        if not scale > 0:
            raise ConfigError(f"{type(self).__name__} has scale={scale!r}; it must be positive")
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.scale = float(scale)
        self.num_subcenters = num_subcenters
        self.weight = nn.Parameter(torch.empty(num_classes * num_subcenters, in_channels))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return ``scale`` times the cosines, ``(N, num_classes)``, of the deepest of the features."""
        vectors = self.pre_logits(features)
        # A cosine near one has few digits in half precision.
        with torch.autocast(vectors.device.type, enabled=False):
            directions = functional.normalize(vectors.float()), functional.normalize(self.weight.float())
            cosines = functional.linear(*directions)
            if self.num_subcenters > 1:
                cosines = cosines.view(-1, self.num_classes, self.num_subcenters).amax(2)
            return self.scale * cosines


@HEADS.register_module()
class ArcFaceClsHead(CosineClsHead):
    """Cosine logits; the loss sees the angle to the target's class made larger by a margin.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        num_subcenters: as in ``CosineClsHead``.
        scale: as in ``CosineClsHead``.
        margins: added to the target's angle, in radians; a number, or one for each class.
        easy_margin: only where the angle is below a right angle.
        loss: as in ``ClsHead``.

    Raises:
        ConfigError: a number that does not exist.

    Source: ArcFace, Deng et al. 2018, eq. 3 (arXiv:1801.07698); sub-centers: Sub-center ArcFace, Deng et al.
    2020, section 3.2. Where the angle and the margin exceed pi, the authors' code goes on linearly, and so do
    we.
    """

    margins: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_subcenters: int = 1,
        scale: float = 64.0,
        margins: float | Sequence[float] = 0.5,
        easy_margin: bool = False,
        loss: Mapping[str, Any] | nn.Module | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, scale, loss, num_subcenters)
        self.easy_margin = easy_margin
        # Not persistent: settings, which a file of weights shall not hold.
        self.register_buffer("margins", torch.empty(0), persistent=False)
        self.set_margins(margins)

    def set_margins(self, margins: float | Sequence[float]) -> None:
        """Set the margin of all classes, or of each.

        Raises:
            ConfigError: there are not as many as classes, or one is no angle below pi.
        """
        values = [margins] * self.num_classes if isinstance(margins, int | float) else list(margins)
        if len(values) != self.num_classes or not all(0 <= each < math.pi for each in values):
            raise ConfigError(
                f"ArcFaceClsHead has margins={margins!r}; it takes one angle, or one for each of its "
                f"{self.num_classes} classes, from 0 on and below pi"
            )
        self.margins = torch.tensor(values, dtype=torch.float32, device=self.weight.device)

    def loss(
        self, logits: Tensor, targets: Tensor, weight: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return ``dict(loss=...)`` of the logits with the margin; targets are class numbers ``(N,)``.

        Raises:
            ConfigError: targets are shares of classes: an angle is to one class.
        """
        if targets.dim() != 1:
            raise ConfigError(
                "ArcFaceClsHead needs class numbers; mixing of samples and soft targets do not go with it"
            )
        return super().loss(self.with_margin(logits, targets), targets, weight, **kwargs)

    def with_margin(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the logits, those of the targets' classes with the margin."""
        places = targets[:, None]
        cosine = logits.gather(1, places) / self.scale
        margin = self.margins[places]
        sine = (1.0 - cosine.square()).clamp(min=1e-12).sqrt()
        moved = cosine * margin.cos() - sine * margin.sin()
        if self.easy_margin:
            moved = torch.where(cosine > 0, moved, cosine)
        else:
            beyond = cosine - (math.pi - margin).sin() * margin
            moved = torch.where(cosine > (math.pi - margin).cos(), moved, beyond)
        return logits.scatter(1, places, moved * self.scale)
