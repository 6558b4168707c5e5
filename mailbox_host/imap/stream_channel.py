"""A client that another host of the fabric sends us, over the stream between the two.

Law: as for a socket: what has arrived is bounded, what has not been taken is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from mailbox_host.imap.settings import READ_BUFFER_OCTETS, WRITE_SECONDS_MAX


class StreamChannel:
    """A Channel over a stream. `pump` has to run beside it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        self.peer = peer
        self.at_end = False
        self._reader = reader
        self._writer = writer
        self._received = bytearray()
        self._wake: Callable[[], None] | None = None
        self._taken = asyncio.Event()

    @property
    def ready(self) -> bool:
        return True

    def hurry(self) -> None:
        pass  # hosts write whole pieces to each other

    async def pump(self) -> None:
        """Read until the end, a bounded piece at a time."""
        with contextlib.suppress(OSError):
            while data := await self._reader.read(READ_BUFFER_OCTETS):
                self._received += data
                self._taken.clear()
                self._tell()
                await self._taken.wait()
        self.at_end = True
        self._tell()

    def _tell(self) -> None:
        if self._wake:
            self._wake()

    def listen(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def take(self) -> bytes:
        data = bytes(self._received)
        self._received.clear()
        self._taken.set()
        return data

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self._writer.drain()
        except TimeoutError as error:
            self._writer.transport.abort()
            raise ConnectionResetError("the client takes nothing") from error

    def start_tls(self, context: ssl.SSLContext) -> None:
        raise RuntimeError("a stream is under TLS already")

    def close(self, linger: bool = False) -> None:
        self._writer.close()
