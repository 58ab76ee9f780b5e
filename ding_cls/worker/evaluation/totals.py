"""A metric's sums over the evaluation data, and over each dataset where these are several in a row.

It must not know which metric it is, nor where batches come from.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from ding_cls.distributed import reduce_totals
from ding_cls.metrics import SumMetric, plain_totals
from ding_cls.types import Batch


def parts_of(loader: Any) -> list[tuple[int, int]]:
    """Return where each of the datasets begins and ends that are evaluated on their own too; none where
    there is one alone, or they are evaluated together."""
    dataset = getattr(loader, "dataset", None)
    is_separate = bool(getattr(dataset, "separate_eval", False))
    ends: Sequence[int] = getattr(dataset, "cumulative_sizes", ()) if is_separate else ()
    return list(pairwise([0, *ends])) if len(ends) > 1 else []


class MetricTotals:
    """Adds up batches, then ranks.

    Args:
        metric: the metric.
        loader: what yields the batches. Its dataset has parts where it says ``separate_eval`` and the
            ``cumulative_sizes`` of them.
    """

    def __init__(self, metric: SumMetric, loader: Any) -> None:
        self._metric = metric
        self._parts = parts_of(loader)
        self._totals: list[dict[str, Any]] = [dict(metric.zeros()) for _ in range(len(self._parts) + 1)]

    def add(self, batch: Any, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Add a batch; its samples may belong to several parts."""
        self._add(0, logits, targets)
        if not self._parts or not isinstance(batch, Batch):
            return
        ids = batch.sample_ids.cpu()
        for number, (begin, end) in enumerate(self._parts, 1):
            chosen = torch.nonzero((ids >= begin) & (ids < end)).flatten()
            if len(chosen):
                if logits.is_cuda:
                    chosen = chosen.pin_memory().to(logits.device, non_blocking=True)
                self._add(number, logits[chosen], targets[chosen])

    def reduce(self) -> int:
        """Add up all ranks, which call this together; return the number of samples."""
        self._totals = [plain_totals(reduce_totals(each)) for each in self._totals]
        return int(self._totals[0]["count"])

    def results(self, predictions: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the result of all data, and that of each part, named ``0_acc1``, ``1_acc1``, ...

        Args:
            predictions: ``sample_ids``, ``logits`` and ``targets`` of all ranks, where the metric asks for
                them.
        """
        ranges = [None, *self._parts]
        found = [
            self._result(sums, part, predictions) for sums, part in zip(self._totals, ranges, strict=True)
        ]
        for number, result in enumerate(found[1:]):
            found[0] |= {f"{number}_{name}": value for name, value in result.items()}
        return found[0]

    def _add(self, number: int, logits: torch.Tensor, targets: torch.Tensor) -> None:
        totals = self._totals[number]
        for name, value in self._metric.sums(logits, targets).items():
            total = totals[name]
            # A number of the host is added where the other is; to move it there would wait for the device.
            totals[name] = (total.to(value.device, non_blocking=True) if total.dim() else total) + value

    def _result(
        self, sums: dict[str, Any], part: tuple[int, int] | None, predictions: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        if self._metric.needs_scores:
            ids = predictions["sample_ids"]
            chosen = slice(None) if part is None else (ids >= part[0]) & (ids < part[1])
            sums = {**sums, **{name: predictions[name][chosen] for name in ("logits", "targets")}}
        return dict(self._metric.result(sums))
