"""When a copy is shown, and when not: the zone, the owner, the copy, each has to say yes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from directory.fabric import to_directory
from directory.hosts import with_owners, with_standby
from directory.snapshot import Directory
from directory.zone import Zone
from heliograph.ownership.holding import OWNER, SEALED, Holding
from heliograph.standby.replicas import NoReplica, ReplicaState
from heliograph.standby.stand_ins import GRACE_SECONDS, StandIns
from heliograph.tables import MIGRATIONS
from mailbox_host.imap.stand_in import StandIn
from store import Store
from tests.directory import fabricated
from tests.fabric.town import until

HEIDI = "heidi"  # of bucket 6, which is host-3's


def zone(change: Callable[[Zone], Any] = lambda zone: zone.nodes) -> Directory:
    """host-1 stands by for host-3."""
    whole = fabricated.zone()
    whole = Zone(whole.origin, with_standby(whole, "host-3", "host-1"))
    return to_directory(Zone(whole.origin, change(whole)))


class World:
    """A standby's replicas, its zone, its clock, the owner's door and the sessions of its server, all in one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zone = zone()
        self.state: ReplicaState | None = ReplicaState("host-3", True, 0.0)
        self.now, self.up, self.asked = 0.0, False, 0
        self.lent, self.full = 0, False
        self.people: set[str] = set()
        self.press: Callable[[str], object] = lambda owner: None
        self.changed: Callable[[Directory], None] = lambda zone: None
        store = Store(path, MIGRATIONS)
        bucket = self.zone.names.bucket(HEIDI)
        store.write_now(lambda tx: put(tx, Holding("timeline", bucket, OWNER, 1)))
        store.close()

    def on_pressure(self, callback: Callable[[str], object]) -> None:
        self.press = callback

    @asynccontextmanager
    async def lend(self, owner: str, newest: bool = True) -> AsyncIterator[Path]:
        if self.state is None:
            raise NoReplica(owner)
        if self.full:
            raise OSError(28, "No space left on device")
        self.lent += 1
        yield self.path
        self.lent -= 1

    async def open(self, host: str, client: str) -> tuple[asyncio.StreamReader, Any]:
        self.asked += 1
        if not self.up:
            await asyncio.sleep(0)
            raise OSError("refused")
        reader = asyncio.StreamReader()
        reader.feed_data(b"* OK here\r\n")
        return reader, Writer()

    def shown(self, copy: StandIn) -> set[str]:
        return self.people

    async def put_away(self, copy: StandIn, accounts: set[str] | None = None) -> None:
        self.people -= self.people if accounts is None else accounts


class Writer:
    def close(self) -> None:
        pass


def put(tx: Any, holding: Holding) -> None:
    marks = ", ".join("?" * len(dataclasses.astuple(holding)))
    tx.execute(f"INSERT OR REPLACE INTO holding VALUES ({marks})", dataclasses.astuple(holding))


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[StandIns]:
    here = StandIns("host-1", Replicas(world), lambda: world.zone, world.open, lambda: world.now)  # type: ignore[arg-type]
    here.sessions = world  # type: ignore[assignment]

    def subscribe(callback: Callable[[Directory], None]) -> None:
        world.changed = callback

    async with here.at_work(subscribe):
        yield here


class Replicas:
    def __init__(self, world: World) -> None:
        self.lend, self.on_pressure = world.lend, world.on_pressure
        self.state = lambda owner: world.state


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "heliograph.db")


async def absent(here: StandIns, world: World) -> None:
    """The owner is away for long enough."""
    assert await here.borrow("host-3", HEIDI) is None
    world.now += GRACE_SECONDS


async def test_a_copy_is_shown_after_a_while_to_all_and_closed_when_the_owner_is_back(world: World) -> None:
    async with at_work(world) as here:
        await absent(here, world)
        copy = await here.borrow("host-3", HEIDI)
        assert copy is not None and await here.borrow("host-3", HEIDI) is copy and world.lent == 1
        world.people = {HEIDI}
        world.up = True
        await here.look()
        assert copy.closed and not world.people and not world.lent
        assert await here.borrow("host-3", HEIDI) is None
        world.up = False  # away again: for a moment that is nothing
        assert await here.borrow("host-3", HEIDI) is None


async def test_an_owner_that_answers_is_not_away_whatever_others_say(world: World) -> None:
    world.up = True
    async with at_work(world) as here:
        await absent(here, world)
        assert await here.borrow("host-3", HEIDI) is None and not world.lent


async def test_many_who_come_at_once_ask_the_owner_once(world: World) -> None:
    async with at_work(world) as here:
        await asyncio.gather(*(here.borrow("host-3", HEIDI) for _ in range(50)))
        assert world.asked == 1
        world.up, world.asked = True, 0
        await here.look()
        await asyncio.gather(*(here.borrow("host-3", HEIDI) for _ in range(50)))
        assert world.asked == 1


def elsewhere(world: World) -> None:
    bucket = world.zone.names.bucket(HEIDI)
    world.zone = zone(lambda zone: with_owners(zone, "timeline", {bucket: "host-2"}))


def other_standby(world: World) -> None:
    world.zone = zone(lambda zone: with_standby(zone, "host-3", "host-2"))


def half_a_copy(world: World) -> None:
    world.state = ReplicaState("host-3", False, 0.0)


def no_copy(world: World) -> None:
    world.state = None


def sealed(world: World) -> None:
    rewrite(world, lambda tx: put(tx, Holding("timeline", world.zone.names.bucket(HEIDI), SEALED, 2)))


def of_another_version(world: World) -> None:
    rewrite(world, lambda tx: tx.execute("INSERT INTO migration VALUES ('mailbox_host', 999)"))


def no_database(world: World) -> None:
    world.path.write_bytes(b"no database" * 1000)


def rewrite(world: World, work: Callable[[Any], Any]) -> None:
    store = Store(world.path, MIGRATIONS)
    store.write_now(work)
    store.close()


NOT_SHOWN = (elsewhere, other_standby, half_a_copy, no_copy, sealed, of_another_version, no_database)


@pytest.mark.parametrize("case", NOT_SHOWN, ids=[case.__name__ for case in NOT_SHOWN])
async def test_a_copy_is_not_shown(world: World, case: Callable[[World], None]) -> None:
    case(world)
    async with at_work(world) as here:
        await absent(here, world)
        assert await here.borrow("host-3", HEIDI) is None


async def test_the_zone_ends_a_session_and_so_does_whoever_wants_the_file(world: World) -> None:
    async with at_work(world) as here:
        await absent(here, world)
        copy = await here.borrow("host-3", HEIDI)
        world.people = {HEIDI, "frank"}
        elsewhere(world)
        world.changed(world.zone)
        await until(lambda: HEIDI not in world.people)
        assert copy is not None and not copy.closed and world.people == {"frank"}
        world.press("host-3")
        await until(lambda: not world.lent)
        assert copy.closed and not world.people
        world.zone = zone()
        assert await here.borrow("host-3", HEIDI) is not None
        other_standby(world)
        world.changed(world.zone)
        await until(lambda: not world.lent)
        assert not here.shown()


async def test_a_copy_that_cannot_be_brought_up_is_none(world: World) -> None:
    """Who asks is told that the host is away, and may ask again; her connection does not end for it."""
    async with at_work(world) as here:
        await absent(here, world)
        world.full = True
        assert await here.borrow("host-3", HEIDI) is None
        world.full = False
        assert await here.borrow("host-3", HEIDI) is not None


async def test_a_loan_ends_though_a_session_could_not_be_put_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(copy: StandIn, accounts: set[str] | None = None) -> None:
        raise RuntimeError("a session's fault")

    async with at_work(world) as here:
        await absent(here, world)
        assert await here.borrow("host-3", HEIDI) and world.lent == 1
        with monkeypatch.context() as patch:
            patch.setattr(world, "put_away", fails)
            world.press("host-3")
            await until(lambda: not here.shown() and not world.lent)
