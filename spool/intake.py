"""What a client has sent and nobody has read yet, cut into lines or taken as it is.

Law: it holds at most a few chunks, whatever is sent; a line without an end costs no memory. How the stream was cut
into packets makes no difference to what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from spool.smtp_settings import CHUNK_OCTETS, LINE_OCTETS_MAX

OVERLONG = b"overlong"  # this very object stands for a line over LINE_OCTETS_MAX, which was thrown away


class Intake:
    """A connection's unread input. `pause` and `resume` stop and start the transport's reading."""

    def __init__(self, pause: Callable[[], object], resume: Callable[[], object]) -> None:
        self._pause, self._resume = pause, resume
        self._pending = b""
        self._at = 0
        self._overlong = False
        self._paused = False
        self._ended = False
        self._fresh = False  # something arrived that nobody has looked at
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """Add what arrived, without waking the reader."""
        self._pending = self._pending[self._at :] + data if self._at < len(self._pending) else data
        self._at = 0
        self._fresh = True
        if len(self._pending) > CHUNK_OCTETS and not self._paused:
            self._paused = True
            self._pause()

    def end(self) -> None:
        """No more will come, or no more is wanted."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def more(self) -> bool:
        """Wait until something has arrived that was not looked at, or `wake`; False when nothing will come."""
        if self._fresh or self._ended:
            return self._fresh
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return self._fresh or not self._ended

    def line(self) -> bytes | None:
        """Take a line with its end (LF, with or without CR), OVERLONG, or None while it is incomplete."""
        end = self._pending.find(b"\n", self._at) + 1
        if not end:
            self._looked()
            self._overlong = self._overlong or len(self._pending) - self._at > LINE_OCTETS_MAX
            if self._overlong:
                self._pending, self._at = b"", 0
            return None
        line = self._pending[self._at : end]
        self._at = end
        if self._overlong or len(line) > LINE_OCTETS_MAX:
            self._overlong = False
            return OVERLONG
        return line

    def take(self) -> bytes:
        """Take everything that has arrived."""
        taken, self._pending, self._at = self._pending[self._at :], b"", 0
        self._looked()
        return taken

    def _looked(self) -> None:
        """Everything that arrived was seen: there is room for more."""
        self._fresh = False
        if self._paused:
            self._paused = False
            self._resume()

    def give_back(self, rest: bytes) -> None:
        """Put back what `take` took too much of, before anything else is read."""
        self._pending, self._at = rest + self._pending[self._at :], 0

    def discard(self) -> None:
        """Throw everything away (RFC 3207 4.2: what came before TLS must not be believed after it)."""
        self.take()
        self._overlong = False
