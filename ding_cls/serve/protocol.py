"""HTTP/1.1 for clients that may be slow on purpose: uvicorn's protocol, with an end to all its waiting.

uvicorn waits for ever for the rest of a request, and for a client that does not read its answer. Here each
has a deadline. It must not know what is served.
"""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from ding_cls.serve.requests.guard import error_response


class DeadlineProtocol(H11Protocol):
    """uvicorn's ``H11Protocol`` with deadlines, given to it as ``http=``; tested with uvicorn 0.54.

    - The head of a request is there within ``HEAD_S`` of connecting, or of the answer before; else 408.
    - Its body comes within ``BODY_S``, plus the time that its bytes take at ``BYTES_PER_S``; else 408.
    - The head has at most ``MAX_HEAD_BYTES``, or up to twice as many that come at once; else 431.
    - A body in chunks so small that their frames outweigh it gets 400.
    - A client that does not read its answer is cut off after ``WRITE_S``.
    - Of more than ``MAX_CONNECTIONS`` that one is closed whose deadline is nearest; where all have requests
      under way, the new one gets 503. So sockets that do nothing keep nobody out.
    - An answer before the end of the body (413) is followed by the end of the connection. What the client
      still sends is thrown away for ``LINGER_S``: a socket closed with unread bytes takes the answer along.
    - Told to shut down, a connection answers what is on its way, with ``Connection: close``; where there are
      several workers, only after ``DRAIN_S``.

    Beyond the documented settings it uses these attributes of uvicorn's class: ``conn``, ``cycle`` (of it
    ``transport``, ``body``, ``more_body``, ``response_complete``, ``disconnected``, ``message_event``,
    ``keep_alive``, ``default_headers``), ``flow.read_paused``, ``connections``, ``server_state``,
    ``transport``, ``loop``, ``config``; and it overrides ``handle_events``, ``send_400_response``,
    ``on_response_complete`` and ``shutdown``. No name of these begins with an underscore, but none is
    documented either.
    """

    HEAD_S = 10.0
    BODY_S = 10.0
    BYTES_PER_S = 50_000
    WRITE_S = 10.0
    LINGER_S = 1.0
    DRAIN_S = 0.5
    TICK_S = 0.5
    MAX_CONNECTIONS = 512
    MAX_HEAD_BYTES = 16 * 1024
    # Frames of chunks that come with a body, beyond as many bytes as the body itself has.
    MAX_FRAME_BYTES = 64 * 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._since = self.loop.time()
        self._raw_bytes = self._body_bytes = 0
        self._ends_at = math.inf
        self._is_lingering = self._is_draining = self._is_leaving = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self.TICK_S, self._watch)
        if any(each._is_draining for each in self._peers()):
            # Accepted before the end of listening, and made after all others were told to end.
            self.shutdown()
        if len(self.connections) > self.MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # h11 looks at the size of a head only while it is incomplete: one read may bring a far larger one.
        for start in range(0, len(data), self.MAX_HEAD_BYTES):
            if self._is_ending():
                return
            part = data[start : start + self.MAX_HEAD_BYTES]
            self._raw_bytes += len(part)
            super().data_received(part)
            if self._raw_bytes > 2 * self._body_bytes + self.MAX_FRAME_BYTES and self._is_reading_body():
                self.refuse(400, "the chunks of the body are too small")

    def handle_events(self) -> None:
        cycle = self.cycle
        size = len(cycle.body) if cycle else 0
        super().handle_events()
        if self.cycle is not cycle:
            self._since, size = self.loop.time(), 0
            self._raw_bytes = self._body_bytes = 0
            self.cycle.transport = _AnswersTransport(self)  # type: ignore[assignment]
            if self._is_leaving:
                self._announce_end()
        if self.cycle:
            self._body_bytes += len(self.cycle.body) - size

    def send_400_response(self, msg: str) -> None:
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self.refuse(
            hint, "the head of the request is too large" if hint == 431 else "not a request of HTTP/1.1"
        )

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error, if there is still a way to, and end the connection."""
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        body = bytes(error_response(status, message).body)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            CLOSE_HEADER,
        ]
        if status == 503:
            headers.append((b"retry-after", b"1"))
        start = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
        for event in (start, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._linger()

    def end(self) -> None:
        """End the connection after an answer with ``Connection: close``."""
        if self.cycle.more_body:
            self._linger()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        self._since, self._raw_bytes = self.loop.time(), 0
        if self.cycle.more_body and not self.transport.is_closing():
            self.server_state.total_requests += 1
            self._linger()
            return
        super().on_response_complete()

    def shutdown(self) -> None:
        self._is_draining = True
        if self.config.workers > 1:
            # Another worker may still listen, and loses whom it has not accepted: nobody is to connect anew.
            self.loop.call_later(self.DRAIN_S, self._leave)
        else:
            self._leave()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._ends_at = self.loop.time() + self.WRITE_S

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._is_lingering:
            self._ends_at = math.inf

    def deadline(self) -> float:
        """Return when, on the loop's clock, the connection is closed unless its client does something."""
        if self._is_waiting():
            return self._since + self.HEAD_S
        if self._is_reading_body() and not self.flow.read_paused:
            return self._since + self.BODY_S + self._raw_bytes / self.BYTES_PER_S
        return math.inf

    def _is_waiting(self) -> bool:
        return not self.cycle or self.cycle.response_complete

    def _is_reading_body(self) -> bool:
        return not self._is_waiting() and self.cycle.more_body

    def _is_ending(self) -> bool:
        return self._is_lingering or self.transport.is_closing()

    def _watch(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing():
            # What is left to write is not read.
            self._ends_at = min(self._ends_at, now + self.WRITE_S)
        if now >= self._ends_at:
            self.transport.abort()
        elif now >= self.deadline() and not self._is_ending():
            if self._is_waiting() and not self._raw_bytes:
                self.transport.close()
            else:
                self.refuse(408, "the request came too slowly")
        self._timer = self.loop.call_later(self.TICK_S, self._watch)

    def _peers(self) -> list[DeadlineProtocol]:
        return [each for each in self.connections if isinstance(each, DeadlineProtocol)]

    def _make_room(self) -> None:
        open_ones = [each for each in self._peers() if not each.transport.is_closing()]
        if len(open_ones) <= self.MAX_CONNECTIONS:
            return
        nearest = min(open_ones, key=DeadlineProtocol.deadline)
        if nearest is self:
            self.refuse(503, "too many connections")
        else:
            nearest.transport.abort()

    def _linger(self) -> None:
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self._is_lingering = True
        self._ends_at = self.loop.time() + self.LINGER_S
        self.transport.write_eof()
        self.flow.resume_reading()

    def _leave(self) -> None:
        self._is_leaving = True
        if self._is_waiting():
            # A request that was sent before the client could know is answered.
            self.loop.call_later(self.DRAIN_S, self._end_if_waiting)
        else:
            self._announce_end()

    def _announce_end(self) -> None:
        self.cycle.keep_alive = False
        self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def _end_if_waiting(self) -> None:
        if self._is_waiting():
            self.transport.close()


class _AnswersTransport:
    """The transport as the answer to a request sees it; closing it waits for what the client still sends."""

    def __init__(self, protocol: DeadlineProtocol) -> None:
        self.write, self.is_closing = protocol.transport.write, protocol.transport.is_closing
        self.close = protocol.end
