"""Counts for Prometheus. Several worker processes add theirs up in a folder that they share.

It must not know requests or networks.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers share their counts; prometheus_client looks at it when it is imported."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class ServerMetrics:
    """What a server counts, in a registry of its own.

    Attributes:
        requests: by ``path`` and ``status``.
        seconds: from the head of a request to its answer, by ``path``.
        images: by ``outcome``: answered, or refused.
        batches: images of each batch.
        waiting: images that wait for the network.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "ding_cls_requests", "Requests by path and status.", ("path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "ding_cls_request_seconds",
            "Seconds from the head of a request to its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.images = Counter("ding_cls_images", "Images by outcome.", ("outcome",), registry=registry)
        self.batches = Histogram(
            "ding_cls_batch_images", "Images that went through the network together.", buckets=_SIZES,
            registry=registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "ding_cls_waiting_images",
            "Images that wait for the network.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def text(self) -> bytes:
        """Return all counts as Prometheus reads them; of several workers their sums."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        _forget_dead(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _forget_dead(folder: Path) -> None:
    """Leave out what waited in workers that were killed."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
