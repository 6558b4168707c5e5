"""What becomes of a bucket while it is let go of, or while others are asked about it: no owner is cleared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from heliograph.moving import frames
from heliograph.moving.agreement import Agreement
from heliograph.moving.cargo import Reflectors, Timelines
from heliograph.moving.clearing import clear
from heliograph.moving.demoting import forget_coming
from heliograph.moving.frames import Broken, packed
from heliograph.moving.mover import Mover
from heliograph.moving.parties import Party
from heliograph.ownership.holding import ACQUIRING, OWNER, SEALED, TOMBSTONE, Holding
from heliograph.ownership.ownership import Ownership, find
from heliograph.tables import MIGRATIONS
from mailbox_host import accounts
from spool.queue import Queue
from store import Store

NOW = 1_800_000_000.0
HOSTS = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in ("host-1", "host-2")}
ZONE = Directory(FabricNames("fabric.test", 1), 5, HOSTS, ("host-2",), ("host-2",))  # everybody is in bucket 0
KEY = ("timeline", 0)
WAS = {
    TOMBSTONE: Holding(*KEY, TOMBSTONE, 2, "host-2", 3, NOW, True),
    ACQUIRING: Holding(*KEY, ACQUIRING, 2, "host-2", 3, NOW),
}
IS = Holding(*KEY, OWNER, 5, "host-2", 5, NOW + 1)


@dataclass
class Watched:
    """A store; `then` is called once, before the write after so many."""

    store: Store
    after: int = 1 << 30
    then: Callable[[], object] = lambda: None

    @property
    def reader(self) -> Any:
        return self.store.reader

    async def read(self, query: Any) -> Any:
        return await self.store.read(query)

    async def write(self, work: Any) -> Any:
        self.after -= 1
        if self.after == -1:
            self.then()
        return await self.store.write(work)


@dataclass
class Place:
    """A host with two accounts in its only bucket."""

    party: Party
    store: Watched
    zone: list[Directory]

    def hold(self, one: Holding) -> None:
        """As the tables have it; that the loop knows it is another thing."""
        self.store.store.write_now(lambda tx: Ownership("host-1", {}, {}).put(tx, one))

    def held(self) -> Holding | None:
        return find(self.store.reader, *KEY)

    def people(self) -> list[str]:
        return [name for (name,) in self.store.reader.all("SELECT name FROM account ORDER BY name")]


def open_place(path: Path, state: str) -> Place:
    store, zone = Watched(Store(path / "db", MIGRATIONS)), [ZONE]
    store.store.write_now(lambda tx: accounts.add_many(tx, [("alice", None), ("bob", None)], NOW))
    cargo = {"timeline": Timelines(store.reader), "reflectors": Reflectors(store.reader, b"k" * 32)}
    owned = Ownership("host-1", {KEY: WAS[state]}, {})
    party = Party(
        "host-1",
        store,
        owned,
        Queue(),
        lambda: zone[0],
        cargo,
        lambda gone: None,
        lambda: NOW,  # type: ignore[arg-type]
    )
    place = Place(party, store, zone)
    place.hold(WAS[state])
    return place


def mover(place: Place) -> Mover:
    return Mover(place.party, None, lambda callback: lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("state", [TOMBSTONE, ACQUIRING])
async def test_a_bucket_that_comes_while_its_old_copy_goes_stays(tmp_path: Path, state: str, after: int) -> None:
    """What was handed over and is forgotten, what was to come and does not: both come after all, between two slices."""
    place = open_place(tmp_path, state)
    here: list[str] = []

    def comes() -> None:
        place.hold(IS)
        here.extend(place.people())

    place.store.after, place.store.then = after, comes
    work = mover(place)
    with contextlib.suppress(Broken):
        await (work.forget([WAS[state]]) if state == TOMBSTONE else work.taker.tidy())
    if place.store.after >= 0:
        comes()  # there were not so many writes
    assert place.held() == IS and place.people() == here
    place.store.store.close()


async def test_what_is_sealed_is_not_cleared(tmp_path: Path) -> None:
    place = open_place(tmp_path, TOMBSTONE)
    place.hold(replace(IS, state=SEALED))
    with pytest.raises(Broken):
        await clear(place.party, [KEY])
    assert place.people() == ["alice", "bob"]
    place.store.store.close()


async def test_what_a_lost_host_gave_is_told_by_the_tables(tmp_path: Path) -> None:
    """A commit that waits for the standby is not known to the loop yet: what was taken is owned, and stays; what has
    begun to come ends."""
    place = open_place(tmp_path, ACQUIRING)
    place.hold(IS)  # and the loop knows of ACQUIRING
    await forget_coming(place.party, "host-2")
    assert place.held() == IS and place.people() == ["alice", "bob"]
    place.hold(WAS[ACQUIRING])
    place.party.ownership._dropped([KEY])
    await forget_coming(place.party, "host-2")
    assert place.held() is None and place.people() == []
    place.store.store.close()


@pytest.mark.parametrize("happens", ["lost", "moved on"])
async def test_what_changed_while_others_were_asked_counts(tmp_path: Path, happens: str) -> None:
    place = open_place(tmp_path, TOMBSTONE)
    here = replace(ZONE, timeline=("host-1",))
    place.zone[0] = here

    class Inquiry:
        async def doubts(self, keys: Any, giver: str) -> dict[Any, str]:
            if happens == "lost":
                place.zone[0] = replace(here, serial=6, lost={"host-2": "host-1"})
            else:
                place.hold(replace(IS, state=SEALED))
            return {}

    agreement = Agreement(place.party, Inquiry(), "host-2")  # type: ignore[arg-type]
    layouts = {which: cargo.layout() for which, cargo in place.party.cargo.items()}
    offer = packed("offer", {"version": frames.VERSION, "layouts": layouts, "buckets": [[*KEY, 3, 5, ""]]})
    before = place.held() if happens == "lost" else replace(IS, state=SEALED)
    with pytest.raises(Broken):
        await agreement.answer(offer)
    assert place.held() == before and (happens == "lost" or place.people() == ["alice", "bob"])
    place.store.store.close()
