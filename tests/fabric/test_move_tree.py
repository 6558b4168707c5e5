"""Buckets with lists of a split tree move, its root's among them, while posts, subscriptions and splits go on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph.ownership.holding import OWNER, TOMBSTONE
from mail.control import CreateSource, Subscribe
from reflector import Settings, tending
from tests.fabric.growing import BOB, control, growing, hurry, strangers
from tests.fabric.test_move import MovingTown
from tests.fabric.town import OUTSIDE, read, until

PEOPLE = ("alice", "erin", "heidi")
STRANGERS = strangers(12)
LATE = tuple(f"late{number}@{OUTSIDE}" for number in range(6))
LISTS = ("bob+sub.1", "bob", "bob+sub.3")
SETTINGS = Settings(
    leaf_threshold=1,
    split_threshold=8,
    fanout_max=3,
    rows_max=2,
    answer_seconds=5,
    rest_seconds_min=1,
    rest_seconds_max=2,
    report_seconds=1,
)


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MovingTown]:
    async with growing(MovingTown, tmp_path / "fabric", SETTINGS, monkeypatch) as here:
        yield here


async def all_still(town: MovingTown) -> None:
    give_up = time.monotonic() + 30
    while town.waiting() or any(tending.is_busy(h.store.reader, "bob", time.time()) for h in town.hosts.values()):
        assert time.monotonic() < give_up, town.waiting()
        await hurry(town)
        await asyncio.sleep(0.05)


def stands(town: MovingTown) -> dict[str, tuple[str, tending.Stand]]:
    """The lists of bob's tree that are served, each at one host."""
    found: dict[str, tuple[str, tending.Stand]] = {}
    for name, host in town.hosts.items():
        for stand in tending.stands_of(host.store.reader, "bob"):
            if stand.node.state == "serving":
                assert stand.source.list not in found, f"{stand.source.list} is at {name} too"
                found[stand.source.list] = name, stand
    return found


async def move(town: MovingTown, list_: str) -> None:
    """Give a list's bucket to the next host, and wait until it is there."""
    bucket = town.config.names.bucket(list_)
    states = {name: host.ownership for name, host in town.hosts.items()}
    giver = next(name for name, owned in states.items() if owned.state("reflectors", bucket) == OWNER)
    taker = f"host-{int(giver[-1]) % 3 + 1}"
    await town.rename(bucket, "reflectors", taker)
    await until(lambda: states[taker].state("reflectors", bucket) == OWNER)
    await until(lambda: states[giver].state("reflectors", bucket) == TOMBSTONE)


async def test_a_tree_moves_while_it_grows_and_is_posted_to(town: MovingTown) -> None:
    await control(town, CreateSource("bob", "bob", "Bob's news"))
    await town.still()
    for name in PEOPLE:
        await town.person(name).send("bob+subscribe@reflectors.fabric.test", "")
    for at in range(0, len(STRANGERS), 6):
        await control(town, *(Subscribe("bob", address) for address in STRANGERS[at : at + 6]))
    await town.still()
    number, going = 0, True

    async def load() -> None:
        """Posts, and now and then somebody who comes, or goes."""
        nonlocal number
        late = iter(LATE)
        while going:
            number += 1
            assert (await town.person("bob", number % 3 + 1).send(BOB, f"post {number}")).startswith("250")
            if number % 2 and (who := next(late, "")):
                await control(town, Subscribe("bob", who))
            await hurry(town)
            await asyncio.sleep(0.05)

    loading = asyncio.create_task(load())
    for list_ in LISTS:  # while it splits
        await move(town, list_)
    await until(lambda: {"bob", "bob+sub.1", "bob+sub.2", "bob+sub.3"} <= set(stands(town)), lambda: str(stands(town)))
    for list_ in reversed(LISTS):
        await move(town, list_)
    await until(lambda: number > 2 * len(LATE))
    going = False
    await loading
    await all_still(town)
    await everybody_has_every_post_once(town, number)
    await what_is_told_is_what_is(town)
    assert town.faults_found() == []


async def everybody_has_every_post_once(town: MovingTown, number: int) -> None:
    posts, numbers = list(range(1, number + 1)), dict[str, int]()
    for name in PEOPLE:
        had_here = await town.person(name).posts()
        numbers |= {subject: at for at, subject in had_here}
        assert sorted(at for at, _ in had_here) == posts, name
    had: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for _, all_to, content in town.abroad.mail:
        for to in all_to if (subject := str(read(content)["Subject"])) in numbers else ():
            had[to][numbers[subject]] += 1
    for who in STRANGERS:
        assert had[who] == Counter(posts), who
    for who in LATE:  # from the moment when they came, whole
        assert had[who] == Counter(range(min(had[who]), number + 1)), who


async def what_is_told_is_what_is(town: MovingTown) -> None:
    """The audit by XOR digests: what each list below says of itself to the root is what is in its rows."""
    root = town.hosts[stands(town)["bob"][0]]
    asked = time.time()
    await root.store.write(
        lambda tx: [root.flow.dispatch(tx, m, asked) for m in root.reflector.audit(tx, "bob", asked)]
    )
    below = {name: place for name, place in stands(town).items() if name != "bob"}

    def told() -> bool:
        found = tending.told_of(root.store.reader, "bob")
        return all(name in found and found[name].at >= asked for name in below)

    await until(told)
    found = tending.told_of(root.store.reader, "bob")
    rows = {name: tending.rows_of(town.hosts[host].store.reader, name) for name, (host, _) in below.items()}
    assert {name: (found[name].rows, found[name].digest) for name in below} == {
        name: (row.outside, row.digest) for name, row in rows.items()
    }
    assert sum(row.outside for row in rows.values()) == len(STRANGERS) + len(LATE)
