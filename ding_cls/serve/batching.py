"""Dynamic batching: what waits while the network is busy goes through it together, next.

One thread alone runs the network. It must not know HTTP, nor how images are read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ding_cls.answers.prediction import Prediction
from ding_cls.inference.base import BasePredictor

Result = TypeVar("Result")
Prepared = Sequence[Any]


class BusyError(Exception):
    """As many images wait as may."""


@dataclass(eq=False, slots=True)
class Place:
    """An image's place among those that wait; from before it is decoded until the network takes it."""

    prepared: Prepared = ()
    answer: asyncio.Future[Prediction] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    is_waiting: bool = True


class Batcher:
    """Answers images in batches of what waits; nothing waits for a batch to become full.

    Args:
        predictor: what answers them.
        max_batch: images of a batch at most.
        queue: images that may wait at most.
        stuck_s: seconds of one call after which the network counts as stuck.
        report: called with the size of each batch.

    Attributes:
        num_waiting: images that wait.
    """

    def __init__(
        self,
        predictor: BasePredictor,
        *,
        max_batch: int,
        queue: int,
        stuck_s: float,
        report: Callable[[int], object] = lambda size: None,
    ) -> None:
        self.num_waiting = 0
        self._predictor, self._max_batch, self._max_waiting = predictor, max_batch, queue
        self._stuck_s, self._report = stuck_s, report
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._ready: asyncio.Queue[Place] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._since: float | None = None

    def start(self) -> None:
        """Begin to answer, in the running loop of events."""
        self._task = asyncio.get_running_loop().create_task(self._loop())

    def stop(self) -> None:
        """Answer nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def state(self) -> str:
        """'ready'; 'loading' before the start, 'failed' where no batch will come any more, or 'stuck'."""
        if self._task is None:
            return "loading"
        if self._task.done():
            return "failed"
        is_stuck = self._since is not None and time.monotonic() - self._since > self._stuck_s
        return "stuck" if is_stuck else "ready"

    @property
    def is_busy(self) -> bool:
        """Whether the network is being used."""
        return self._since is not None

    def admit(self, count: int) -> list[Place]:
        """Return places for so many images; each goes to `answer`, and at last to `leave`.

        Raises:
            BusyError: there is no room for all of them.
        """
        if self.num_waiting + count > self._max_waiting or self.state != "ready":
            raise BusyError
        self.num_waiting += count
        return [Place() for _ in range(count)]

    def leave(self, place: Place) -> None:
        """Give a place back, where it is not answered already."""
        if place.is_waiting:
            place.is_waiting = False
            self.num_waiting -= 1
        place.answer.cancel()

    async def answer(self, place: Place, prepared: Prepared) -> Prediction:
        """Return what the network says of an image.

        Args:
            place: of `admit`.
            prepared: what the predictor's ``prepare`` made of the image.

        Raises:
            Exception: whatever the network raises for this image by itself.
        """
        place.prepared = prepared
        self._ready.put_nowait(place)
        return await place.answer

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return what a function returns, called where nothing else uses the network."""

        def timed() -> Result:
            self._since = time.monotonic()
            try:
                return function(*arguments)
            finally:
                self._since = None

        return await asyncio.get_running_loop().run_in_executor(self._thread, timed)

    async def _loop(self) -> None:
        while True:
            places = [await self._ready.get()]
            while len(places) < self._max_batch and not self._ready.empty():
                places.append(self._ready.get_nowait())
            # Who waited too long is gone.
            places = [each for each in places if each.is_waiting]
            for each in places:
                each.is_waiting = False
            self.num_waiting -= len(places)
            if places:
                await self._answer(places)

    async def _answer(self, places: Sequence[Place]) -> None:
        self._report(len(places))
        try:
            prepared = [each.prepared for each in places]
            predictions = await self.run(self._predictor.answer, prepared, [None] * len(places))
            answered = list(zip(places, predictions, strict=True))
        # One image that the network cannot take shall not spoil the others.
        except Exception as error:
            if len(places) > 1:
                for each in places:
                    await self._answer([each])
            elif not places[0].answer.done():
                places[0].answer.set_exception(error)
            return
        for place, prediction in answered:
            if not place.answer.done():
                place.answer.set_result(prediction)
