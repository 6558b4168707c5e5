"""A client's connection: bytes out, replies in, with time limits.

Law: no reply without a command of ours that it answers; one that comes unasked, or rubbish, ends the connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from spool.reply_reader import BadReply, Reply, ReplyReader

TIMED_OUT = "timed out"
WRITE_OCTETS = 256 * 1024  # handed to the transport at once; bounds its buffer


class Lost(Exception):
    """The connection is gone or of no use; the text says what happened."""


class Wire(asyncio.Protocol):
    """Use `say` and `hear` by turns; both raise Lost."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._heard: list[Reply] = []
        self._awaited = 1  # replies that may still come; the greeting comes unasked
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None  # while the transport's buffer is full
        self._timer: asyncio.TimerHandle | None = None
        self._progress = 0.0
        self.lost = ""  # why, once it is

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except BadReply as bad:
            self._heard += bad.before
            return self._lose(str(bad))
        self._awaited -= len(replies)
        self._heard += replies
        self._progress = self._loop.time()
        if self._awaited < 0:
            return self._lose(f"unasked reply: {self._heard[-1]}")
        if self._waiter is not None and len(self._heard) >= self._wanted:
            _wake(self._waiter)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"lost connection: {exc}" if exc else "the peer closed the connection")

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        _wake(self._room)
        self._room = None

    # what a session calls

    @property
    def heard(self) -> list[Reply]:
        """Replies that came and were not fetched: what is known when the connection is lost."""
        return self._heard

    def say(self, commands: bytes, replies: int) -> None:
        """Send commands that will be answered by so many replies."""
        if self.lost or self._transport is None:
            raise Lost(self.lost or "not connected")
        self._awaited += replies
        self._transport.write(commands)

    async def say_long(
        self, front: bytes, content: bytes, end: bytes, seconds: float, total_seconds: float, replies: int = 1
    ) -> None:
        """Send a message in blocks, each within its time (RFC 5321 4.5.3.2.5), all within `total_seconds`; so many
        replies will follow."""
        if len(content) <= WRITE_OCTETS:
            return self.say(front + content + end, replies)
        self.say(front, replies)
        view, last = memoryview(content), self._loop.time() + total_seconds
        for start in range(0, len(content), WRITE_OCTETS):
            self.say(bytes(view[start : start + WRITE_OCTETS]), 0)
            await self._drained(min(seconds, last - self._loop.time()))
        return self.say(end, 0)

    async def hear(self, count: int, seconds: float, total_seconds: float = 0.0) -> list[Reply]:
        """Fetch the next replies. Each must come within `seconds` of the one before, all within `total_seconds`."""
        if len(self._heard) < count:
            if self.lost:
                raise Lost(self.lost)
            self._wanted, self._waiter = count, self._loop.create_future()
            self._progress = began = self._loop.time()
            end = began + max(seconds, total_seconds)
            self._timer = self._loop.call_later(seconds, self._expire, seconds, end)
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._timer.cancel()
            if len(self._heard) < count:
                raise Lost(self.lost)
        replies, self._heard = self._heard[:count], self._heard[count:]
        return replies

    async def start_tls(self, context: ssl.SSLContext, name: str, seconds: float) -> None:
        """Go on under TLS. Whatever was received in clear after the 220 is an injection (RFC 3207 4.2, 6)."""
        if self._heard or not self._reader.is_between:
            self._lose("replies injected before TLS")
        if self.lost:  # also what was no reply at all: of a closed transport the loop hears nothing for `seconds`
            raise Lost(self.lost)
        assert self._transport is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, context, server_hostname=name or None, ssl_handshake_timeout=seconds
            )
        except (OSError, ValueError) as error:  # ValueError: what the MX is called can be no host's name
            self._lose(f"TLS failed: {error}")
            raise Lost(self.lost) from None
        self._transport, self._reader = transport, ReplyReader()

    def close(self, reason: str = "closed") -> None:
        """End the connection now."""
        self._lose(reason)

    @property
    def is_quiet(self) -> bool:
        """Alive, and nothing came that nobody asked for."""
        return not self.lost and not self._heard

    def _lose(self, reason: str) -> None:
        self.lost = self.lost or reason
        if self._transport is not None:
            self._transport.abort()
        for waiting in (self._waiter, self._room):
            _wake(waiting)

    def _expire(self, seconds: float, end: float) -> None:
        due = min(self._progress + seconds, end)
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + 0.001 < due:
            self._timer = self._loop.call_at(due, self._expire, seconds, end)
        else:
            self._lose(TIMED_OUT)

    async def _drained(self, seconds: float) -> None:
        if self._room is not None:
            timer = self._loop.call_later(seconds, self._lose, "timed out sending the message")
            try:
                await self._room
            finally:
                timer.cancel()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
