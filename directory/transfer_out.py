"""A zone as the messages of a transfer (RFC 5936), for the hosts and for anybody's secondaries.

Law: one message at a time, so that a large zone is never in memory twice and the loop runs on in between.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from directory import wire
from directory.wire import Question
from directory.zone import Pieces, Zone, is_newer, soa_numbers

MESSAGE_OCTETS = 16_000  # pointers reach 16,383 octets (RFC 1035 4.1.4), and 500 records take a millisecond
_POINTER = b"\xc0\x0c"  # to the question's name, which is the zone's


def transfer(zone: Zone, query: bytes, question: Question) -> Iterator[bytes]:
    """Yield the messages that answer an AXFR or IXFR of this zone's own name."""
    header = struct.unpack_from("!H", query)[0], wire.QR | wire.AA
    echoed = query[12 : question.end]
    soa = _POINTER + _POINTER.join(zone.soa.bodies[0])
    has = client_serial(query, question.end) if question.rtype == wire.IXFR else None
    if has is not None and not is_newer(zone.serial, has):
        yield wire.HEADER.pack(*header, 1, 1, 0, 0) + echoed + soa  # RFC 1995 2: nothing is newer
        return
    chunk, size = [soa], len(soa)
    for record in _records(zone):
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


def _records(zone: Zone) -> Iterator[bytes]:
    cut = len(zone.origin)
    ready: dict[int, list[bytes]] = {}
    for owner, rrset in zone.rrsets():
        bodies = ready.get(id(rrset))
        if bodies is None:
            bodies = ready[id(rrset)] = [_joined(pieces) for pieces in rrset.bodies]
        name = owner[:-cut] + _POINTER
        for body in bodies:
            yield name + body


def _joined(pieces: Pieces) -> bytes:
    return _POINTER.join(pieces)
