"""A client's octets, from a socket or from another host's stream: one face for both.

Law: what has arrived is bounded (then the socket is not read), and what has not been taken is bounded (then `drain`
waits, and gives the client up after WRITE_SECONDS_MAX).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, cast

from mailbox_host.imap.settings import READ_BUFFER_OCTETS, WRITE_BUFFER_OCTETS, WRITE_SECONDS_MAX
from mailbox_host.imap.tls import Tls

CLOSE_SECONDS_MAX = 10.0  # for the last words to be taken
# What is still sent to us after the last words is thrown away unread: a connection that is closed while something lies
# unread is reset, and the peer may never see why (RFC 9112 9.6 tells the same of HTTP).
LINGER_OCTETS_MAX = 4 * 1024 * 1024
LINGER_SECONDS_MAX = 2.0


class Channel(Protocol):
    """What a connection needs of its other end."""

    peer: str  # its IP address

    @property
    def at_end(self) -> bool:
        """Tell whether nothing more will come."""

    @property
    def ready(self) -> bool:
        """Tell whether something can be said: at once, or when TLS stands."""

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something arrived or the end came."""

    def take(self) -> bytes:
        """Return what has arrived."""

    def send(self, data: bytes) -> None: ...

    def hurry(self) -> None:
        """The client has more to send: let nothing hold it up."""

    async def drain(self) -> None:
        """Wait until enough was taken; raise ConnectionError where it will not be."""

    def start_tls(self, context: ssl.SSLContext) -> None: ...

    def close(self, linger: bool = False) -> None:
        """Send what is buffered, then close. `linger`: the peer may be sending still; let it read our last words."""


class SocketChannel(asyncio.Protocol):
    """A TCP connection, in the clear or under TLS. `accept` is called once it stands."""

    __slots__ = (
        "_accept",
        "_lingering",
        "_paused",
        "_received",
        "_tls",
        "_transport",
        "_wake",
        "_writable",
        "at_end",
        "peer",
    )

    def __init__(self, accept: Callable[[SocketChannel], None], context: ssl.SSLContext | None = None) -> None:
        self._accept = accept
        self._tls = Tls(context) if context else None
        self._received = bytearray()
        self._paused = False
        self._lingering: int | None = None  # how many octets may still be thrown away
        self._wake: Callable[[], None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self.at_end = False
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        transport.set_write_buffer_limits(high=WRITE_BUFFER_OCTETS)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else ""
        self._accept(self)

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            self._throw_away(len(data))
            return
        if self._tls:
            data = self._decrypt(self._tls, data)
        self._received += data
        if len(self._received) > READ_BUFFER_OCTETS and not self._paused and self._transport:
            self._paused = True
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        self.at_end = True
        self._tell()
        return self._tls is None and self._lingering is None  # who only stopped sending may still want its answers

    def _decrypt(self, tls: Tls, data: bytes) -> bytes:
        assert self._transport is not None
        try:
            data = tls.receive(data)
        except ssl.SSLError:  # no TLS, or a broken one: there is nothing to say to it
            self.at_end = True
            data = b""
        self._transport.write(tls.outgoing())
        self.at_end = self.at_end or tls.closed
        return data

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.at_end = True
        self.resume_writing()
        self._tell()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable and not writable.done():
            writable.set_result(None)

    def _tell(self) -> None:
        if self._wake:
            self._wake()

    def listen(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def take(self) -> bytes:
        data = bytes(self._received)
        self._received = bytearray()
        if self._paused and self._transport:
            self._paused = False
            self._transport.resume_reading()
        return data

    def send(self, data: bytes) -> None:
        if self._transport is None or not data:
            return
        if self._tls is None:
            self._transport.write(data)
        elif self._tls.ready:
            try:
                self._tls.send(data)
            except ssl.SSLError:  # the peer has ended TLS: it hears nothing any more
                self.at_end = True
            self._transport.write(self._tls.outgoing())

    @property
    def ready(self) -> bool:
        return self._tls is None or self._tls.ready

    def hurry(self) -> None:
        """Acknowledge at once: clients send a literal and the line end after it in two writes, and their kernel keeps
        the second back (Nagle) until we acknowledge the first, which ours would put off for 40 ms."""
        plug = self._transport.get_extra_info("socket") if self._transport else None
        if plug is not None and hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def drain(self) -> None:
        if self._writable:
            try:
                async with asyncio.timeout(WRITE_SECONDS_MAX):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                if self._transport:
                    self._transport.abort()
        if self._transport is None:
            raise ConnectionResetError("the client is gone")

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._received.clear()  # RFC 3501 6.2.1: what came in the clear must not count afterwards
        self._tls = Tls(context)

    def close(self, linger: bool = False) -> None:
        if self._transport is None:
            return
        if self._tls and self._tls.ready:
            self._tls.end()
            self._transport.write(self._tls.outgoing())
        if linger and not self.at_end:
            self._lingering = LINGER_OCTETS_MAX
            self._transport.write_eof()
            if self._paused:
                self._transport.resume_reading()
            unsent = self._transport.get_write_buffer_size()
            seconds = CLOSE_SECONDS_MAX if unsent else LINGER_SECONDS_MAX  # a slow reader hears our last words too
            asyncio.get_running_loop().call_later(seconds, self._transport.abort)
            return
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(CLOSE_SECONDS_MAX, self._transport.abort)
        self._transport.close()

    def _throw_away(self, octets: int) -> None:
        assert self._lingering is not None
        self._lingering -= octets
        if self._lingering < 0 and self._transport:
            self._transport.abort()
