"""Fetches the zone from the primary when it has a newer one: SOA, then IXFR (RFC 1995), or AXFR (RFC 5936).

Law: what arrives is bounded in octets, records and time, and is believed only once it is whole and well formed. Changes
that do not fit to what is here, or are not to be had, are no reason to be without a zone: then all of it is asked for.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import dns.exception

from directory import wire
from directory.changes import changed
from directory.rdata import rdata_text
from directory.tsig import Key, Signer, Verifier
from directory.wire import Malformed, WireRecord
from directory.zone import Record, Zone, is_newer, soa_numbers, zone_of
from directory.zone_text import RECORDS_MAX, ZONE_OCTETS_MAX

TRANSFER_SECONDS_MAX = 120.0  # 65,536 buckets take 2 seconds; a primary that drips is given up
CHANGES_SECONDS_MAX = 20.0  # then the whole is asked for
CONNECT_SECONDS_MAX = 5.0


class TransferFailed(Exception):
    """There is no zone to be had now; the message says why."""


class NoChanges(TransferFailed):
    """The changes alone are not to be had, or do not fit."""


class SerialWentBack(Exception):
    """The primary has an older zone than we had from it; `serial` is its."""

    def __init__(self, serial: int) -> None:
        super().__init__(f"serial {serial}")
        self.serial = serial


@dataclass(frozen=True, slots=True)
class Primary:
    """Where the zone comes from. `local`: the address to come from, by which the primary knows its hosts. `key`: what
    we sign with, and what the answers must be signed with."""

    address: str
    port: int
    local: str = ""
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a server's SOA says: its serial, and the primary's name."""

    serial: int
    primary: bytes


async def fetch(primary: Primary, origin: bytes, known: int | None, ours: Zone | None = None) -> Zone | None:
    """Return the primary's zone if its serial is newer than `known` (None: whatever it has), None if it is the same.
    `ours`: a version to which the changes alone are asked for."""
    if ours is not None and ours.serial == known:
        with suppress(NoChanges):
            return await _fetch(primary, origin, known, ours)
    return await _fetch(primary, origin, known, None)


async def _fetch(primary: Primary, origin: bytes, known: int | None, ours: Zone | None) -> Zone | None:
    with _told_apart():
        async with asyncio.timeout(TRANSFER_SECONDS_MAX), _connected(primary) as line:
            claim = await _ask_claim(line, origin)
            if claim.serial == known:
                return None
            if known is not None and not is_newer(claim.serial, known):
                raise SerialWentBack(claim.serial)
            if ours is not None:
                return await _ask_changes(line, origin, ours)
            records = await _ask_zone(line, origin, None)
        return await asyncio.to_thread(_checked, origin, records)


async def _ask_changes(line: _Line, origin: bytes, ours: Zone) -> Zone:
    try:
        async with asyncio.timeout(CHANGES_SECONDS_MAX):
            records = await _ask_zone(line, origin, ours)
        return await asyncio.to_thread(_checked, origin, records, ours)
    except (TransferFailed, Malformed, struct.error, TimeoutError, EOFError) as wrong:
        raise NoChanges(str(wrong)) from None


async def ask(primary: Primary, origin: bytes, seconds: float = CONNECT_SECONDS_MAX) -> Claim:
    """Return what a server's SOA says."""
    with _told_apart():
        async with asyncio.timeout(seconds), _connected(primary) as line:
            return await _ask_claim(line, origin)


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise TransferFailed("the primary does not answer in time") from None
    except (OSError, EOFError) as wrong:
        raise TransferFailed(f"no connection to the primary: {wrong}") from None
    except (Malformed, struct.error) as wrong:
        raise TransferFailed(f"the primary's answer cannot be read: {wrong}") from None


class _Line:
    """One connection: a question, and its answer message by message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: Key | None) -> None:
        self._reader, self._writer, self._key = reader, writer, key
        self._ident = 0
        self._verifier: Verifier | None = None

    def ask(self, origin: bytes, rtype: int, ours: Zone | None = None) -> None:
        """`ours`: the version that an IXFR asks for the changes of (RFC 1995 3)."""
        self._ident = secrets.randbits(16)
        header = wire.HEADER.pack(self._ident, 0, 1, 0, int(ours is not None), 0)
        message = header + origin + struct.pack("!HH", rtype, wire.CLASS_IN)
        if ours is not None:
            rdata = ours.soa.rdatas[0]
            message += origin + wire.FIXED.pack(wire.SOA, wire.CLASS_IN, 0, len(rdata)) + rdata
        if self._key:
            signer = Signer(self._key)
            message = signer.sign(message, time.time())
            self._verifier = Verifier(self._key, signer.mac)
        self._writer.write(struct.pack("!H", len(message)) + message)

    async def answer(self) -> tuple[list[WireRecord], int]:
        """Read one message; return the records of its answer, and its size."""
        length = int.from_bytes(await self._reader.readexactly(2), "big")
        message = await self._reader.readexactly(length)
        got, flags, questions, answers, _, _ = wire.HEADER.unpack_from(message)
        if got != self._ident or not flags & wire.QR or questions > 1:
            raise Malformed("not the answer to our question")
        at, records = wire.read_question(message).end if questions else 12, []
        for _ in range(answers):
            record, at = wire.read_record(message, at)
            records.append(record)
        if self._verifier and not (flags & 15 and _says_nothing(message)):
            self._verifier.take(message, at, time.time())
        if flags & 15:
            raise TransferFailed(f"the primary says no: {_CODES.get(flags & 15, f'code {flags & 15}')}")
        return records, length

    def done(self) -> None:
        if self._verifier:
            self._verifier.done()


_CODES = {wire.SERVFAIL: "it has no zone yet", wire.REFUSED: "refused", wire.NOTAUTH: "not authoritative"}


def _says_nothing(message: bytes) -> bool:
    """An unsigned "no" can only make us try again: believe it, so that its reason is seen (RFC 8945 5.3.2)."""
    return not any(message[6:12])


@asynccontextmanager
async def _connected(primary: Primary) -> AsyncIterator[_Line]:
    local = (primary.local, 0) if primary.local else None
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(primary.address, primary.port, local_addr=local)
    try:
        yield _Line(reader, writer, primary.key)
    finally:
        writer.close()


async def _ask_claim(line: _Line, origin: bytes) -> Claim:
    line.ask(origin, wire.SOA)
    records, _ = await line.answer()
    line.done()
    soas = [record for record in records if record.rtype == wire.SOA and record.owner == origin]
    if not soas or len(soas[0].rdata) < 22:
        raise TransferFailed("the primary has no such zone")
    return Claim(soa_numbers(soas[0].rdata)[0], wire.read_name(soas[0].rdata, 0)[0].lower())


async def _ask_zone(line: _Line, origin: bytes, ours: Zone | None) -> list[Record]:
    """Collect the records before the last SOA: of the whole zone, or, if changes were asked for and to be had, those of
    each version after the next, SOAs and all (RFC 1995 4)."""
    line.ask(origin, wire.AXFR if ours is None else wire.IXFR, ours)
    records: list[Record] = []
    octets, first, ends = 0, None, 1  # how often the first SOA comes again
    while True:
        arrived, size = await line.answer()
        octets += size
        if octets > ZONE_OCTETS_MAX or len(records) > RECORDS_MAX:
            raise TransferFailed("the primary's zone is larger than a zone may be")
        for at, record in enumerate(arrived):
            if first is None and (record.rtype != wire.SOA or record.owner != origin):
                raise TransferFailed("the transfer does not begin with the SOA")  # RFC 5936 2.2
            if len(records) == 1 and ours is not None and _serial(record) == ours.serial:
                ends = 2
            if first is not None and record.rtype == wire.SOA and (ends == 1 or record == first):
                ends -= 1
                if not ends:
                    if record != first or at != len(arrived) - 1:
                        raise TransferFailed("the zone changed during its transfer")
                    line.done()
                    return records
            first = first or record
            if record.rclass == wire.CLASS_IN and wire.is_below(record.owner, origin):
                records.append(Record(record.owner, record.rtype, record.ttl & 0x7FFFFFFF, record.rdata, 0))
        if not arrived:
            raise TransferFailed("an empty message in the transfer")


def _serial(record: WireRecord) -> int | None:
    return soa_numbers(record.rdata)[0] if record.rtype == wire.SOA and len(record.rdata) >= 22 else None


def _checked(origin: bytes, records: list[Record], ours: Zone | None = None) -> Zone:
    """Make the zone. Every distinct piece of data has to be what its type says; a fabric has few."""
    try:
        for rtype, rdata in {(record.rtype, record.rdata) for record in records}:
            rdata_text(rtype, rdata)
    except (dns.exception.DNSException, ValueError) as wrong:
        raise TransferFailed(f"the primary's zone holds broken data: {wrong!r}"[:200]) from None
    changes = ours is not None and len(records) > 1 and records[1].rtype == wire.SOA
    return zone_of(origin, changed(ours, records) if ours is not None and changes else records)
