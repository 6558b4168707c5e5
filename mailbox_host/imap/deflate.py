"""COMPRESS=DEFLATE: a channel inside another, that squeezes what goes out and unpacks what comes in (RFC 4978).

Law: what is unpacked at a time is bounded, and the rest has to wait for the loop's next turn, so that no bomb fills
memory or keeps others waiting. A deflater is 128 KiB, an inflater 40: who waits for its client has neither, only the
last 32 KiB at most that the client has sent.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable

from mailbox_host.imap.channel import Channel
from mailbox_host.imap.settings import READ_BUFFER_OCTETS

# Half of zlib's usual memory, made in a third of the time: it is made anew for each answer.
WINDOW_BITS, MEMORY_LEVEL = 14, 7
LEVEL = 3  # it runs on the event loop: 64 KiB of mail in half a millisecond
HISTORY_OCTETS = 32 * 1024  # how far back a client's matches may reach (RFC 1951 2)

_FLUSHED = b"\x00\x00\xff\xff"  # how a flush ends: an empty stored block, after which the next begins on an octet


class DeflateChannel:
    """A Channel in another. `rest`: what had arrived already; `wake` is called when more can be taken."""

    def __init__(self, inner: Channel, rest: bytes, wake: Callable[[], None]) -> None:
        self.peer = inner.peer
        self._inner = inner
        self._wake = wake
        self._packed = rest
        self._history = b""
        self._full = self._later = False  # there may be more; it has to wait for the next turn
        self._ended = False
        self._deflater: zlib._Compress | None = None
        self._inflater: zlib._Decompress | None = None
        self._flushed = False

    def take(self) -> bytes:
        if self._later or self._ended:
            return b""
        packed, self._packed = self._packed or self._inner.take(), b""
        return self._unpack(packed) if packed or self._full else b""

    def _unpack(self, packed: bytes) -> bytes:
        inflater = self._inflater = self._inflater or _inflater(self._history)
        try:
            data = inflater.decompress(packed, READ_BUFFER_OCTETS)
        except zlib.error:  # nothing that comes after it can be read
            self._ended = True
            return b""
        self._packed = inflater.unconsumed_tail
        self._ended = inflater.eof
        self._flushed = packed.endswith(_FLUSHED) if packed else self._flushed
        self._history = (self._history + data)[-HISTORY_OCTETS:]
        self._full = self._later = len(data) == READ_BUFFER_OCTETS
        if self._later:
            asyncio.get_running_loop().call_soon(self._go_on)
        return data

    def _go_on(self) -> None:
        self._later = False
        self._wake()

    def send(self, data: bytes) -> None:
        if data:
            if self._deflater is None:
                self._deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL)
            self._inner.send(self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH))

    def doze(self) -> None:
        """Give memory back: nothing may happen for long. A deflater can begin anew after a flush; where the client has
        flushed too, what it has sent is all that an inflater needs to go on. Both take some 20 microseconds."""
        self._deflater = None
        if self._flushed and not self._packed and not self._full:
            self._inflater = None

    @property
    def at_end(self) -> bool:
        return not self._later and (self._ended or self._inner.at_end)

    @property
    def ready(self) -> bool:
        return self._inner.ready

    def listen(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._inner.listen(wake)

    def hurry(self) -> None:
        self._inner.hurry()

    async def drain(self) -> None:
        await self._inner.drain()

    def start_tls(self, context: ssl.SSLContext) -> None:
        raise RuntimeError("TLS comes before login, compression after it")

    def close(self, linger: bool = False) -> None:
        self._inner.close(linger)


def _inflater(history: bytes) -> zlib._Decompress:
    return zlib.decompressobj(-zlib.MAX_WBITS, zdict=history) if history else zlib.decompressobj(-zlib.MAX_WBITS)
