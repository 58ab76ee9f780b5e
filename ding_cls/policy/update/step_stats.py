"""What the pieces of one update come to: losses, hits and seconds, on the device until they are read."""

from typing import Any

import torch

from ding_cls.common.timing import EasyTimer
from ding_cls.models import Outputs
from ding_cls.policy.losses import num_hits
from ding_cls.types import Batch


class Sums:
    """Loss and hits of the pieces of one update, on the device.

    Attributes:
        loss: the sum of all losses.
        by_name: each loss, where there are several.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.by_name: dict[str, torch.Tensor] = {}
        self._hits: torch.Tensor | None = torch.zeros((), device=device)

    def add(
        self, loss: torch.Tensor, outputs: Outputs, targets: torch.Tensor, share: float | torch.Tensor
    ) -> None:
        """Add a piece, of which ``loss`` is the total, its share applied."""
        self.loss = self.loss + loss.detach()
        if len(outputs.losses) > 1:
            for name, value in outputs.losses.items():
                self.by_name[name] = self.by_name.get(name, 0.0) + value.detach() * share
        if outputs.logits is None or self._hits is None:
            self._hits = None
        else:
            self._hits = self._hits + num_hits(outputs.logits.detach(), targets)

    def accuracy(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return ``acc1``, this process's term of the percentage; nothing where there were no logits."""
        return {} if self._hits is None else {"acc1": self._hits * (100.0 / len(batch) * batch.scale)}


class Phases:
    """Seconds of the forward and backward passes of one update, added up only when somebody reads them."""

    def __init__(self) -> None:
        self.forward: Any = 0.0
        self.backward: Any = 0.0

    def add(self, forward: EasyTimer, backward: EasyTimer) -> None:
        self.forward = forward.lazy() + self.forward
        self.backward = backward.lazy() + self.backward
