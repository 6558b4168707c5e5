"""Accounts whose mailboxes another server keeps move, to hosts that say the same and to hosts that keep their own: each
post comes once, to the one place or the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from heliograph.moving import mover
from heliograph.shelves import handing
from tests.fabric.shelf import Shelf, put_on_shelf
from tests.fabric.test_move import BOB, HEIDI, POINTS, MovingTown
from tests.fabric.town import make_fabric, until

Place = tuple[MovingTown, Shelf]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(mover, "AGAIN_SECONDS", (0.05,) * 6)


@asynccontextmanager
async def place(root: Path, *hosts: str) -> AsyncIterator[Place]:
    """heidi's mailbox is host-2's at first; these hosts (all, where none is named) have a shelf for theirs."""
    shelf = Shelf()
    server = await asyncio.start_unix_server(shelf.talk, root / "lmtp")
    with free_net() as net:
        make_fabric(root / "fabric", net, outside=net.replace(".0/24", ".50"))
        put_on_shelf(root / "fabric", str(root / "lmtp"), *hosts)
        here = MovingTown(load(root / "fabric"), net)
        async with here.at_work():
            for name in ("heidi", "alice", "erin"):
                await here.person(name, 3).send("bob+subscribe@reflectors.fabric.test", "")
            await here.still()
            yield here, shelf
    server.close()


async def had(town: MovingTown, shelf: Shelf) -> Counter[str]:
    """What heidi has of the posts and letters, wherever she looks."""
    ours = Counter(subject for subject in await town.person("heidi").subjects() if subject.startswith("post"))
    return shelf.posts("heidi") + ours


@pytest.mark.parametrize(
    "hosts", [pytest.param((), marks=pytest.mark.soak), ("host-2",), pytest.param(("host-1",), marks=pytest.mark.soak)]
)
async def test_a_bucket_moves_there_and_back_while_posts_flow(tmp_path: Path, hosts: tuple[str, ...]) -> None:
    async with place(tmp_path, *hosts) as (town, shelf):
        number, going = 0, True

        async def load() -> None:
            nonlocal number
            while going:
                number += 1
                assert (await town.person("bob", number % 3 + 1).send(BOB, f"post {number}")).startswith("250")
                assert (await town.person("erin", number % 3 + 1).send(HEIDI, f"post-card {number}")).startswith("250")

        loading = asyncio.create_task(load())
        for giver, taker in (("host-2", "host-1"), ("host-1", "host-2")):
            await asyncio.sleep(0.1)
            await town.rename(town.bucket("heidi"), "timeline", taker)
            await town.moved("heidi", giver, taker)
        going = False
        await loading
        await town.still()
        wanted = Counter(f"{kind} {at}" for kind in ("post", "post-card") for at in range(1, number + 1))
        assert await had(town, shelf) == wanted
        assert not town.faults_found(), town.faults_found()


@pytest.mark.soak  # other mailboxes go the same ways, and the suite is long
async def test_broken_off_anywhere_it_comes_to_its_end(tmp_path: Path) -> None:
    """At each point the stream breaks; at some both hosts end, and come back."""
    async with place(tmp_path) as (town, shelf):
        homes = ["host-2", "host-1"]
        for at, point in enumerate(POINTS):
            town.faults.left, town.faults.passed = {point: 1}, []
            await town.person("bob").send(BOB, f"post before {at}")
            await town.rename(town.bucket("heidi"), "timeline", homes[1])
            await until(partial(town.faults.has_passed, point))
            if point in ("after-seal", "after-take"):
                for host in homes:
                    await town.stop(host)
                    await town.start(host)
            await town.moved("heidi", *homes)
            await town.person("bob").send(BOB, f"post after {at}")
            homes.reverse()
        await town.still()
        wanted = Counter(f"post {when} {at}" for when in ("before", "after") for at in range(len(POINTS)))
        await until(lambda: shelf.posts("heidi").keys() == wanted.keys(), lambda: f"{shelf.posts('heidi')}")
        await town.still()
        assert shelf.posts("heidi") == wanted
        assert not town.faults_found(), town.faults_found()
