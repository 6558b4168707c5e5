"""Mutual-TLS connections between hosts: for what cannot go as mail (the IMAP proxy, hand-overs, replicas ...).

Law: who is at the other end is decided by the key in its certificate and the key that the zone publishes for its name.
Taking the record out of the zone ends its streams; an address proves nothing.

A stream begins with one line, ``PURPOSE CLIENT-ADDRESS`` CRLF, and then belongs to whoever serves that purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from directory.snapshot import Directory, HostRecord

log = logging.getLogger("heliograph.streams")

OPEN_SECONDS_MAX = 5.0  # connecting, handshake and the first line; a host that is slower is treated as away
FIRST_LINE_OCTETS_MAX = 128
# asyncio's TLS keeps a read buffer per connection; a proxy copies in small pieces and needs no 256 KiB of it.
BUFFER_OCTETS = 16_384

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
"""Serves a client of another host (its IP address), or, between hosts, the host of this name."""


class NoStream(OSError):
    """The other host cannot be reached, or is not who the zone says."""


def stream_context(side: ssl.Purpose, certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Make the TLS settings of one side: both sides show a certificate of the fabric's CA (TLS 1.3 only)."""
    context = ssl.create_default_context(side, cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the key in the zone decides, see `_peer`
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


class Streams:
    """Opens and serves streams for one host."""

    def __init__(
        self, directory: Callable[[], Directory], server: ssl.SSLContext, client: ssl.SSLContext, port: int
    ) -> None:
        self._directory = directory
        self._server_context = server
        self._client_context = client
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._purposes: Mapping[str, Serve] = {}
        self._between: Mapping[str, Serve] = {}

    async def serve(
        self, address: str, purposes: Mapping[str, Serve], between: Mapping[str, Serve] | None = None
    ) -> None:
        """Listen on this host's address for the named purposes; `between`: of hosts themselves."""
        self._purposes, self._between = purposes, between or {}
        self._server = await asyncio.start_server(
            self._accept,
            address,
            self._port,
            ssl=self._server_context,
            ssl_handshake_timeout=OPEN_SECONDS_MAX,
            limit=BUFFER_OCTETS,
        )

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def open(
        self, host: str, purpose: str, client: str = "-"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a stream to a host of the zone, on behalf of `client` (its IP address). Raise NoStream."""
        record = self._directory().hosts.get(host)
        if record is None:
            raise NoStream(f"the zone names no host {host}")
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                reader, writer = await asyncio.open_connection(
                    record.address, self._port, ssl=self._client_context, limit=BUFFER_OCTETS
                )
        except (OSError, TimeoutError) as error:
            raise NoStream(f"{host} at {record.address} port {self._port}: {error or 'no answer'}") from error
        if self._peer(writer) != record:
            writer.close()
            raise NoStream(f"{host}: its key is not the one that the zone publishes")
        writer.write(f"{purpose} {client}\r\n".encode())
        return reader, writer

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve_one(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            log.info("stream ended: %r", error)
        except asyncio.CancelledError:  # the host ends; asyncio would tell of a task that was cancelled as of a fault
            pass
        finally:
            self._open.discard(task)
            with contextlib.suppress(Exception):
                writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = self._peer(writer)
        if peer is None:
            log.warning("stream refused: %r is no host of the zone", writer.get_extra_info("peername"))
            return None
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            line = await reader.readuntil(b"\r\n")
        purpose, _, client = line[:FIRST_LINE_OCTETS_MAX].decode("ascii").strip().partition(" ")
        if purpose in self._between:
            return await self._between[purpose](reader, writer, peer.name)
        serve = self._purposes.get(purpose)
        if serve is None:
            log.warning("stream refused: %s asks for %r", peer.name, purpose)
            return None
        return await serve(reader, writer, str(ipaddress.ip_address(client)) if client != "-" else peer.address)

    def _peer(self, writer: asyncio.StreamWriter) -> HostRecord | None:
        """Return the zone's record of the host at the other end; None for a stranger."""
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        key = x509.load_der_x509_certificate(der).public_key() if der else None
        if not isinstance(key, Ed25519PublicKey):
            return None
        raw = key.public_bytes_raw()
        return next((record for record in self._directory().hosts.values() if record.key == raw), None)
