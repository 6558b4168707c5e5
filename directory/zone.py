"""A zone as a value: its records by name and type, ready to be compared, answered from and transferred.

Law: a zone is immutable. Equal sets of records are one object: 65,536 buckets on three hosts are three sets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from directory import wire

Pieces = tuple[bytes, ...]


class Record(NamedTuple):
    """One record, as read: `owner` is a wire name in lower case; `line` 0 stands for "from no file"."""

    owner: bytes
    rtype: int
    ttl: int
    rdata: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Rrset:
    """The records of one type at one name (RFC 2181 5).

    `bodies` are the records without their owners, cut where the zone's own name stood: a compression pointer to it
    goes there (``pointer.join(pieces)``). `answer` is all of them behind a pointer to the question, cut likewise.
    """

    rtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
    bodies: tuple[Pieces, ...] = field(compare=False, repr=False)
    answer: Pieces = field(compare=False, repr=False)


Node = Mapping[int, Rrset]


@dataclass(frozen=True, slots=True)
class Zone:
    """One version of a zone. `records` are kept while somebody wants the lines; a zone that is served drops them."""

    origin: bytes
    nodes: Mapping[bytes, Node]  # with a node for every empty name between (RFC 8020)
    records: tuple[Record, ...] = field(default=(), compare=False, repr=False)

    @property
    def domain(self) -> str:
        return wire.text_of(self.origin)

    @property
    def soa(self) -> Rrset:
        return self.nodes[self.origin][wire.SOA]

    @property
    def serial(self) -> int:
        return soa_numbers(self.soa.rdatas[0])[0]

    def rdatas(self, name: bytes, rtype: int) -> tuple[bytes, ...]:
        """Return the rdata of a name and type, or ()."""
        rrset = self.nodes.get(name, {}).get(rtype)
        return rrset.rdatas if rrset else ()

    def rrsets(self) -> Iterator[tuple[bytes, Rrset]]:
        """Every set but the SOA, with its owner."""
        for owner, node in self.nodes.items():
            for rtype, rrset in node.items():
                if rtype != wire.SOA:
                    yield owner, rrset

    def with_serial(self, serial: int) -> Zone:
        """Return the zone with another serial and everything else as it is."""
        apex = dict(self.nodes[self.origin])
        rdata = apex[wire.SOA].rdatas[0]
        changed = rdata[:-20] + struct.pack("!I", serial) + rdata[-16:]
        apex[wire.SOA] = make_rrset(self.origin, wire.SOA, apex[wire.SOA].ttl, (changed,))
        return Zone(self.origin, {**self.nodes, self.origin: apex}, self.records)

    def without_lines(self) -> Zone:
        return Zone(self.origin, self.nodes)

    def says_the_same(self, other: Zone) -> bool:
        """Tell whether two versions differ in nothing but the serial."""
        return self == other.with_serial(self.serial)


def zone_of(origin: bytes, records: Iterable[Record]) -> Zone:
    """Gather records into a zone. Takes what it gets: whether it is a good zone, `directory.lint` says."""
    kept = tuple(records)
    gathered: dict[tuple[bytes, int], list[Record]] = {}
    for record in kept:
        gathered.setdefault(record[:2], []).append(record)
    sets: dict[tuple[int, int, tuple[bytes, ...]], Rrset] = {}
    by_owner: dict[bytes, tuple[Rrset, ...]] = {}
    for (owner, rtype), group in gathered.items():
        # RFC 2181 5.2: one TTL for the set; the lowest can do no harm. Order means nothing, so ours is by value.
        ttl = group[0].ttl if len(group) == 1 else min(record.ttl for record in group)
        rdatas = (group[0].rdata,) if len(group) == 1 else tuple(sorted({record.rdata for record in group}))
        key = (rtype, ttl, rdatas)
        rrset = sets.get(key) or sets.setdefault(key, make_rrset(origin, *key))
        by_owner[owner] = (*by_owner.get(owner, ()), rrset)
    return Zone(origin, _nodes(origin, by_owner), kept)


def make_rrset(origin: bytes, rtype: int, ttl: int, rdatas: tuple[bytes, ...]) -> Rrset:
    bodies = tuple(_body(origin, rtype, ttl, rdata) for rdata in rdatas)
    answer: list[bytes] = [b""]
    for pieces in bodies:
        answer[-1] += b"\xc0\x0c" + pieces[0]
        answer.extend(pieces[1:])
    return Rrset(rtype, ttl, rdatas, bodies, tuple(answer))


def soa_numbers(rdata: bytes) -> tuple[int, int, int, int, int]:
    """Return serial, refresh, retry, expire, minimum."""
    serial, refresh, retry, expire, minimum = struct.unpack("!5I", rdata[-20:])
    return serial, refresh, retry, expire, minimum


def is_newer(serial: int, than: int) -> bool:
    """Compare serials as RFC 1982 3.2 does: modulo 2^32, newer within half the circle."""
    return 0 < (serial - than) & 0xFFFFFFFF < 0x80000000


def _body(origin: bytes, rtype: int, ttl: int, rdata: bytes) -> Pieces:
    pieces = _cut(origin, rtype, rdata)
    length = sum(map(len, pieces)) + 2 * (len(pieces) - 1)
    return (wire.FIXED.pack(rtype, wire.CLASS_IN, ttl, length) + pieces[0], *pieces[1:])


def _cut(origin: bytes, rtype: int, rdata: bytes) -> Pieces:
    """Cut rdata where the zone's own name stands at the end of one of its names."""
    if rtype not in wire.COMPRESSIBLE:
        return (rdata,)
    start, names = wire.COMPRESSIBLE[rtype]
    pieces, begin = [], 0
    for _ in range(names):
        _, end = wire.read_name(rdata, start)
        if wire.is_below(rdata[start:end].lower(), origin):
            pieces.append(rdata[begin : end - len(origin)])
            begin = end
        start = end
    return (*pieces, rdata[begin:])


def _nodes(origin: bytes, by_owner: Mapping[bytes, tuple[Rrset, ...]]) -> dict[bytes, Node]:
    """One dictionary per distinct node, and the empty names between."""
    distinct: dict[tuple[int, ...], Node] = {}
    nodes: dict[bytes, Node] = {}
    for owner, rrsets in by_owner.items():
        key = tuple(map(id, rrsets))
        node = distinct.get(key)
        if node is None:
            node = distinct[key] = {rrset.rtype: rrset for rrset in rrsets}
        nodes[owner] = node
    for owner in by_owner:
        parent = owner[owner[0] + 1 :] if owner[0] else owner
        while len(parent) > len(origin) and parent not in nodes:
            nodes[parent] = {}
            parent = parent[parent[0] + 1 :]
    return nodes
