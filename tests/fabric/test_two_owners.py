"""Two owners of one bucket: hosts that started around an edit, and hosts that came back from an old backup."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest_asyncio
from click.testing import CliRunner

from heliograph.backup.making import make_backup
from heliograph.backup.restoring import restore
from heliograph.checkup.owners import owners
from heliograph.command import main
from heliograph.demo.stage import free_net
from heliograph.health.screen import remarks
from heliograph.moving.frames import PURPOSE, VERSION, packed
from heliograph.moving.line import Line
from heliograph.ownership.holding import OWNER, SEALED, TOMBSTONE
from tests.fabric.test_move import HEIDI, MovingTown, persist, seen
from tests.fabric.town import from_outside, letter, make_fabric, until

ALICE = "alice@fabric.test"


@pytest_asyncio.fixture
async def empty(tmp_path: Path) -> AsyncIterator[MovingTown]:
    """A fabric of which no host has ever run."""
    with free_net() as net:
        here = MovingTown(make_fabric(tmp_path / "fabric", net), net)
        yield here
        await here.stop()


@pytest_asyncio.fixture
async def town(empty: MovingTown) -> AsyncIterator[MovingTown]:
    async with empty.at_work():
        yield empty


async def test_a_host_that_has_nothing_of_a_bucket_gives_way(empty: MovingTown) -> None:
    """The zone is edited between the first starts of two hosts, and both were given alice's bucket."""
    await empty.start("host-1", "host-3")
    await empty.rename(empty.bucket("alice"), "timeline", "host-2")  # it was host-3's: which has no account yet
    await empty.start("host-2")
    await until(lambda: empty.state("host-3", "alice") == TOMBSTONE)
    assert empty.state("host-2", "alice") == OWNER
    await empty.add("alice")
    await empty.person("alice", 3).send(ALICE, "to myself")
    await empty.still()
    assert await empty.person("alice", 1).subjects() == ["to myself"]


async def test_both_have_something_and_nothing_is_lost(empty: MovingTown) -> None:
    """Alice has an account at either: both go on, and say so; neither takes the other's for its own."""
    await empty.start("host-1", "host-3")
    await empty.add("alice")
    await empty.stop("host-3")
    await empty.rename(empty.bucket("alice"), "timeline", "host-2")
    await empty.start("host-2")
    await empty._add(empty.hosts["host-2"], "alice")  # whose list is at host-3, which is away
    await empty.start("host-3")
    key = ("timeline", empty.bucket("alice"))
    await until(lambda: all(key in empty.hosts[name].ownership.doubles for name in ("host-2", "host-3")))
    assert empty.state("host-2", "alice") == empty.state("host-3", "alice") == OWNER
    words = [await empty.hosts[name]._word() for name in ("host-2", "host-3")]
    assert all(f"bucket yield {key[1]} --at host-" in "\n".join(remarks([word])) for word in words)
    [found] = (one for one in await asyncio.to_thread(lambda: list(owners(empty.config))) if one.grade == "fault")
    assert f"host-2 and host-3 both own b{key[1]}.timeline" in found.text
    for host in ("host-2", "host-3"):
        site = empty.hosts[host]
        mail = letter("zoe@elsewhere.example", ALICE, f"at {host}")
        said = await from_outside(site.address, empty.config.ports.smtp, "zoe@elsewhere.example", [ALICE], mail)
        assert said.startswith("250")
    await empty.still()
    args = ["-C", str(empty.config.root), "bucket", "yield", str(key[1]), "--at", "host-3"]
    done = await asyncio.to_thread(CliRunner().invoke, main, args)
    assert (done.exit_code, done.output) == (0, f"b{key[1]}.timeline\n")
    await until(lambda: empty.state("host-3", "alice") == TOMBSTONE)
    assert sorted(await empty.person("alice", 3).subjects()) == ["at host-2", "at host-3"]
    assert empty.faults_found() == []


async def restored(town: MovingTown, name: str, file: Path) -> None:
    shutil.rmtree(town.config.host_folder(name))
    await asyncio.to_thread(restore, file, town.config.root, town.config.domain, time.time())
    await town.start(name)


async def test_an_old_backup_owns_nothing_that_went_on(town: MovingTown) -> None:
    """Heidi moves from host-2 to host-3 and on to host-1; then host-2 comes back from a backup, thrice."""
    config, file = town.config, town.config.root.parent / "host-2.tar"
    await town.person("alice").send(HEIDI, "before")
    await town.still()
    await asyncio.to_thread(make_backup, config, "host-2", file, time.time(), lambda done, whole: None)
    await town.rename(town.bucket("heidi"), "timeline", "host-3")
    await town.moved("heidi", "host-2", "host-3")
    await town.person("alice").send(HEIDI, "after the backup")
    await town.still()

    # The zone names host-1, which has nothing yet, and host-3, which has it, is away: nobody believes the backup.
    await town.stop("host-2", "host-3")
    await town.rename(town.bucket("heidi"), "timeline", "host-1")
    await restored(town, "host-2", file)
    assert town.state("host-2", "heidi") == SEALED
    moves = town.hosts["host-2"].mover.progress
    await until(lambda: any("host-3 may own it" in move.why for move in moves.values()))
    assert town.state("host-1", "heidi") == ""
    await town.start("host-3")
    await until(lambda: town.state("host-1", "heidi") == OWNER)
    await until(lambda: town.state("host-2", "heidi") == TOMBSTONE)
    assert await town.person("heidi", 2).subjects() == ["before", "after the backup"]

    # The zone names another; all others are there: what is old is put aside before a door opens.
    before = await asyncio.to_thread(seen, town.person("heidi", 3))
    await town.stop("host-2")
    await restored(town, "host-2", file)
    await until(lambda: town.state("host-2", "heidi") == TOMBSTONE)

    # It names the very host that comes back: it gets the bucket, and not its own old copy of it.
    await town.stop("host-2")
    await town.rename(town.bucket("heidi"), "timeline", "host-2")
    await restored(town, "host-2", file)
    await town.moved("heidi", "host-1", "host-2")
    await persist(partial(town.person("heidi", 1)._letters, "INBOX"))  # type: ignore[arg-type]
    assert await asyncio.to_thread(seen, town.person("heidi", 1)) == before
    assert town.faults_found() == []


async def test_a_host_that_never_had_a_bucket_gives_it_to_nobody(town: MovingTown) -> None:
    """Host-3 offers what is host-1's to host-2, which the zone names for it, and says that it is sealed, or not."""
    bucket = town.bucket("erin")
    town.faults.left["before-seal"] = 10_000  # host-1 is slow
    await town.rename(bucket, "timeline", "host-2")
    await until(lambda: town.hosts["host-2"].directory.current.timeline[bucket] == "host-2")
    liar = town.hosts["host-3"].mover
    for epoch, state in ((9, ""), (9, SEALED)):
        reader, writer = await town.hosts["host-3"].streams.open("host-2", PURPOSE)
        serial = town.hosts["host-2"].directory.current.serial
        layouts = {which: cargo.layout() for which, cargo in liar.party.cargo.items()}
        offers = [["timeline", bucket, epoch, serial, state]]
        word = packed("offer", {"version": VERSION, "layouts": layouts, "buckets": offers})
        ((said, why),) = (await Line(reader, writer).ask(word, "answers")).value
        writer.close()
        assert said == "wait" and ("host-1 has it" in why or "host-1" in why), why
    assert town.state("host-2", "erin") != OWNER and town.state("host-1", "erin") == OWNER
