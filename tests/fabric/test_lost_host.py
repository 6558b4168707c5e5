"""A host is lost and its standby takes its place: nothing acknowledged is lost or doubled, no number is given twice."""

from __future__ import annotations

import asyncio
import imaplib
import re
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph.demo.stage import free_net
from heliograph.moving import mover
from heliograph.ownership.holding import OWNER, SEALED, TOMBSTONE
from heliograph.standby import homecoming, inheriting, succession
from heliograph.standby.succession import INHERITED
from store.telling import StandbyBehind
from tests.fabric.lost import LosingTown
from tests.fabric.test_move import BOB, HEIDI, ZOE, flag, persist, seen
from tests.fabric.town import Person, from_outside, letter, make_fabric, until

LIST = "heidi@reflectors.fabric.test"  # heidi's mailbox and list are on host-2
GAP = 65_536


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LosingTown]:
    for room in (inheriting, homecoming, succession):
        monkeypatch.setattr(room, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(mover, "AGAIN_SECONDS", (0.05,) * 6)
    with free_net() as net:
        here = LosingTown(make_fabric(tmp_path / "fabric", net, outside=net.replace(".0/24", ".50"), buckets=64), net)
        async with here.at_work():
            yield here


def uids(person: Person, folder: str = "INBOX") -> dict[str, list[int]]:
    """Subject -> UIDs."""
    found: dict[str, list[int]] = {}
    with person.session() as client:
        client.select(folder, readonly=True)
        _, rows = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for row in rows:
            if isinstance(row, tuple):
                uid = int(re.search(rb"UID (\d+)", row[0])[1])  # type: ignore[index]
                found.setdefault(row[1].decode().partition(":")[2].strip(), []).append(uid)
    return found


def without_counts(found: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """UIDVALIDITY, and of each message UID, flags, date and size: what must not change; modseqs skip ahead."""
    plain = {
        name: [re.sub(rb"MODSEQ \(?\d+\)?|UIDNEXT \d+|^\d+ ", b"", row) for row in rows] for name, rows in found.items()
    }
    return {name: [re.sub(rb"HIGHESTMODSEQ \d+|HIGHEST", b"", row) for row in rows] for name, rows in plain.items()}


async def life(town: LosingTown) -> None:
    """heidi follows bob, erin follows heidi; letters and posts came, and some have flags."""
    await town.person("heidi", 3).send("bob+subscribe@reflectors.fabric.test", "")
    await town.person("erin", 3).send("heidi+subscribe@reflectors.fabric.test", "")
    await town.still()
    for number in range(3):
        await town.person("bob").send(BOB, f"post {number}")
        await town.person("heidi", 2).send(LIST, f"heidi's {number}")
        await town.person("alice").send(HEIDI, f"letter {number}")
    await town.still()
    await persist(lambda: flag(town.person("heidi", 2), "(\\Flagged $Work)"))


async def test_a_host_s_disk_is_lost_and_its_heir_has_everything(town: LosingTown) -> None:
    await life(town)
    heidi = town.person("heidi", 1)
    before, known = await asyncio.to_thread(seen, heidi), await asyncio.to_thread(uids, heidi)
    town.abroad.busy = True
    await town.person("heidi", 2).send(ZOE, "on its way")
    await until(lambda: any(row.recipient == ZOE and row.attempts for row in town.waiting()))
    await town.person("bob").send(BOB, "not looked at")
    await until(lambda: [row.recipient for row in town.waiting()] == [ZOE])
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=True)
    assert (
        await from_outside(town.address(1), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, "meanwhile"))
    ).startswith("250")
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    town.abroad.busy = False
    await town.hurry()
    after = await asyncio.to_thread(seen, heidi)
    assert town.owners("heidi") == ["host-3"] == town.owners("heidi", "reflectors")
    await town.person("bob").send(BOB, "after")
    assert (await town.person("heidi", 3).send(LIST, "heidi's after")).startswith("250")
    await town.still()
    now = await asyncio.to_thread(uids, heidi)
    assert {subject: now[subject] for subject in known} == known
    assert len(now) == len(known) + 3
    for subject in ("not looked at", "meanwhile", "after"):
        assert len(now[subject]) == 1 and now[subject][0] > GAP
    assert without_counts(before)["INBOX"][1:] == without_counts(after)["INBOX"][1 : len(before["INBOX"])]
    numbers = {subject: number for number, subject in await town.person("erin").posts()}
    assert numbers == {"heidi's 0": 1, "heidi's 1": 2, "heidi's 2": 3, "heidi's after": 4 + GAP}
    assert [rcpts for _, rcpts, content in town.abroad.mail if b"on its way" in content] == [[ZOE]]


async def test_who_comes_back_gives_what_only_it_has_once(town: LosingTown) -> None:
    """After the replica's last word: letters, a post, flags, a letter that was moved and one that was deleted, a new
    folder, an account, a subscription. Then the heir went on for a while."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    heidi = town.person("heidi", 2)
    town.replicate("host-2", "host-3")
    town.abroad.busy = True
    for number in range(2):
        await town.person("alice").send(HEIDI, f"late {number}")
        await town.person("heidi", 2).send(LIST, f"heidi's late {number}")
    await town.person("alice", 2).send("heidi+subscribe@reflectors.fabric.test", "")
    await town.person("erin", 2).send("heidi+unsubscribe@reflectors.fabric.test", "")
    await town.still()
    known = await asyncio.to_thread(uids, heidi)

    def act() -> None:
        with heidi.session() as client:
            client.select("INBOX")
            client.uid("STORE", str(known["letter 0"][0]), "+FLAGS", "(\\Seen $Late)")
            client.uid("MOVE", str(known["letter 1"][0]), "Archive")
            client.uid("MOVE", str(known["post 1"][0]), "Archive")
            client.create("Projects")
            client.uid("COPY", str(known["late 0"][0]), "Projects")
            client.uid("STORE", str(known["letter 2"][0]), "+FLAGS", "(\\Deleted)")
            client.expunge()

    await asyncio.to_thread(act)
    assert (await heidi.send(ZOE, "in the queue")).startswith("250")
    await until(lambda: [row.attempts for row in town.waiting()] == [1])
    await town.lose("host-2", disk=False)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    there = town.person("heidi", 1)
    assert "late 0" not in await asyncio.to_thread(uids, there)
    await town.person("alice").send(HEIDI, "at the heir")
    await persist(lambda: set_flag(there, "letter 0", "$Heir"))
    await town.hosts["host-3"].store.write(lambda tx: None)
    await town.start("host-2")
    assert town.owners("heidi") == ["host-3"]
    await town.returned("host-2")
    town.abroad.busy = False
    await town.hurry()
    await town.still()
    inbox, archive, projects = [await asyncio.to_thread(uids, there, folder) for folder in FOLDERS]
    assert archive.keys() == {"letter 1", "post 1"} and projects.keys() == {"late 0"}
    gone = {"letter 1", "post 1", "letter 2"}
    assert inbox.keys() == (known.keys() - gone) | {"at the heir"}
    for subject, numbers in inbox.items():
        assert len(numbers) == 1
        assert numbers == known[subject] if subject in known and "late" not in subject else numbers[0] > GAP
    assert {b"\\Seen", b"$Late", b"$Heir"} <= await asyncio.to_thread(flags_of, there, "letter 0")
    assert [rcpts for _, rcpts, content in town.abroad.mail if b"in the queue" in content] == [[ZOE]]
    await town.person("heidi", 3).send(LIST, "heidi's after")
    await town.still()
    subjects = ["heidi's 0", "heidi's 1", "heidi's 2", "heidi's late 0", "heidi's late 1"]
    assert dict(await town.person("erin").posts()) == dict(enumerate(subjects, 1))
    assert dict(await town.person("alice").posts())[4 + GAP] == "heidi's after"
    await town.welcome("host-2")
    await town.rename(town.bucket("heidi"), "timeline", "host-2")
    await town.moved("heidi", "host-3", "host-2")
    assert await asyncio.to_thread(uids, there) == inbox
    assert not town.faults_found(), town.faults_found()


FOLDERS = ("INBOX", "Archive", "Projects")


def set_flag(person: Person, subject: str, flag: str) -> None:
    number = uids(person)[subject][0]
    with person.session() as client:
        client.select("INBOX")
        client.uid("STORE", str(number), "+FLAGS", f"({flag})")


def flags_of(person: Person, subject: str) -> set[bytes]:
    number = uids(person)[subject][0]
    with person.session() as client:
        client.select("INBOX", readonly=True)
        _, rows = client.uid("FETCH", str(number), "(FLAGS)")
        return set(re.search(rb"FLAGS \(([^)]*)\)", rows[0])[1].split())  # type: ignore[index,arg-type]


POINTS = ("copied", "laid-out", "decided", "rows", "before-grant", "before-take", "after-take", "adopted", "inherited")


async def test_a_promotion_that_breaks_off_anywhere_comes_to_its_end(town: LosingTown) -> None:
    """At each point it breaks, at some the heir ends there; then the lost host's return does."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    heidi = town.person("heidi", 2)
    known = await asyncio.to_thread(uids, heidi)
    town.abroad.busy = True
    await heidi.send(ZOE, "on its way")
    await until(lambda: [row.attempts for row in town.waiting()] == [1])
    town.replicate("host-2", "host-3")
    await town.person("alice").send(HEIDI, "late")
    await until(lambda: [row.recipient for row in town.waiting()] == [ZOE])
    await town.lose("host-2", disk=False)
    town.faults.left = dict.fromkeys(POINTS, 1)
    await town.promote("host-2", "host-3")
    for point in ("laid-out", "after-take", "adopted"):
        await until(partial(town.faults.has_passed, point))
        await town.stop("host-3")
        await town.start("host-3")
    await town.inherited("host-2", "host-3")
    assert set(POINTS) <= set(town.faults.passed) and not any(town.faults.left.values())
    town.faults.left = {"returning": 1, "merged": 1, "returned": 1}
    town.faults.spared = {"merged": 3}  # two lists, alice, then heidi
    await town.start("host-2")
    await until(lambda: not town.faults.left["merged"])
    await town.stop("host-2")
    await town.start("host-2")
    await town.returned("host-2")
    assert not any(town.faults.left.values())
    town.abroad.busy = False
    await town.hurry()
    await town.still()
    now = await asyncio.to_thread(uids, town.person("heidi", 1))
    assert now.keys() == known.keys() | {"late"} and all(len(numbers) == 1 for numbers in now.values())
    assert {subject: now[subject] for subject in known} == known and now["late"][0] > GAP
    assert [rcpts for _, rcpts, content in town.abroad.mail if b"on its way" in content] == [[ZOE]]
    assert not town.faults_found(), town.faults_found()


async def test_who_was_only_cut_off_learns_that_it_was_given_up(town: LosingTown) -> None:
    """It served on, and gave UIDs: they are nobody else's, and what it took is at its heir in the end."""
    await life(town)
    town.replicate("host-2", "host-3")
    alone = town.hosts["host-2"]
    ears = alone.directory._refresh  # it hears of no zone
    alone.directory._refresh = alone.directory._follower._refresh = never  # type: ignore[method-assign]
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    assert sorted(town.owners("heidi")) == ["host-2", "host-3"]  # it cannot know
    there = town.address(2), town.config.ports.smtp
    assert (await from_outside(*there, ZOE, [HEIDI], letter(ZOE, HEIDI, "to who was cut off"))).startswith("250")
    await town.person("alice").send(HEIDI, "to the heir")
    await until(lambda: not town.waiting())
    shown = await asyncio.to_thread(uids, town.person("heidi", 2))
    heirs = await asyncio.to_thread(uids, town.person("heidi", 3))
    told: list[str] = []

    def wait() -> None:
        with town.person("heidi", 2).session() as client:
            client.select("INBOX")
            with pytest.raises((imaplib.IMAP4.error, OSError)) as caught:
                while True:
                    client.noop()
            told.append(str(caught.value))

    waiting = asyncio.create_task(asyncio.to_thread(wait))
    alone.directory._refresh = alone.directory._follower._refresh = ears  # type: ignore[method-assign]
    await alone.directory.reload()
    await waiting
    await town.returned("host-2")
    await town.still()
    assert told and town.owners("heidi") == ["host-3"]
    for host in (1, 2, 3):
        now = await asyncio.to_thread(uids, town.person("heidi", host))
        assert now.keys() == shown.keys() | {"to the heir"}
        assert {subject: now[subject] for subject in heirs} == heirs
        assert len(now["to who was cut off"]) == 1 and now["to who was cut off"] != shown["to who was cut off"]
    assert not town.faults_found(), town.faults_found()


async def never() -> bool:
    return False


@pytest.mark.soak  # the others go the same ways, and the suite is long
async def test_the_heir_is_lost_too(town: LosingTown) -> None:
    """Its own standby has what it took, and where the numbers of the first one ended: that one comes back to it."""
    for host, standby in (("host-2", "host-3"), ("host-3", "host-1")):
        await town.name_standby(host, standby)
    await life(town)
    known = await asyncio.to_thread(uids, town.person("heidi"))
    town.replicate("host-2", "host-3")
    await town.person("alice").send(HEIDI, "late")
    await town.still()
    await town.lose("host-2", disk=False)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    await town.person("alice").send(HEIDI, "to the first heir")
    await town.still()
    town.replicate("host-3", "host-1")
    await town.lose("host-3", disk=True)
    await town.promote("host-3", "host-1")
    await town.inherited("host-3", "host-1")
    assert town.hosts["host-1"].directory.current.lost == {"host-2": "host-1", "host-3": "host-1"}
    await town.person("erin").send(HEIDI, "to the second heir")
    await town.start("host-2")
    await town.returned("host-2")
    await town.still()
    now = await asyncio.to_thread(uids, town.person("heidi"))
    assert now.keys() == known.keys() | {"late", "to the first heir", "to the second heir"}
    assert {subject: now[subject] for subject in known} == known
    assert all(len(numbers) == 1 for numbers in now.values())
    assert now["to the first heir"][0] < 2 * GAP < now["late"][0]
    assert not town.faults_found(), town.faults_found()


async def test_who_came_back_is_lost_again(town: LosingTown) -> None:
    """Its database has its own word of the first time; that is not its heir's of the second. Nor is what a crash at the
    very end of the first time left at the heir."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=False)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    folder = town.config.host_folder("host-3")
    await until(lambda: not (folder / INHERITED / "host-2").exists())  # it goes after the word that all is there
    shutil.copytree(folder / "standby" / "host-2", folder / INHERITED / "host-2")
    await town.start("host-2")
    await town.returned("host-2")
    await town.welcome("host-2")
    await town.rename(town.bucket("heidi"), "timeline", "host-2")
    await town.moved("heidi", "host-3", "host-2")
    await town.person("alice").send(HEIDI, "at home again")
    await town.still()
    known = await asyncio.to_thread(uids, town.person("heidi"))
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=True)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    assert town.owners("heidi") == ["host-3"]
    await town.person("alice").send(HEIDI, "after")
    await town.still()
    now = await asyncio.to_thread(uids, town.person("heidi"))
    assert now.pop("after")[0] > known["at home again"][0] + GAP - 1 and now == known


async def test_without_a_whole_replica_all_waits_for_the_host_itself(town: LosingTown) -> None:
    """A zone that was edited by hand loses nothing: what the heir cannot take is handed over by who comes back."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    known = await asyncio.to_thread(uids, town.person("heidi"))
    await town.person("heidi", 3).send("erin+subscribe@reflectors.fabric.test", "")
    await town.still()
    await town.person("erin").send("erin@reflectors.fabric.test", "not looked at")
    await town.still()
    await town.lose("host-2", disk=False)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    assert town.owners("heidi") == []
    said = await from_outside(town.address(1), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, "held"))
    assert said.startswith("250")
    await town.start("host-2")
    await town.returned("host-2")
    await town.still()
    now = await asyncio.to_thread(uids, town.person("heidi"))
    assert town.owners("heidi") == ["host-3"] and now.pop("held") and now.pop("not looked at")
    assert now.pop("You follow erin") and now == known
    assert not town.faults_found(), town.faults_found()


@pytest.mark.soak
@pytest.mark.parametrize("point", ["after-seal", "before-bury"])
async def test_what_was_on_its_way_to_who_is_lost_is_its_giver_s_again(town: LosingTown, point: str) -> None:
    """The heir was handing over to it: what came there is inherited, what did not is reclaimed."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    bob = "bob@fabric.test"
    assert town.home("bob") == "host-3"
    for number in range(3):
        await town.person("erin").send(bob, f"letter {number}")
    await town.still()
    known = await asyncio.to_thread(uids, town.person("bob"))
    town.faults.left = {point: 10_000}
    await town.rename(town.bucket("bob"), "timeline", "host-2")
    await until(partial(town.faults.has_passed, point))
    if point == "before-bury":
        await until(lambda: town.state("host-2", "bob") == OWNER)
    assert town.state("host-3", "bob") == SEALED
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=True)
    town.faults.left = {}
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    assert town.owners("bob") == ["host-3"]
    await town.person("erin").send(bob, "after")
    await town.still()
    now = await asyncio.to_thread(uids, town.person("bob"))
    assert now.pop("after")[0] > GAP and now == known
    assert not town.faults_found(), town.faults_found()


@pytest.mark.soak
async def test_who_was_welcomed_before_it_was_back_gives_up_all_the_same(town: LosingTown) -> None:
    """Its zone never said that it was lost: it offers what the zone gives to another, and hears of a higher epoch."""
    await town.name_standby("host-2", "host-3")
    await life(town)
    known = await asyncio.to_thread(uids, town.person("heidi"))
    town.replicate("host-2", "host-3")
    await town.person("alice").send(HEIDI, "late")
    await town.still()
    await town.lose("host-2", disk=False)
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    await town.welcome("host-2")
    await town.start("host-2")
    await until(lambda: town.state("host-2", "heidi") == TOMBSTONE == town.state("host-2", "heidi", "reflectors"))
    await town.person("bob").send(BOB, "after")
    await town.still()
    now = await asyncio.to_thread(uids, town.person("heidi"))
    assert town.owners("heidi") == ["host-3"] and now.keys() == known.keys() | {"late", "after"}
    assert {subject: now[subject] for subject in known} == known and all(len(one) == 1 for one in now.values())
    assert not town.faults_found(), town.faults_found()


async def test_an_heir_that_can_store_nothing_when_it_hears_begins_once_it_can(
    town: LosingTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is where the lost host was the heir's own standby, and required."""
    await town.person("alice").send(HEIDI, "before")
    await town.still()
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=True)
    tried = asyncio.Event()

    async def full(_: object) -> None:
        tried.set()
        raise StandbyBehind("the standby does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(town.hosts["host-3"].store, "write", full)
        await town.promote("host-2", "host-3")
        await tried.wait()
        await until(lambda: bool(town.hosts["host-3"].directory.current.lost))
    await town.inherited("host-2", "host-3")
    assert await town.person("heidi", 1).subjects() == ["before"]
