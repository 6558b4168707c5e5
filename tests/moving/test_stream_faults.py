"""A hand-over's stream that is cut, altered or played again: the taker owns what the giver had, or nothing."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from heliograph.moving.cargo import Reflectors, Timelines
from heliograph.moving.giver import Giver
from heliograph.moving.inquiry import Inquiry
from heliograph.moving.line import Line
from heliograph.moving.parties import Party
from heliograph.moving.progress import Progress
from heliograph.moving.taker import Taker
from heliograph.ownership.holding import OWNER, SEALED, TOMBSTONE
from heliograph.ownership.ownership import claim, find
from heliograph.tables import MIGRATIONS
from mail.control import Welcome
from mailbox_host import accounts, entries, timeline
from spool.queue import Queue
from store import Store
from tests.fabric import audit

NAMES = FabricNames("fabric.test", 1)  # everybody is in bucket 0
NOW = 1_800_000_000.0
HOSTS = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in ("host-1", "host-2")}
KEY = ("timeline", 0)


def zone(serial: int, owner: str) -> Directory:
    return Directory(NAMES, serial, HOSTS, (owner,), ("host-1",))


class NoStreams:
    async def open(self, host: str, purpose: str) -> Any:
        raise OSError("nobody is asked")


@dataclass
class End:
    """One host's end of a hand-over."""

    party: Party

    @property
    def store(self) -> Store:
        return self.party.store

    def state(self) -> str:
        held = find(self.store.reader, *KEY)
        return held.state if held else ""

    def digests(self) -> dict[str, str]:
        cargo, reader = self.party.cargo["timeline"], self.store.reader
        return {unit: cargo.digest(reader, unit) for unit in cargo.units(reader, self.party.in_buckets([0]))}


def end(path: Path, host: str) -> End:
    store = Store(path, MIGRATIONS)
    ownership = store.write_now(lambda tx: claim(tx, host, zone(1, "host-1")))
    for serial, owner in ((1, "host-1"), (2, "host-2")):
        store.write_now(lambda tx, s=serial, o=owner: ownership.note_named(tx, zone(s, o), NOW))
    cargo = {"timeline": Timelines(store.reader), "reflectors": Reflectors(store.reader, b"k" * 32)}
    ownership._remember({KEY: frozenset({"host-1"})})
    party = Party(host, store, ownership, Queue(), lambda: zone(2, "host-2"), cargo, lambda gone: None, lambda: NOW)
    return End(party)


def fill(store: Store) -> None:
    def work(tx: Any) -> None:
        accounts.add_many(tx, [("alice", "hash"), ("bob", None)], NOW)
        (inbox,) = tx.one("SELECT f.id FROM folder f JOIN account a ON a.id = f.account WHERE a.name = 'alice'"
                          " AND f.name = 'INBOX'")  # fmt: skip
        for number in range(12):
            entries.append(tx, "alice", inbox, b"Subject: %d\r\n\r\n" % number, 0, frozenset({"k"}), NOW)
        entries.expunge(tx, inbox, [3, 4])
        timeline.welcome(tx, "alice", Welcome("carol", 1, 1, "News"), NOW)

    store.write_now(work)


class Tee:
    """A writer that remembers what was said."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer, self.said = writer, bytearray()

    def write(self, octets: bytes) -> None:
        self.said += octets
        self._writer.write(octets)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


async def hand_over(giver: End, taker: End) -> bytes:
    """Give the bucket; return all that the giver said."""
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    others = await asyncio.open_connection(sock=there)
    serving = asyncio.create_task(Taker(taker.party, Inquiry(taker.party, NoStreams())).handle(*others, "host-1"))
    tee = Tee(writer)
    progress = Progress("host-2", [KEY])
    held = find(giver.store.reader, *KEY)
    assert held
    await Giver(giver.party, Line(reader, tee), progress).give([held])  # type: ignore[arg-type]
    writer.close()
    await serving
    others[1].close()
    return bytes(tee.said)


class Deaf:
    """A writer to whom nobody listens."""

    def write(self, octets: bytes) -> None:
        pass

    async def drain(self) -> None:
        pass


async def play(taker: End, said: bytes, times: int = 1) -> None:
    """Let the taker hear this."""
    serves = Taker(taker.party, Inquiry(taker.party, NoStreams()))
    for _ in range(times):
        reader = asyncio.StreamReader(limit=16_384)
        reader.feed_data(said)
        reader.feed_eof()
        await asyncio.wait_for(serves.handle(reader, Deaf(), "host-1"), 20)  # type: ignore[arg-type]


@dataclass
class Recorded:
    folder: Path
    said: bytes
    digests: dict[str, str]
    count: int = 0

    def fresh(self) -> End:
        self.count += 1
        shutil.copy(self.folder / "empty.db", path := self.folder / f"{self.count}.db")
        return end(path, "host-2")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("stream")
    giver, taker, empty = end(folder / "giver.db", "host-1"), end(folder / "taker.db", "host-2"), folder / "empty.db"
    Store(empty, MIGRATIONS).close()
    fill(giver.store)
    before = giver.digests()
    said = asyncio.run(hand_over(giver, taker))
    assert (giver.state(), taker.state()) == (TOMBSTONE, OWNER) and taker.digests() == before
    giver.store.close()
    taker.store.close()
    yield Recorded(folder, said, before)


def whole_or_nothing(recorded: Recorded, taker: End) -> None:
    owns = taker.state() == OWNER
    if owns:
        assert taker.digests() == recorded.digests
    else:
        assert not accounts.exists(taker.store.reader, "alice")
    taker.store.close()
    found = audit.faults(recorded.folder / f"{recorded.count}.db")
    assert not [fault for fault in found if owns or " counts " not in fault]  # half an account counts what is to come


FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(st.data())
def test_cut_anywhere(recorded: Recorded, data: st.DataObject) -> None:
    taker = recorded.fresh()
    asyncio.run(play(taker, recorded.said[: data.draw(st.integers(0, len(recorded.said) - 1))]))
    assert taker.state() != OWNER  # the last word is the one that makes it the owner
    whole_or_nothing(recorded, taker)


@FEW
@given(st.data())
def test_altered_anywhere(recorded: Recorded, data: st.DataObject) -> None:
    said, taker = bytearray(recorded.said), recorded.fresh()
    for _ in range(data.draw(st.integers(1, 3))):
        said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    asyncio.run(play(taker, bytes(said)))
    whole_or_nothing(recorded, taker)


@pytest.mark.parametrize(
    ("what", "other"), [(b"Subject: 5", b"Subject: 6"), (b'"k"', b'"l"'), (b'"carol"', b'"carla"')]
)
def test_altered_where_it_could_be_believed(recorded: Recorded, what: bytes, other: bytes) -> None:
    """A letter, a flag, a follow: what is well-formed and not what the giver has is not taken."""
    assert what in recorded.said
    taker = recorded.fresh()
    asyncio.run(play(taker, recorded.said.replace(what, other, 1)))
    assert taker.state() != OWNER
    whole_or_nothing(recorded, taker)


def test_played_again_it_changes_nothing(recorded: Recorded) -> None:
    """At once, and when the bucket has gone on to another host."""
    taker = recorded.fresh()
    asyncio.run(play(taker, recorded.said, times=3))
    assert taker.state() == OWNER
    held = find(taker.store.reader, *KEY)
    assert held and held.epoch == 2
    taker.store.write_now(lambda tx: tx.execute("UPDATE holding SET state = ?, epoch = 3, peer = 'x'", (SEALED,)))
    asyncio.run(play(taker, recorded.said))
    assert taker.state() == SEALED and taker.digests() == recorded.digests
    taker.store.close()


async def test_of_streams_that_come_at_once_the_newest_alone_is_served(tmp_path: Path) -> None:
    here = end(tmp_path / "host.db", "host-2")
    taker = Taker(here.party, Inquiry(here.party, NoStreams()))
    writer: Any = None  # nothing is said to anybody
    handling = []
    for _ in range(4):  # the first is being served when the others come
        handling.append(asyncio.create_task(taker.handle(asyncio.StreamReader(), writer, "host-1")))
        await asyncio.sleep(0 if handling[1:] else 0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    assert sum(task.done() for task in handling) == 3
    for task in handling:
        task.cancel()
    await asyncio.gather(*handling, return_exceptions=True)
    assert not taker._serving
    here.store.close()
