"""From a body's bytes to what the network takes, in threads beside the network's own.

It must not know HTTP or batches.
"""

from __future__ import annotations

import asyncio
import ctypes
import io
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from PIL import Image

from ding_cls.errors import ImageError
from ding_cls.images import decode_rgb
from ding_cls.images.image_io import size_of
from ding_cls.inference.base import BasePredictor

LARGE_PIXELS = 12_000_000
"""Of images with more pixels one at a time is decoded: each may take some hundred megabytes."""

# Steps without randomness. Others draw from generators that the whole process has in common.
_PLAIN_STEPS = {
    *("LoadImageFromFile", "Resize", "CenterCrop", "Normalize", "ImageToTensor", "ToTensor", "Collect"),
    *("Pad", "LetterBox", "ToNumpy", "ToPIL"),
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Upload:
    """An image as a client sent it.

    Attributes:
        file: its bytes.
        name: what the client calls it; empty where it does not.
    """

    file: io.BytesIO
    name: str = ""

    @property
    def label(self) -> str:
        """How an error names it."""
        return repr(self.name) if self.name else "the image"


class LargeImageError(ImageError):
    """An image with more pixels than are decoded."""


class Decoder:
    """Decodes and prepares images, several at a time.

    Args:
        predictor: whose preprocessing it is.
        max_pixels: of an image.
        num_threads: images at a time.
    """

    def __init__(self, predictor: BasePredictor, *, max_pixels: int, num_threads: int) -> None:
        self._predictor, self._max_pixels = predictor, max_pixels
        self._limit = f"more pixels than the limit of {max_pixels:,}; make it smaller"
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="decode")
        self._one_large = asyncio.Semaphore(1)
        self._lock: AbstractContextManager[Any] = nullcontext() if is_plain(predictor) else threading.Lock()

    def stop(self) -> None:
        """Decode nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def image(self, upload: Upload) -> Image.Image:
        """Return an image as upright 8-bit RGB.

        Raises:
            LargeImageError: it has too many pixels.
            ImageError: it cannot be read.
        """
        return await self._decoded(upload, lambda image: image)

    async def prepared(self, upload: Upload) -> list[Any]:
        """Return an image as the predictor's ``prepare`` makes it; errors as in `image`."""
        return await self._decoded(upload, self._prepare)

    def alone(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return what a function returns that prepares images by itself."""
        with self._lock:
            return function(*arguments)

    def _prepare(self, image: Image.Image) -> list[Any]:
        return self.alone(self._predictor.prepare, image)

    async def _decoded(self, upload: Upload, use: Callable[[Image.Image], Result]) -> Result:
        def decode() -> Result:
            try:
                image = decode_rgb(upload.file, label=upload.label)
            except ImageError as error:
                raise _for_client(error) from None
            return use(image)

        def decode_large() -> Result:
            try:
                return decode()
            finally:
                _give_back_memory()

        in_thread, threads = asyncio.get_running_loop().run_in_executor, self._threads
        num_pixels = await in_thread(threads, self._num_pixels, upload)
        if num_pixels <= LARGE_PIXELS:
            return await in_thread(threads, decode)
        async with self._one_large:
            return await in_thread(threads, decode_large)

    def _num_pixels(self, upload: Upload) -> int:
        try:
            width, height = size_of(upload.file, label=upload.label)
        except ImageError as error:
            # Pillow has a limit of its own.
            if isinstance(error.__cause__, Image.DecompressionBombError):
                raise LargeImageError(f"{upload.label} has {self._limit}") from None
            raise _for_client(error) from None
        if width * height > self._max_pixels:
            raise LargeImageError(f"{upload.label} ({width} x {height}) has {self._limit}")
        return width * height


def _give_back_memory() -> None:
    """Return freed memory to the system: glibc keeps what large images took, a gigabyte and more, for each
    thread that has decoded one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _for_client(error: ImageError) -> ImageError:
    """Return an error without what to do about a file of a data set, or what could be installed here."""
    return ImageError(error.reason.partition(", which 'pip install")[0])


def is_plain(predictor: BasePredictor) -> bool:
    """Return whether images can be prepared in several threads: no step is random, or the user's own."""
    return all(
        each.is_builtin and {step["type"] for step in each.pipeline} <= _PLAIN_STEPS
        for each in getattr(predictor, "preprocessings", ())
    )
