"""What changed from one served version of the zone to the next, for who asks for that alone (RFC 1995).

Law: bounded, and in memory: who asks for more than it holds, or after a restart, gets the whole zone. Versions are
compared as they were served, so that the changes from one to the next are the next, whatever brought them about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from directory.zone import Node, Zone

VERSIONS_MAX = 100  # a secondary that missed more is as well served with the whole
OCTETS_MAX = 1 << 20  # of all changes: two zones of 4,096 buckets
POINTER = b"\xc0\x0c"  # to the question's name, which is the zone's

Records = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """From one version to the next: their serials, their SOAs, and the other records, as they are sent."""

    serials: tuple[int, int]
    soas: tuple[bytes, bytes]
    deleted: Records
    added: Records

    @property
    def octets(self) -> int:
        return sum(map(len, self.deleted)) + sum(map(len, self.added))


class Journal:
    """The newest changes, without a gap."""

    def __init__(self) -> None:
        self._deltas: deque[Delta] = deque()

    def note(self, before: Zone, after: Zone) -> None:
        """A version takes the place of another."""
        if self._deltas and self._deltas[-1].serials[1] != before.serial:
            self._deltas.clear()
        self._deltas.append(delta_of(before, after))
        while len(self._deltas) > VERSIONS_MAX or sum(delta.octets for delta in self._deltas) > OCTETS_MAX:
            self._deltas.popleft()

    def since(self, serial: int, upto: int) -> list[Delta]:
        """Return the changes from one version to another; none, if it does not know them all."""
        known = list(self._deltas)
        for at, delta in enumerate(known):
            if delta.serials[0] == serial:
                return known[at:] if known[-1].serials[1] == upto else []
        return []


def delta_of(before: Zone, after: Zone) -> Delta:
    soas = POINTER + POINTER.join(before.soa.bodies[0]), POINTER + POINTER.join(after.soa.bodies[0])
    deleted, added = tuple(_missing(before, after)), tuple(_missing(after, before))
    return Delta((before.serial, after.serial), soas, deleted, added)


def _missing(zone: Zone, other: Zone) -> Iterator[bytes]:
    """What stands in one version and not in the other, or not with this TTL."""
    nothing: Node = {}
    for owner, node in zone.nodes.items():
        there = other.nodes.get(owner, nothing)
        if there is node:
            continue
        for rtype, rrset in node.items():
            held = there.get(rtype)
            if rrset == held or rrset is zone.soa:
                continue
            kept = held.rdatas if held and held.ttl == rrset.ttl else ()
            for rdata, pieces in zip(rrset.rdatas, rrset.bodies, strict=True):
                if rdata not in kept:
                    yield owner[: -len(zone.origin)] + POINTER + POINTER.join(pieces)
