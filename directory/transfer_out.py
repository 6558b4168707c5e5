"""A zone as the messages of a transfer (RFC 5936, 1995), for the hosts and for anybody's secondaries.

Law: one message at a time, so that a large zone is never in memory twice and the loop runs on in between.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from directory import wire
from directory.journal import POINTER, Delta, Journal
from directory.wire import Question
from directory.zone import Pieces, Zone, is_newer, soa_numbers

MESSAGE_OCTETS = 16_000  # pointers reach 16,383 octets (RFC 1035 4.1.4), and 500 records take a millisecond


def transfer(zone: Zone, query: bytes, question: Question, journal: Journal | None = None) -> Iterator[bytes]:
    """Yield the messages that answer an AXFR or IXFR of this zone's own name. What the journal does not know, or what
    would be longer than the zone (RFC 1995 4), is answered with the whole."""
    header = struct.unpack_from("!H", query)[0], wire.QR | wire.AA
    echoed = query[12 : question.end]
    soa = POINTER + POINTER.join(zone.soa.bodies[0])
    has = client_serial(query, question.end) if question.rtype == wire.IXFR else None
    if has is not None and not is_newer(zone.serial, has):
        yield wire.HEADER.pack(*header, 1, 1, 0, 0) + echoed + soa  # RFC 1995 2: nothing is newer
        return
    deltas = journal.since(has, zone.serial) if journal and has is not None else []
    chunk, size = [soa], len(soa)
    for record in _changes(deltas) if deltas else _records(zone):
        if size + len(record) > MESSAGE_OCTETS:
            yield wire.HEADER.pack(*header, 1, len(chunk), 0, 0) + echoed + b"".join(chunk)
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    chunk.append(soa)
    yield wire.HEADER.pack(*header, 1, len(chunk), 0, 0) + echoed + b"".join(chunk)


def client_serial(query: bytes, at: int) -> int | None:
    """The serial that an IXFR's client has, from its authority section."""
    try:
        record, _ = wire.read_record(query, at)
    except wire.Malformed:
        return None
    return soa_numbers(record.rdata)[0] if record.rtype == wire.SOA and len(record.rdata) >= 22 else None


def _changes(deltas: list[Delta]) -> Iterator[bytes]:
    for delta in deltas:
        yield delta.soas[0]
        yield from delta.deleted
        yield delta.soas[1]
        yield from delta.added


def _records(zone: Zone) -> Iterator[bytes]:
    cut = len(zone.origin)
    ready: dict[int, list[bytes]] = {}
    for owner, rrset in zone.rrsets():
        bodies = ready.get(id(rrset))
        if bodies is None:
            bodies = ready[id(rrset)] = [_joined(pieces) for pieces in rrset.bodies]
        name = owner[:-cut] + POINTER
        for body in bodies:
            yield name + body


def _joined(pieces: Pieces) -> bytes:
    return POINTER.join(pieces)
