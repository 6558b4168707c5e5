"""What a timeline keeps, across hosts: full mailboxes, posts that come all the same, and what goes when it is old."""

from __future__ import annotations

import asyncio
import time
from types import MappingProxyType

from mailbox_host import quota
from mailbox_host.settings import Settings
from mailbox_host.upkeep import Upkeep
from tests.fabric.audit import faults
from tests.fabric.town import OUTSIDE, Person, Town, from_outside, letter, until

HEIDI = "heidi@fabric.test"  # at host-2
BOB = "bob@reflectors.fabric.test"  # at host-3
ZOE = f"zoe@{OUTSIDE}"


async def limit(town: Town, octets: int) -> None:
    await town.hosts["host-2"].store.write(lambda tx: quota.set_limits(tx, "heidi", octets, None))


def keep(person: Person, folder: str, subject: str, flags: str = "()") -> None:
    with person.session() as client:
        client.append(folder, flags, "", letter(person.mail, person.mail, subject))


async def test_a_full_mailbox_is_told_at_every_door_and_posts_come_all_the_same(town: Town) -> None:
    heidi, port = town.person("heidi", 2), town.config.ports.smtp
    assert (await heidi.send("bob+subscribe@reflectors.fabric.test", "")).startswith("250")
    await town.still()
    await asyncio.to_thread(keep, heidi, "INBOX", "there was room")
    await limit(town, 100)
    for number in (1, 2, 3, 2):
        said = await from_outside(town.address(number), port, ZOE, [HEIDI], letter(ZOE, HEIDI, "no room"))
        assert said.startswith("452") and "4.2.2" in said, (number, said)
        said = await town.person("alice", number).send(HEIDI, "no room either")
        assert said.startswith("452"), (number, said)
    assert (await town.person("bob").send(BOB, "post", "x" * 5000)).startswith("250")
    await town.still()
    assert await heidi.posts() == [(1, "post")]
    assert await heidi.subjects() == ["You follow bob", "there was room", "post"]
    for host in town.hosts.values():
        assert faults(host.store.path) == []


async def test_a_letter_for_which_there_is_no_room_waits_until_there_is(town: Town) -> None:
    heidi = town.person("heidi", 2)
    await asyncio.to_thread(keep, heidi, "Archive", "something")
    await limit(town, 4096)
    assert (await town.person("alice", 1).send(HEIDI, "large", "y" * 3400)).startswith("250")  # who knows its size yet?
    await until(lambda: [row for row in town.waiting() if "4.2.2" in row.reply], lambda: str(town.waiting()))
    assert await heidi.subjects() == []
    await limit(town, 0)
    await town.still()
    assert await heidi.subjects() == ["large"]


async def test_what_is_old_goes_while_a_session_looks_on(town: Town) -> None:
    heidi, host = town.person("heidi", 2), town.hosts["host-2"]
    later = Upkeep(
        host.store,
        host.bell,
        Settings(days=MappingProxyType({"\\Trash": 30})),
        lambda: time.time() + 31 * 86_400,
    )
    loop = asyncio.get_running_loop()

    def look_on() -> list[bytes]:
        for flags in ("(\\Flagged)", "()", "()"):
            keep(heidi, "Trash", "thrown away", flags)
        with heidi.session() as client:
            client.select("Trash")
            client.send(b"i IDLE\r\n")
            assert client.readline().startswith(b"+")
            asyncio.run_coroutine_threadsafe(later.go_round(), loop)
            said = [client.readline().rstrip(), client.readline().rstrip()]
            client.send(b"DONE\r\n")
            while not client.readline().startswith(b"i "):
                pass
            return said

    assert await asyncio.to_thread(look_on) == [b"* 2 EXPUNGE", b"* 2 EXPUNGE"]
    assert len(await heidi.letters("Trash")) == 1
    assert faults(host.store.path) == []
