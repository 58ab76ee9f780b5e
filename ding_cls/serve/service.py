"""What the routes of one process share: a network, its queue, its counts.

It must not know routes, sockets or processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ding_cls.errors import DataError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.onnx.session import usable_cores
from ding_cls.serve.batching import Batcher, BusyError, Place
from ding_cls.serve.requests.answers import answer_of
from ding_cls.serve.requests.decoding import Decoder, LargeImageError, Upload
from ding_cls.serve.requests.guard import internal_error, new_id
from ding_cls.serve.requests.metrics import ServerMetrics
from ding_cls.serve.requests.uploads import BodyRoom, read_uploads
from ding_cls.serve.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)
RETRY = {"Retry-After": "1"}


class Service:
    """What the routes of one process share: a network, its queue, its counts.

    Args:
        predictor: what answers.
        settings: the limits.
        num_answering: says how many workers answer now.

    Attributes:
        is_draining: the server is to stop.
        num_explaining: heat maps that are being made.
    """

    def __init__(
        self, predictor: BasePredictor, settings: ServeSettings, num_answering: Callable[[], int]
    ) -> None:
        self.predictor, self.settings, self._num_answering = predictor, settings, num_answering
        self.metrics = ServerMetrics()
        self.room = BodyRoom(settings.max_held_bytes)
        self.is_draining = False
        self.num_explaining = 0
        self.batcher = Batcher(
            predictor,
            max_batch=settings.max_batch,
            queue=settings.queue,
            stuck_s=settings.timeout_s,
            report=self._count_batch,
        )
        self.decoder = Decoder(
            predictor,
            max_pixels=settings.max_pixels,
            num_threads=max(2, usable_cores()),
        )

    @property
    def state(self) -> str:
        """'ready', or why not: 'loading', 'draining', 'stuck', 'failed', '1 of 2 workers answer'."""
        if self.batcher.state != "ready":
            return self.batcher.state
        if self.is_draining:
            return "draining"
        count, wanted = self._num_answering(), self.settings.workers
        return "ready" if count >= wanted else f"{count} of {wanted} workers answer"

    def _count_batch(self, size: int) -> None:
        self.metrics.batches.observe(size)
        self.metrics.waiting.set(self.batcher.num_waiting)

    @asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """Answer while the block runs."""
        self.batcher.start()
        try:
            yield
        finally:
            self.batcher.stop()
            self.decoder.stop()

    async def answers(self, uploads: Sequence[Upload]) -> list[dict[str, Any] | Refused]:
        """Return what each image's answer is, or why it has none.

        Raises:
            HTTPException: 503: too many wait, or the time is over.
        """
        try:
            places = self.batcher.admit(len(uploads))
        except BusyError:
            raise self._busy() from None
        self.metrics.waiting.set(self.batcher.num_waiting)
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await asyncio.gather(*map(self._answer, uploads, places))
        except TimeoutError:
            text = f"no answer within {self.settings.timeout_s:g} s: too much is asked for at once; try again"
            raise HTTPException(503, text, RETRY) from None
        finally:
            for place in places:
                self.batcher.leave(place)
            self.metrics.waiting.set(self.batcher.num_waiting)

    def _busy(self) -> HTTPException:
        if self.batcher.state != "ready":
            return HTTPException(503, f"the network does not answer: {self.batcher.state}", RETRY)
        text = f"{self.batcher.num_waiting} images wait, of at most {self.settings.queue}; try again"
        return HTTPException(503, text, RETRY)

    async def _answer(self, upload: Upload, place: Place) -> dict[str, Any] | Refused:
        try:
            prediction = await self.batcher.answer(place, await self.decoder.prepared(upload))
        except DataError as error:
            return self._refused(Refused(_status_of(error), str(error)))
        # A network's own fault: the client is told an id, and the other images are answered.
        except Exception as error:
            identity, text = internal_error(error)
            return self._refused(Refused(500, text, identity))
        if prediction.error:
            return self._refused(Refused(500, prediction.error))
        self.metrics.images.labels("answered").inc()
        return answer_of(prediction, self.predictor, topk=self.settings.topk)

    def _refused(self, refused: Refused) -> Refused:
        level = logging.ERROR if refused.status >= 500 else logging.INFO
        _LOGGER.log(level, "%s: %d: %s", refused.identity, refused.status, refused.text)
        self.metrics.images.labels("refused").inc()
        return refused

    async def receive(self, request: Request) -> Image.Image:
        """Return the one image of a request's body, as upright 8-bit RGB.

        Raises:
            HTTPException: what `read_uploads` says, 400 for several images, 413 or 422 for one that is too
                large or cannot be read.
        """
        with self.room.held() as take:
            uploads = await read_uploads(request, self.settings, take)
            if len(uploads) > 1:
                raise HTTPException(400, f"one image at a time; {len(uploads)} came")
            try:
                return await self.decoder.image(uploads[0])
            except DataError as error:
                raise HTTPException(_status_of(error), str(error)) from None

    async def run(self, function: Any) -> Any:
        """Return what a function returns that uses the network.

        Raises:
            HTTPException: 503: the time is over.
        """
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await self.batcher.run(self.decoder.alone, function)
        except TimeoutError:
            raise HTTPException(503, "no answer in time; try again", RETRY) from None


class Refused:
    """Why an image has no answer.

    Args:
        status: of a response for it alone.
        text: for the client.
        identity: what the log has it under.
    """

    def __init__(self, status: int, text: str, identity: str = "") -> None:
        self.status, self.text, self.identity = status, text, identity or new_id()


def _status_of(error: DataError) -> int:
    return 413 if isinstance(error, LargeImageError) else 422
