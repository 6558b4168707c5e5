"""A host whose mailboxes another server keeps is lost: its heir hands out what it had not, nobody gets a post twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from heliograph.moving import mover
from heliograph.shelves import handing
from heliograph.standby import homecoming, inheriting, succession
from tests.fabric.lost import LosingTown
from tests.fabric.shelf import Shelf, put_on_shelf, take_off_shelf
from tests.fabric.test_lost_host import POINTS
from tests.fabric.test_move import BOB, HEIDI, ZOE
from tests.fabric.town import from_outside, letter, make_fabric, until

NEW = "arthur"  # whose account host-2 had for a moment, and no replica
Place = tuple[LosingTown, Shelf]


@pytest_asyncio.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """heidi's mailbox is host-2's, bob's and erin's are host-3's; all at one shelf."""
    for room in (inheriting, homecoming, succession):
        monkeypatch.setattr(room, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(mover, "AGAIN_SECONDS", (0.05,) * 6)
    monkeypatch.setattr(handing, "LOOK_SECONDS", 0.05)
    shelf = Shelf()
    server = await asyncio.start_unix_server(shelf.talk, tmp_path / "lmtp")
    with free_net() as net:
        make_fabric(tmp_path / "fabric", net, outside=net.replace(".0/24", ".50"), buckets=64)
        put_on_shelf(tmp_path / "fabric", str(tmp_path / "lmtp"))
        here = LosingTown(load(tmp_path / "fabric"), net)
        async with here.at_work():
            await here.add("ivan")
            for name, at in (("heidi", 3), ("erin", 1)):
                await here.person(name, at).send("bob+subscribe@reflectors.fabric.test", "")
            await here.still()
            yield here, shelf
    server.close()


def hold_back(town: LosingTown, host: str) -> None:
    """From now on the host hands out nothing."""

    def fault(_: Any) -> None:
        raise OSError("as the story has it")

    mailbox: Any = town.hosts[host].rooms.mailbox
    mailbox.wake.__self__.hand_out = fault


def wants(*subjects: str) -> Counter[str]:
    return Counter(subjects)


async def life(town: LosingTown, shelf: Shelf) -> None:
    """Of heidi's posts and letters some were taken, some wait for her shelf, and one was not handed out."""
    await town.person("bob").send(BOB, "post taken")
    await town.still()
    shelf.end = lambda to: "451 4.3.0 not now" if to.startswith("heidi") else "250 Ok"
    await town.person("bob").send(BOB, "post queued")
    await town.person("erin").send(HEIDI, "post-card")
    await until(lambda: sum("4.3.0" in row.reply for row in town.waiting()) == 2, lambda: f"{town.waiting()}")
    hold_back(town, "host-2")
    await town.person("bob").send(BOB, "post not handed out")
    await until(
        lambda: len(town.waiting()) == 2 and shelf.of("erin")["post not handed out"], lambda: f"{town.waiting()}"
    )


async def test_the_heir_hands_out_what_the_lost_host_had_not(place: Place) -> None:
    town, shelf = place
    await life(town, shelf)
    town.replicate("host-2", "host-3")
    await town.lose("host-2", disk=True)
    shelf.end = lambda to: "250 Ok"
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    await town.person("bob").send(BOB, "post after")
    assert (await from_outside(town.address(1), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, "posted")))[
        0
    ] == "2"
    all_of_them = wants("post taken", "post queued", "post not handed out", "post after")
    await until(lambda: len(shelf.posts("heidi")) == 6, lambda: f"{shelf.posts('heidi')}")
    await town.still()
    assert shelf.posts("heidi") == all_of_them + wants("post-card", "posted")
    assert shelf.posts("erin") == all_of_them
    assert not town.faults_found(), town.faults_found()


async def test_who_comes_back_gives_what_only_it_has_and_nothing_twice(place: Place) -> None:
    """After the replica's last word: posts that its heir had too and that it had not, handed out or not; a letter; a
    follow; an account. Its shelf takes nothing for those two, so all of that waits in its queue."""
    town, shelf = place
    await town.person("heidi", 3).send("erin+subscribe@reflectors.fabric.test", "")
    await town.still()
    town.replicate("host-2", "host-3")
    await town.add(NEW)
    await town.person(NEW, 3).send("bob+subscribe@reflectors.fabric.test", "")
    await town.person("heidi", 3).send("ivan+subscribe@reflectors.fabric.test", "")
    await town.person("erin").send("ivan+subscribe@reflectors.fabric.test", "")
    await town.still()
    shelf.end = lambda to: "451 4.3.0 not now" if to.startswith(("heidi", NEW)) else "250 Ok"
    queued = [(person, f"post of {person}, queued") for person in ("bob", "erin", "ivan")]
    for person, subject in queued:
        await town.person(person).send(f"{person}@reflectors.fabric.test", subject)
    await town.person("bob").send(HEIDI, "post-card")
    await until(lambda: sum("4.3.0" in row.reply for row in town.waiting()) == 5, lambda: f"{town.waiting()}")
    hold_back(town, "host-2")
    held = [(person, f"post of {person}, held") for person in ("bob", "erin", "ivan")]
    for person, subject in held:
        await town.person(person).send(f"{person}@reflectors.fabric.test", subject)
    await until(
        lambda: len(town.waiting()) == 5 and shelf.of("erin")["post of ivan, held"], lambda: f"{town.waiting()}"
    )
    await town.name_standby("host-2", "host-3")
    await town.lose("host-2", disk=False)
    shelf.end = lambda to: "250 Ok"
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    await town.still()
    assert shelf.posts("heidi").keys() == {"post of bob, queued", "post of bob, held"}  # the heir's log had those
    await town.start("host-2")
    await town.returned("host-2")
    await town.hurry()
    every = wants("post-card", *(subject for _, subject in queued + held))
    await until(lambda: len(shelf.posts("heidi")) == len(every), lambda: f"{shelf.posts('heidi')}")
    await town.still()
    assert shelf.posts("heidi") == every
    assert shelf.posts(NEW) == wants("post of bob, queued", "post of bob, held")
    assert shelf.posts("erin").total() == 4
    assert not town.faults_found(), town.faults_found()


async def test_whom_the_heir_never_heard_of_gets_all_of_it(place: Place) -> None:
    """There is no replica: what waited at the lost host, and what it had not handed out, goes out when it is back."""
    town, shelf = place
    await life(town, shelf)
    await town.name_standby("host-2", "host-3")
    await town.lose("host-2", disk=False)
    shelf.end = lambda to: "250 Ok"
    await town.promote("host-2", "host-3")
    await town.inherited("host-2", "host-3")
    await town.person("bob").send(BOB, "post after")
    await town.start("host-2")
    await town.returned("host-2")
    await town.hurry()
    every = wants("post taken", "post queued", "post not handed out", "post after", "post-card")
    await until(lambda: shelf.posts("heidi").keys() == every.keys(), lambda: f"{shelf.posts('heidi')}")
    await town.still()
    assert shelf.posts("heidi") == every
    assert not town.faults_found(), town.faults_found()


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "the way back"])
async def test_what_waits_for_a_server_that_there_is_no_more_is_filed(place: Place, lost: bool) -> None:
    """The heir keeps its mailboxes itself; or the lost host does, from now on."""
    town, shelf = place
    await life(town, shelf)
    town.replicate("host-2", "host-3")
    take_off_shelf(town.config.root)
    town.config = load(town.config.root)
    await town.lose("host-2", disk=lost)
    for host in ("host-3",) if lost else ("host-2",):
        if lost:
            await town.stop(host)
        await town.start(host)
    if lost:
        await town.promote("host-2", "host-3")
        await town.inherited("host-2", "host-3")
    await town.person("bob").send(BOB, "post after")
    await until(lambda: not town.waiting(), lambda: f"{town.waiting()}")
    ours = await town.person("heidi").subjects()
    assert shelf.posts("heidi") == wants("post taken")
    assert Counter(ours) == wants("post queued", "post-card", "post not handed out", "post after")
    assert not town.faults_found(), town.faults_found()


@pytest.mark.soak  # other mailboxes go the same ways, and the suite is long
async def test_a_promotion_and_a_return_that_break_off_anywhere(place: Place) -> None:
    """At each point it breaks, at some the heir ends there, or the lost host."""
    town, shelf = place
    town.replicate("host-2", "host-3")
    await life(town, shelf)
    await town.name_standby("host-2", "host-3")
    await town.lose("host-2", disk=False)
    shelf.end = lambda to: "250 Ok"
    town.faults.left = dict.fromkeys(POINTS, 1)
    await town.promote("host-2", "host-3")
    for point in ("laid-out", "after-take"):
        await until(partial(town.faults.has_passed, point))
        await town.stop("host-3")
        await town.start("host-3")
    await town.inherited("host-2", "host-3")
    town.faults.left = {"returning": 1, "merged": 1, "returned": 1}
    town.faults.spared = {"merged": 2}
    await town.start("host-2")
    await until(lambda: not town.faults.left["returning"])
    await town.stop("host-2")
    await town.start("host-2")
    await town.returned("host-2")
    await town.person("bob").send(BOB, "post after")
    await town.hurry()
    every = wants("post taken", "post queued", "post not handed out", "post after", "post-card")
    await until(lambda: shelf.posts("heidi").keys() == every.keys(), lambda: f"{shelf.posts('heidi')}")
    await town.still()
    # The replica did not know that this one was taken: its heir hands it out again.
    assert shelf.posts("heidi") == every + wants("post taken")
    assert not town.faults_found(), town.faults_found()
