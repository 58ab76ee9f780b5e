"""What the pieces of one update come to: losses, hits and seconds, on the device until they are read."""

from typing import Any

import torch

from ding_cls.common.late import Percentage
from ding_cls.models import Outputs
from ding_cls.policy.losses import right_samples
from ding_cls.types import Batch


class StepStats:
    """Losses, hits and seconds of the pieces of one update.

    Args:
        copies: copy the losses: a network may write its next one into the memory of this one.

    Attributes:
        loss: the sum of all losses, 0-dim; there is none before the first piece.
        by_name: each loss, where there are several.
        forward: seconds of the forward passes.
        backward: seconds of the backward passes.
    """

    loss: torch.Tensor

    def __init__(self, *, copies: bool) -> None:
        self._copies = copies
        self.by_name: dict[str, torch.Tensor] = {}
        self.forward: Any = 0.0
        self.backward: Any = 0.0
        self._hits: list[torch.Tensor] | None = []
        self._num_pieces = 0

    def add(
        self,
        loss: torch.Tensor,
        outputs: Outputs,
        targets: torch.Tensor,
        share: float | torch.Tensor | None,
        forward: Any,
        backward: Any,
    ) -> None:
        """Add a piece.

        Args:
            loss: the sum of its losses, its share applied.
            outputs: its logits and losses.
            targets: its targets.
            share: of the batch; None: the piece is the whole.
            forward: seconds of its forward pass: a float, or a record of a device's time.
            backward: those of its backward pass.
        """
        self.forward = forward + self.forward
        self.backward = backward + self.backward
        loss = loss.detach()
        if self._copies:
            loss = loss.to(torch.promote_types(loss.dtype, torch.float32), copy=True)
        self.loss = self.loss + loss if self._num_pieces else loss
        self._num_pieces += 1
        if len(outputs.losses) > 1:
            for name, value in outputs.losses.items():
                term = value.detach() if share is None else value.detach() * share
                self.by_name[name] = self.by_name.get(name, 0.0) + term
        if outputs.logits is None or self._hits is None:
            self._hits = None
        else:
            self._hits.append(right_samples(outputs.logits, targets))

    def add_seconds(self, other: "StepStats") -> None:
        """Add the seconds of further passes over the batch."""
        self.forward = other.forward + self.forward
        self.backward = other.backward + self.backward

    def accuracy(self, batch: Batch, *, is_late: bool) -> dict[str, Percentage | torch.Tensor]:
        """Return ``acc1``, this process's term of the percentage; nothing where there were no logits.

        Args:
            batch: that of the update.
            is_late: do not compute it yet.
        """
        if not self._hits:
            return {}
        hits = self._hits[0] if len(self._hits) == 1 else torch.cat(self._hits)
        acc1 = Percentage(hits, 100.0 / len(batch) * batch.scale)
        return {"acc1": acc1 if is_late else acc1.tensor()}
