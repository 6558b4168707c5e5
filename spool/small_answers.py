"""A name server of which only small answers are read.

Law: whoever owns a name chooses how large its answers are, and a stranger whose names we ask for. Reading 4,000 records
takes an eighth of a second, in which nobody else is served: how many there are is looked at before any is read.
"""

from __future__ import annotations

import asyncio
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.query

RECORDS_MAX = 128  # with what comes beside the answer; the largest names of the world have half of it

_HEADER_OCTETS = 12


class SmallAnswers(dns.nameserver.Do53Nameserver):
    """Over UDP an answer is small; over TCP it can have 64 kB."""

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ASYNC109 (the resolver calls it so)
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """`max_size`: over TCP. The resolver takes what is raised here for a server that does not work."""
        if not max_size:
            return await super().async_query(request, timeout, source, source_port, max_size, backend)
        async with asyncio.timeout(timeout):
            return _read(request, await self._over_tcp(request.to_wire()))

    async def _over_tcp(self, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(wire).to_bytes(2, "big") + wire)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()


def ask_for_small(resolver: dns.asyncresolver.Resolver) -> None:
    """Have a resolver ask its servers so."""
    servers = [
        SmallAnswers(one.address, one.port)
        if isinstance(one, dns.nameserver.Do53Nameserver)
        else SmallAnswers(str(one), resolver.port)
        for one in resolver.nameservers
    ]
    resolver.nameservers = servers


def _read(request: dns.message.Message, wire: bytes) -> dns.message.Message:
    counts = [int.from_bytes(wire[at : at + 2], "big") for at in range(6, _HEADER_OCTETS, 2)]
    if len(wire) < _HEADER_OCTETS or sum(counts) > RECORDS_MAX:
        raise dns.exception.FormError
    response = dns.message.from_wire(wire)
    if not request.is_response(response):
        raise dns.query.BadResponse
    return response
