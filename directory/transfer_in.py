"""Fetches the zone from the primary when it has a newer one: SOA, then AXFR, on one connection (RFC 5936).

Law: what arrives is bounded in octets, records and time, and is believed only once it is whole and well formed.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import dns.exception

from directory import wire
from directory.rdata import rdata_text
from directory.wire import Malformed, WireRecord
from directory.zone import Record, Zone, is_newer, soa_numbers, zone_of
from directory.zone_text import RECORDS_MAX, ZONE_OCTETS_MAX

TRANSFER_SECONDS_MAX = 120.0  # 65,536 buckets take 2 seconds; a primary that drips is given up
CONNECT_SECONDS_MAX = 5.0


class TransferFailed(Exception):
    """There is no zone to be had now; the message says why."""


@dataclass(frozen=True, slots=True)
class Primary:
    """Where the zone comes from. `local`: the address to come from, by which the primary knows its hosts."""

    address: str
    port: int
    local: str = ""


async def fetch(primary: Primary, origin: bytes, known: int | None) -> Zone | None:
    """Return the primary's zone if its serial is newer than `known` (None: whatever it has), else None."""
    try:
        async with asyncio.timeout(TRANSFER_SECONDS_MAX), _connected(primary) as (reader, writer):
            serial = await _ask_serial(reader, writer, origin)
            if known is not None and not is_newer(serial, known):
                return None
            records = await _ask_zone(reader, writer, origin)
        return await asyncio.to_thread(_checked, origin, records)
    except TimeoutError:
        raise TransferFailed("the primary does not answer in time") from None
    except (OSError, EOFError) as wrong:
        raise TransferFailed(f"no connection to the primary: {wrong}") from None
    except (Malformed, struct.error) as wrong:
        raise TransferFailed(f"the primary's answer cannot be read: {wrong}") from None


@asynccontextmanager
async def _connected(primary: Primary) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    local = (primary.local, 0) if primary.local else None
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(primary.address, primary.port, local_addr=local)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _ask_serial(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: bytes) -> int:
    ident = _ask(writer, origin, wire.SOA)
    records, _ = await _answer(reader, ident)
    soas = [record for record in records if record.rtype == wire.SOA and record.owner == origin]
    if not soas or len(soas[0].rdata) < 22:
        raise TransferFailed("the primary has no such zone")
    return soa_numbers(soas[0].rdata)[0]


async def _ask_zone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: bytes) -> list[Record]:
    """Collect the records between the two SOAs, the first of them included."""
    ident = _ask(writer, origin, wire.AXFR)
    records: list[Record] = []
    octets, first = 0, None
    while True:
        arrived, size = await _answer(reader, ident)
        octets += size
        if octets > ZONE_OCTETS_MAX or len(records) > RECORDS_MAX:
            raise TransferFailed("the primary's zone is larger than a zone may be")
        for at, record in enumerate(arrived):
            if first is None and (record.rtype != wire.SOA or record.owner != origin):
                raise TransferFailed("the transfer does not begin with the SOA")  # RFC 5936 2.2
            if first is not None and record.rtype == wire.SOA:
                if record != first or at != len(arrived) - 1:
                    raise TransferFailed("the zone changed during its transfer")
                return records
            first = first or record
            if record.rclass == wire.CLASS_IN and wire.is_below(record.owner, origin):
                records.append(Record(record.owner, record.rtype, record.ttl & 0x7FFFFFFF, record.rdata, 0))
        if not arrived:
            raise TransferFailed("an empty message in the transfer")


def _ask(writer: asyncio.StreamWriter, origin: bytes, rtype: int) -> int:
    ident = secrets.randbits(16)
    message = wire.HEADER.pack(ident, 0, 1, 0, 0, 0) + origin + struct.pack("!HH", rtype, wire.CLASS_IN)
    writer.write(struct.pack("!H", len(message)) + message)
    return ident


async def _answer(reader: asyncio.StreamReader, ident: int) -> tuple[list[WireRecord], int]:
    """Read one message; return the records of its answer, and its size."""
    length = int.from_bytes(await reader.readexactly(2), "big")
    message = await reader.readexactly(length)
    got, flags, questions, answers, _, _ = wire.HEADER.unpack_from(message)
    if got != ident or not flags & wire.QR or questions > 1:
        raise Malformed("not the answer to our question")
    if flags & 15:
        code = {wire.SERVFAIL: "it has no zone yet", wire.REFUSED: "refused", wire.NOTAUTH: "not authoritative"}
        raise TransferFailed(f"the primary says no: {code.get(flags & 15, f'code {flags & 15}')}")
    at, records = wire.read_question(message).end if questions else 12, []
    for _ in range(answers):
        record, at = wire.read_record(message, at)
        records.append(record)
    return records, length


def _checked(origin: bytes, records: list[Record]) -> Zone:
    """Make the zone. Every distinct piece of data has to be what its type says; a fabric has few."""
    try:
        for rtype, rdata in {(record.rtype, record.rdata) for record in records}:
            rdata_text(rtype, rdata)
    except (dns.exception.DNSException, ValueError) as wrong:
        raise TransferFailed(f"the primary's zone holds broken data: {wrong!r}"[:200]) from None
    return zone_of(origin, records)
