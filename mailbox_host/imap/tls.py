"""TLS as a value between octets and octets, without a socket.

Law: no I/O. asyncio keeps a read buffer of 256 KiB per TLS connection, more than thousands of idle ones can afford;
here an idle connection holds two empty buffers and OpenSSL's own state. It also makes STARTTLS the same on every loop.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

READ_OCTETS = 64 * 1024


class Tls:
    """The server's side of a TLS connection (RFC 8446)."""

    __slots__ = ("_from_peer", "_object", "_to_peer", "closed", "ready")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._from_peer, self._to_peer, server_side=True)
        self.ready = False
        self.closed = False  # the peer said that it is done

    def receive(self, data: bytes) -> bytes:
        """Take what came from the wire; return what it says. Raise ssl.SSLError where it is no TLS."""
        self._from_peer.write(data)
        pieces: list[bytes] = []
        try:
            if not self.ready:
                self._object.do_handshake()
                self.ready = True
            while piece := self._object.read(READ_OCTETS):
                pieces.append(piece)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        self._object.write(data)

    def outgoing(self) -> bytes:
        """Return what must go to the wire now."""
        return self._to_peer.read() if self._to_peer.pending else b""

    def end(self) -> None:
        """Say that we are done, without waiting for the answer."""
        with suppress(ssl.SSLError):
            self._object.unwrap()
