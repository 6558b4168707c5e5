"""The server that keeps the mailboxes behaves badly: who had a post gets it no second time, the others get it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph import host
from heliograph.acts import operations
from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from heliograph.shelves import handing
from mailbox_host import outward
from spool.runner_settings import Settings as RunnerSettings
from spool.runner_settings import Timeouts
from store import Transaction
from tests.fabric.shelf import SILENCE, Shelf, put_on_shelf
from tests.fabric.town import DOMAIN, Town, make_fabric, until

LIST = f"bob@reflectors.{DOMAIN}"
NAMES = ("erin", "heidi", "alice")  # in the order of their accounts: so they stand in a transaction
SOON = Timeouts(connect=5, greeting=1, command=1, group=1, data=1, block=1, dot=1)


@pytest_asyncio.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Town, Shelf]]:
    """One host, whose people have their mailboxes at a shelf and follow bob. Nobody's patience lasts long."""
    monkeypatch.setattr(handing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(host, "RunnerSettings", partial(RunnerSettings, timeouts=SOON))
    shelf = Shelf()
    server = await asyncio.start_unix_server(shelf.talk, tmp_path / "lmtp")
    with free_net() as net:
        make_fabric(tmp_path / "fabric", net, hosts=1, buckets=16)
        put_on_shelf(tmp_path / "fabric", str(tmp_path / "lmtp"))
        async with Town(load(tmp_path / "fabric"), net).at_work() as town:
            for name in NAMES:
                await town.person(name).send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
            await town.still()
            yield town, shelf
    server.close()


async def hurry(town: Town) -> None:
    for here in town.hosts.values():
        await here.store.write(lambda tx, here=here: here.queue.retry(tx, None, time.time()))  # type: ignore[misc]


async def arrived(town: Town, shelf: Shelf, *subjects: str) -> None:
    """Everybody has each of these once, and nothing waits."""
    give_up = time.monotonic() + 20
    while not town.is_still() and time.monotonic() < give_up:
        await hurry(town)
        await asyncio.sleep(0.05)
    for name in NAMES:
        assert shelf.posts(name) == Counter(subjects), (name, town.waiting())


def then(first: str, later: str) -> Iterator[str]:
    """Once this, then always that."""
    yield first
    while True:
        yield later


BAD = ("", "451 4.3.0 later", "not a reply")
GOOD = {"greet": "220 box", "rcpt": "250 2.1.5 Ok", "end": "250 2.0.0 Saved"}


async def test_once_it_answers_badly(place: tuple[Town, Shelf]) -> None:
    """At its greeting, to a recipient, or after the message to the last of them."""
    await each(place, *product(GOOD, BAD), ("end", SILENCE))


@pytest.mark.soak  # it waits for its time to be over
async def test_once_it_says_nothing(place: tuple[Town, Shelf]) -> None:
    await each(place, *((which, SILENCE) for which in GOOD))


async def each(place: tuple[Town, Shelf], *faults: tuple[str, str]) -> None:
    town, shelf = place
    posts: list[str] = []
    for which, reply in faults:
        once = then(reply, GOOD[which])
        bad = partial(answer, once, GOOD[which])
        setattr(shelf, which, bad)
        if which == "greet":
            shelf.hang_up()
        posts.append(f"post {which} {reply}".strip())
        await town.person("bob").send(LIST, posts[-1])
        await arrived(town, shelf, *posts)


def answer(once: Iterator[str], good: str, to: str = "alice") -> str:
    return next(once) if to.startswith("alice") else good


async def test_a_refusal_is_one_follower_s_loss(place: tuple[Town, Shelf]) -> None:
    town, shelf = place
    said = then("552 5.2.2 Quota exceeded", "250 2.0.0 Saved")
    shelf.end = lambda to: next(said) if to.startswith("erin") else "250 2.0.0 Saved"
    await town.person("bob").send(LIST, "post one")
    await town.still()
    await town.person("bob").send(LIST, "post two")
    await town.still()
    assert [sorted(shelf.posts(name)) for name in NAMES] == [
        ["post two"],
        ["post one", "post two"],
        ["post one", "post two"],
    ]
    rows = town.hosts["host-1"].store.reader.all("SELECT 1 FROM event WHERE detail LIKE '%Quota%'")
    assert rows


def as_many_wait(town: Town, number: int) -> bool:
    return len(town.waiting()) >= number


async def test_a_server_that_is_away_has_so_much_waiting_and_no_more(
    place: tuple[Town, Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into the queue waits in the log, over a restart too; then it comes, each once."""
    town, shelf = place
    monkeypatch.setattr(handing, "WAITING_MAX", 7)
    monkeypatch.setattr(handing, "POSTS_AT_ONCE_MAX", 1)
    shelf.greet, shelf.rcpt = lambda: "421 4.3.2 closed for today", lambda to: ""
    posts = [f"post {number}" for number in range(8)]
    for number, subject in enumerate(posts):
        await town.person("bob").send(LIST, subject)
        await until(partial(as_many_wait, town, min(3 * number + 3, 7)), lambda: f"{town.waiting()}")
        await until(lambda: all(row.attempts or row.reply for row in town.waiting()), lambda: f"{town.waiting()}")
    await town.stop()
    await town.start()
    await asyncio.sleep(0.2)
    assert 7 <= len(town.waiting()) <= 9
    shelf.greet, shelf.rcpt = lambda: "220 box", lambda to: "250 Ok"
    await until(lambda: all(shelf.posts(name).total() == 8 for name in NAMES))
    await arrived(town, shelf, *posts)


async def test_who_leaves_gets_what_was_queued_and_nothing_more(place: tuple[Town, Shelf]) -> None:
    """Of an account that is removed what waits goes to its server all the same, which knows whether it has it still."""
    town, shelf = place
    shelf.end = lambda to: "451 4.3.0 later"
    await town.person("bob").send(LIST, "post queued")
    await until(lambda: sum("4.3.0" in row.reply for row in town.waiting()) == 3)
    await town.person("alice").send(f"bob+unsubscribe@reflectors.{DOMAIN}", "unsubscribe")
    here = town.hosts["host-1"]
    site = here._site()
    await here.store.write(lambda tx: operations.remove_account(tx, site, time.time(), "erin"))
    await until(lambda: len(town.waiting()) == 4)  # alice's goodbye letter waits too
    await town.person("bob").send(LIST, "post after")
    await until(lambda: len(town.waiting()) == 5)
    shelf.end = lambda to: "550 5.1.1 gone" if to.startswith("erin") else "250 2.0.0 Saved"
    await hurry(town)
    await town.still()
    assert [sorted(shelf.posts(name)) for name in NAMES] == [[], ["post after", "post queued"], ["post queued"]]


async def test_a_host_that_ends_between_two_parts_goes_on_from_there(
    place: tuple[Town, Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    town, shelf = place
    monkeypatch.setattr(outward, "FOLLOWERS_AT_ONCE_MAX", 1)
    monkeypatch.setattr(handing, "ROWS_ENOUGH", 1)
    hand_out, parts = handing.HandingOut.hand_out, iter(range(100))

    def then_ends(self: handing.HandingOut, tx: Transaction) -> None:
        if next(parts) >= 2:
            raise OSError("the host ends here")
        hand_out(self, tx)

    monkeypatch.setattr(handing.HandingOut, "hand_out", then_ends)
    await town.person("bob").send(LIST, "post in parts")
    await until(lambda: sum(shelf.posts(name).total() for name in NAMES) == 2)
    await town.stop()
    monkeypatch.setattr(handing.HandingOut, "hand_out", hand_out)
    await town.start()
    await town.still()
    await arrived(town, shelf, "post in parts")
