"""Followers whom a list does not know by a row move to another host: the list learns of them, and nothing is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from heliograph.demo.stage import free_net
from heliograph.zone.parting import held_by
from mailbox_host import passing
from tests.fabric.test_move import BOB, MovingTown
from tests.fabric.town import make_fabric, until


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[MovingTown]:
    with free_net() as net:
        here = MovingTown(make_fabric(tmp_path / "fabric", net), net)
        async with here.at_work():
            yield here


def passes_on(town: MovingTown, host: str) -> int:
    return passing.count(town.hosts[host].store.reader)


async def test_who_lived_next_door_to_a_list_gets_a_row_there(town: MovingTown) -> None:
    """Alice lives where bob's list is, on host-3. While he posts she moves to host-1 and on to host-2; in the end
    neither of her old hosts is needed any more."""
    alice, number, going = town.person("alice", 1), 0, True
    await alice.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()

    async def load() -> None:
        nonlocal number
        while going:
            number += 1
            assert (await town.person("bob", number % 3 + 1).send(BOB, f"post {number}")).startswith("250")

    loading = asyncio.create_task(load())
    for giver, taker in (("host-3", "host-1"), ("host-1", "host-2")):
        await town.rename(town.bucket("alice"), "timeline", taker)
        await town.moved("alice", giver, taker)
    await until(lambda: not any(passes_on(town, host) for host in town.hosts))
    going = False
    await loading
    await town.still()
    posts = [at for at, _ in await alice.posts()]
    assert sorted(posts) == list(range(1, number + 1))
    (row,) = town.hosts["host-3"].store.reader.all("SELECT from_post FROM subscriber WHERE address LIKE 'alice@%'")
    assert row == (1,)
    await town.stop("host-1")  # through which they went
    await town.person("bob", 3).send(BOB, "the last")
    await town.still()
    assert [said for _, said in await town.person("alice", 2).posts()][-1] == "the last"
    await alice_leaves(town)
    assert town.faults_found() == []


async def alice_leaves(town: MovingTown) -> None:
    """Her row is like any other: it ends with her goodbye."""
    await town.person("alice", 2).send("bob+unsubscribe@reflectors.fabric.test", "")
    await town.still()
    await town.person("bob", 3).send(BOB, "without alice")
    await town.still()
    assert [said for _, said in await town.person("alice", 2).posts()][-1] == "the last"


async def test_a_host_that_passes_posts_on_may_not_go(town: MovingTown) -> None:
    """The list is away, and cannot be told: the old host says so until it is."""
    alice = town.person("alice", 1)
    await alice.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await town.rename(town.bucket("bob"), "reflectors", "host-2")
    await town.moved("bob", "host-3", "host-2", "reflectors")
    await town.stop("host-2")
    await town.rename(town.bucket("alice"), "timeline", "host-1")
    await town.moved("alice", "host-3", "host-1")
    word = await town.hosts["host-3"]._word()
    assert word["passed_on"] == 1 and any("passes on posts of 1" in why for why in held_by("host-3", [word]))
    await town.start("host-2")
    await until(lambda: not passes_on(town, "host-3"))
    await town.person("bob", 2).send(BOB, "a post")
    await town.still()
    assert [said for _, said in await alice.posts()] == ["a post"]
