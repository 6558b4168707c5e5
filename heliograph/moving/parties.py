"""What both ends of a hand-over work with.

Law: nothing here decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from directory.names import FabricNames
from directory.snapshot import Directory, Map
from heliograph.moving.cargo import Cargo, Part, Wanted
from heliograph.ownership.holding import Holding, View
from heliograph.ownership.ownership import Ownership
from spool.queue import Queue
from store import Reader, Store, Transaction

REPLICA = " (replica)"  # after a lost host's name: who gives is not that host, but its heir out of its replica


async def nothing(point: str) -> None:
    """What a story of a fault takes the place of."""


@dataclass(frozen=True, slots=True)
class Party:
    """This host. `zone`: the zone itself; `turn_out`: ends the sessions of accounts; `at`: called at the named points
    of a hand-over, so that a story can break off there; `holds_back`: why a bucket is not taken from a host now, ""
    where it is; `may_return`: whether what a lost host has may be offered."""

    host: str
    store: Store
    ownership: Ownership
    queue: Queue
    zone: Callable[[], Directory]
    cargo: Mapping[str, Cargo]
    turn_out: Callable[[frozenset[str]], object]
    clock: Callable[[], float]
    at: Callable[[str], Awaitable[None]] = nothing
    holds_back: Callable[[str, str, int], str] = lambda giver, which, bucket: ""
    may_return: Callable[[], bool] = lambda: True

    @property
    def names(self) -> FabricNames:
        return self.zone().names

    def view(self, which: str, bucket: int) -> View:
        zone = self.zone()
        owners = zone.timeline if which == "timeline" else zone.reflectors
        return View(owners[bucket] if bucket < len(owners) else "", zone.serial)

    def in_buckets(self, buckets: Iterable[int]) -> Wanted:
        """What tells of a name whether it is in one of these buckets."""
        return Wanted(frozenset(buckets), self.names.bucket)

    def hurry(self, tx: Transaction) -> None:
        """Mail that was held because nobody was owner here, or went where nobody is any more, is tried now."""
        now = self.clock()
        for destination in ("", "here"):
            self.queue.hurry(tx, destination, now)


class Hashes:
    """What one end of a stream remembers of the digests of units: hashed while they are served, they are not hashed
    again, but for what changed, while they are nobody's."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._known: dict[tuple[str, str], Any] = {}

    def of(self, reader: Reader, keys: Iterable[tuple[str, int]]) -> dict[str, dict[str, str]]:
        """Return the digest of each unit in these buckets. In a thread: it takes as long as they are large."""
        found: dict[str, dict[str, str]] = {}
        for which, buckets in by_map(keys).items():
            cargo = self._party.cargo[which]
            units = cargo.units(reader, self._party.in_buckets(buckets))
            found[which] = {unit: cargo.digest(reader, unit, self._memory(which, unit)) for unit in units}
        return found

    def touch(self, which: str, parts: Iterable[Part]) -> None:
        for part in parts:
            if hashed := self._known.get((which, part["name"])):
                self._party.cargo[which].touch(hashed, part)

    def forget(self, which: str, unit: str) -> None:
        self._known.pop((which, unit), None)

    def clear(self) -> None:
        self._known.clear()

    def _memory(self, which: str, unit: str) -> Any:
        return self._known.setdefault((which, unit), self._party.cargo[which].hashed())


def by_map(keys: Iterable[tuple[str, int]]) -> dict[Map, list[int]]:
    """Sort (map, bucket) by map."""
    found: dict[Map, list[int]] = {}
    for which, bucket in keys:
        found.setdefault("timeline" if which == "timeline" else "reflectors", []).append(bucket)
    return found


def count_units(party: Party, source: Reader, held: Iterable[Holding]) -> Counter[tuple[str, int]]:
    """How many units there are in each of these buckets."""
    counts: Counter[tuple[str, int]] = Counter()
    hashed = party.names.bucket
    for which, buckets in by_map((one.map, one.bucket) for one in held).items():
        cargo = party.cargo[which]
        names = cargo.units(source, party.in_buckets(buckets))
        counts.update((which, cargo.bucket_of(name, hashed)) for name in names)
    return counts
