"""The images of a request's body, read as they come and counted: what a header says is not trusted.

It must not know networks.
"""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ding_cls.serve.requests.decoding import Upload
from ding_cls.serve.settings import ServeSettings

_MAX_FIELDS, _MAX_FIELD_BYTES = 16, 64 * 1024
_CLOSE = {"Connection": "close"}
FORM = "multipart/form-data"
HOW = (
    "send the image as the body, with Content-Type image/jpeg, image/png or application/octet-stream, or as "
    "files of a form, multipart/form-data"
)


Take: TypeAlias = Callable[[int], int]


class BodyRoom:
    """Counts the bytes of all bodies that are held at once.

    Args:
        max_bytes: their sum at most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0

    @contextmanager
    def held(self) -> Iterator[Take]:
        """Yield what counts the bytes of one body, for as long as it is held: called with how many came, it
        returns how many have come, or raises an `HTTPException`, 503, where they are too many."""
        num_bytes = 0

        def take(count: int) -> int:
            nonlocal num_bytes
            if self._num_bytes + count > self._max_bytes:
                text = "the server holds as many bodies as it can; try again"
                raise HTTPException(503, text, {"Retry-After": "1", **_CLOSE})
            self._num_bytes += count
            num_bytes += count
            return num_bytes

        try:
            yield take
        finally:
            self._num_bytes -= num_bytes


async def read_uploads(request: Request, settings: ServeSettings, take: Take) -> list[Upload]:
    """Return the images in a request's body; of a form its files, in their order.

    Raises:
        HTTPException: 400 without an image, 413 over a limit, 415 for a body of another type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Programs that send plain bytes often name no type.
    is_image = not kind or kind == "application/octet-stream" or kind.startswith("image/")
    if not is_image and kind != FORM:
        raise HTTPException(415, f"a body of type {kind} is not taken; {HOW}", _CLOSE)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > settings.max_bytes:
        raise _too_large(settings)
    stream = _counted(request, settings, take)
    uploads = await (_body(stream) if is_image else _files(request, stream, settings))
    if not uploads:
        raise HTTPException(400, f"there is no image in the request; {HOW}")
    return uploads


async def _counted(request: Request, settings: ServeSettings, take: Take) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        if take(len(chunk)) > settings.max_bytes:
            raise _too_large(settings)
        yield chunk


def _too_large(settings: ServeSettings) -> HTTPException:
    return HTTPException(413, f"a body has at most {settings.max_bytes:,} bytes", _CLOSE)


async def _body(stream: AsyncGenerator[bytes, None]) -> list[Upload]:
    file = io.BytesIO()
    async for chunk in stream:
        file.write(chunk)
    return [Upload(file)] if file.tell() else []


class _Form(MultiPartParser):
    # The body is small enough; and a container's disk may be read-only.
    spool_max_size = 2**40
    has_end = False

    def on_end(self) -> None:
        self.has_end = True


async def _files(
    request: Request, stream: AsyncGenerator[bytes, None], settings: ServeSettings
) -> list[Upload]:
    async def whole() -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        # Starlette's parser would leave a cut part out, and answer for the others.
        if not parser.has_end:
            raise MultiPartException("the form has no end: its last part may be cut")

    parser = _Form(
        request.headers,
        whole(),
        max_files=settings.queue,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(
            413 if error.message.startswith("Too many") else 400, error.message, _CLOSE
        ) from None
    # By an encoding that the form names.
    except UnicodeError:
        raise HTTPException(400, "the names in the form are not in its charset", _CLOSE) from None
    uploads = []
    for _, part in form.multi_items():
        # A form whose field was left empty has a file without name or bytes.
        if isinstance(part, UploadFile) and (part.filename or part.size):
            uploads.append(Upload(io.BytesIO(await part.read()), part.filename or ""))
            await part.close()
    return uploads
