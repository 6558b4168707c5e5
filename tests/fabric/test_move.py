"""A timeline bucket moves to another host: nothing is lost or doubled, and every client finds what it knew."""

from __future__ import annotations

import asyncio
import imaplib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest_asyncio

from heliograph.configuration.settings import Config
from heliograph.demo.stage import free_net
from heliograph.host import Host
from heliograph.ownership.holding import OWNER, TOMBSTONE
from tests.fabric import audit
from tests.fabric.town import OUTSIDE, Person, Town, from_outside, letter, make_fabric, until

ZOE = f"zoe@{OUTSIDE}"
BOB = "bob@reflectors.fabric.test"
HEIDI = "heidi@fabric.test"  # on host-2
POINTS = ("before-seal", "after-seal", "rows", "before-grant", "before-take", "after-take", "before-bury")


class Cut(Exception):
    """The process ends here."""


@dataclass
class Faults:
    """Where a story breaks off, and how often; `spared`: how often it passes there before."""

    left: dict[str, int] = field(default_factory=dict)
    spared: dict[str, int] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)

    def has_passed(self, point: str) -> bool:
        return point in self.passed

    async def at(self, point: str) -> None:
        self.passed.append(point)
        if self.spared.get(point):
            self.spared[point] -= 1
        elif self.left.get(point):
            self.left[point] -= 1
            raise Cut(point)


class MovingTown(Town):
    """A town whose hand-overs can be broken off."""

    def __init__(self, config: Config, net: str) -> None:
        super().__init__(config, net)
        self.faults = Faults()

    async def start(self, *names: str) -> None:
        for name in names or [host.name for host in self.config.hosts]:
            host = Host(self.config, name, moving_at=self.faults.at)
            await host.start()
            self.hosts[name] = host

    async def rename(self, bucket: int, which: str, owner: str) -> None:
        """Edit the zone by hand."""
        text = self.config.zone_file.read_text()
        edited, count = re.subn(rf"(?m)^(b{bucket}\.{which}\s+MX\s+10\s+)host-\d", rf"\g<1>{owner}", text)
        assert count == 1
        self.config.zone_file.write_text(edited)
        await self.hosts["host-1"].directory.reload()

    def bucket(self, entity: str) -> int:
        return self.config.names.bucket(entity)

    def state(self, host: str, entity: str, which: str = "timeline") -> str:
        return self.hosts[host].ownership.state(which, self.bucket(entity))

    async def moved(self, entity: str, giver: str, taker: str, which: str = "timeline") -> None:
        def done() -> bool:
            there = self.state(taker, entity, which) == OWNER
            return there and self.state(giver, entity, which) == TOMBSTONE

        await until(done, lambda: f"{self.state(giver, entity, which)} and {self.state(taker, entity, which)}")

    def faults_found(self) -> list[str]:
        return [
            fault
            for host in self.config.hosts
            if (self.config.host_folder(host.name) / "heliograph.db").exists()
            for fault in audit.faults(self.config.host_folder(host.name) / "heliograph.db")
        ]


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[MovingTown]:
    with free_net() as net:
        here = MovingTown(make_fabric(tmp_path / "fabric", net, outside=net.replace(".0/24", ".50")), net)
        async with here.at_work():
            yield here


def seen(person: Person) -> dict[str, list[bytes]]:
    """All that a client may remember of a mailbox: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, and of each message its UID,
    flags and modseq."""
    found: dict[str, list[bytes]] = {}
    with person.session() as client:
        _, listed = client.list()
        for line in listed:
            assert isinstance(line, bytes)
            name = line.rpartition(b' "/" ')[2].strip(b'"').decode()
            _, status = client.status(f'"{name}"', "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)")
            client.select(f'"{name}"', readonly=True)
            _, rows = client.uid("FETCH", "1:*", "(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)")
            found[name] = [*status, *(plain(row) for row in rows if row)]
    return found


def plain(row: bytes) -> bytes:
    """Without \\Recent, which each host gives anew."""
    flags = rb"FLAGS \(([^)]*)\)"
    return re.sub(flags, lambda found: b" ".join(sorted(set(found[1].split()) - {rb"\Recent"})), row)


def flag(person: Person, flags: str) -> None:
    with person.session() as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", flags)


async def persist(action: Callable[[], None]) -> None:
    """As clients do: a session that ends is begun anew."""
    for _ in range(200):
        try:
            return await asyncio.to_thread(action)
        except (imaplib.IMAP4.error, OSError):
            await asyncio.sleep(0.05)
    raise AssertionError("there is no getting in")


async def test_a_bucket_is_where_the_zone_says_and_all_is_as_it_was(town: MovingTown) -> None:
    heidi = town.person("heidi", 3)
    await heidi.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    for number in range(5):
        await town.person("bob").send(BOB, f"post {number}")
        await town.person("alice").send(HEIDI, f"letter {number}")
    await town.still()
    await persist(lambda: flag(heidi, "(\\Flagged $Work)"))
    before = await asyncio.to_thread(seen, heidi)
    await town.rename(town.bucket("heidi"), "timeline", "host-1")
    await town.moved("heidi", "host-2", "host-1")
    for number in (1, 2, 3):
        assert await asyncio.to_thread(seen, town.person("heidi", number)) == before
    await town.person("bob").send(BOB, "after")
    await from_outside(town.address(2), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, "to the old host"))
    await town.still()
    subjects = await heidi.subjects()
    assert sorted(subjects[-2:]) == ["after", "to the old host"] and len(subjects) == 12 + 1  # the welcome is one
    assert town.faults_found() == []


async def test_it_moves_under_load_and_back(town: MovingTown) -> None:
    """Posts, letters and flags go on; a session that was open is told to come back."""
    heidi, number = town.person("heidi", 3), 0
    await heidi.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    told: list[str] = []

    def open_session() -> None:
        with town.person("heidi", 2).session() as client:
            client.select("INBOX")
            try:
                while True:
                    client.noop()
            except (imaplib.IMAP4.error, OSError) as error:
                told.append(str(error))

    waiting = asyncio.create_task(asyncio.to_thread(open_session))
    going = True

    async def load() -> None:
        nonlocal number
        while going:
            number += 1
            assert (await town.person("bob", number % 3 + 1).send(BOB, f"post {number}")).startswith("250")
            where = town.address((number + 1) % 3 + 1)
            mail = letter(ZOE, HEIDI, f"letter {number}")
            assert (await from_outside(where, town.config.ports.smtp, ZOE, [HEIDI], mail)).startswith("250")
            await persist(partial(flag, heidi, f"(k{number})"))

    loading = asyncio.create_task(load())
    for giver, taker in (("host-2", "host-1"), ("host-1", "host-3"), ("host-3", "host-2")):
        await asyncio.sleep(0.2)
        await town.rename(town.bucket("heidi"), "timeline", taker)
        await town.moved("heidi", giver, taker)
    going = False
    await loading
    await waiting
    await town.still()
    subjects = await heidi.subjects()
    wanted = [f"{kind} {at}" for kind in ("post", "letter") for at in range(1, number + 1)]
    assert sorted(subject for subject in subjects if subject.split()[0] in ("post", "letter")) == sorted(wanted)
    assert told
    assert town.faults_found() == []


async def test_broken_off_anywhere_it_comes_to_its_end(town: MovingTown) -> None:
    """At each point the stream breaks; at some both hosts end, and come back."""
    heidi, homes = town.person("heidi", 3), ["host-2", "host-1"]
    await heidi.send("bob+subscribe@reflectors.fabric.test", "")
    await town.person("alice").send(HEIDI, "before")
    await town.still()
    for at, point in enumerate(POINTS):
        before = await asyncio.to_thread(seen, heidi)
        town.faults.left, town.faults.passed = {point: 1}, []
        await town.rename(town.bucket("heidi"), "timeline", homes[1])
        await until(partial(town.faults.has_passed, point))
        if point in ("after-seal", "after-take"):
            for host in homes:
                await town.stop(host)
                await town.start(host)
        await town.moved("heidi", *homes)
        assert await asyncio.to_thread(seen, heidi) == before
        await town.person("bob").send(BOB, f"after {at}")
        await town.still()
        homes.reverse()
    assert await heidi.posts() == [(at + 1, f"after {at}") for at in range(len(POINTS))]
    assert town.faults_found() == []


async def test_before_the_seal_the_zone_can_be_set_back(town: MovingTown) -> None:
    await town.person("alice").send(HEIDI, "before")
    await town.still()
    town.faults.left["before-seal"] = 10_000
    await town.rename(town.bucket("heidi"), "timeline", "host-1")
    await until(lambda: "before-seal" in town.faults.passed)
    await town.rename(town.bucket("heidi"), "timeline", "host-2")
    await until(lambda: town.state("host-1", "heidi") == "")
    assert town.state("host-2", "heidi") == OWNER
    assert await town.person("heidi", 1).subjects() == ["before"]
    assert town.hosts["host-1"].store.reader.one("SELECT 1 FROM account WHERE name = 'heidi'") is None
    assert town.faults_found() == []


async def test_a_reflector_moves_while_it_is_posted_to(town: MovingTown) -> None:
    """Followers next door, on other hosts and abroad get every post once, numbered without a gap; who was asked
    before confirms after."""
    people = [town.person(name) for name in ("alice", "erin", "heidi")]  # on host-3, where bob's list is, 1 and 2
    for person in people:
        await person.send("bob+subscribe@reflectors.fabric.test", "")
    mail = letter(ZOE, "bob+subscribe@reflectors.fabric.test", "")
    await from_outside(town.address(1), town.config.ports.smtp, ZOE, ["bob+subscribe@reflectors.fabric.test"], mail)
    await town.still()
    asked = town.abroad.mail[-1][2]
    number, going = 0, True

    async def load() -> None:
        nonlocal number
        while going:
            number += 1
            assert (await town.person("bob", number % 3 + 1).send(BOB, f"post {number}")).startswith("250")

    loading = asyncio.create_task(load())
    homes = ["host-3", "host-1", "host-2"]
    for giver, taker in ((0, 1), (1, 2), (2, 0), (0, 1)):
        await town.rename(town.bucket("bob"), "reflectors", homes[taker])
        await town.moved("bob", homes[giver], homes[taker], "reflectors")
        if giver == 1:
            (token,) = re.findall(rb"bob\+confirm\.[a-z2-7]{24}@[a-z0-9.-]+", asked.replace(b"=\r\n", b""))[:1]
            said = await from_outside(
                town.address(1), town.config.ports.smtp, ZOE, [token.decode()], letter(ZOE, token.decode(), "")
            )
            assert said.startswith("250"), said
    going = False
    await loading
    await town.still()
    await town.person("bob").send(BOB, "the last")
    await town.still()
    for person in people:
        assert sorted(at for at, _ in await person.posts()) == list(range(1, number + 2)), person.name
    assert b"Subject: the last" in town.abroad.mail[-1][2] and town.abroad.mail[-1][1] == [ZOE]
    await people[0].send("bob+unsubscribe@reflectors.fabric.test", "")
    await town.still()
    await town.person("bob").send(BOB, "without alice")
    await town.still()
    assert [len(await person.posts()) for person in people] == [number + 1, number + 2, number + 2]
    assert town.faults_found() == []
