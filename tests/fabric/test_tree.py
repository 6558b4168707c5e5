"""A list splits over three hosts, gets leaves, and folds again, while posts flow: everybody has every post once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mail.control import CreateSource, Subscribe
from reflector import Settings, tending
from tests.fabric import audit
from tests.fabric.growing import BOB, control, growing, hurry, strangers
from tests.fabric.town import OUTSIDE, Town, from_outside, letter, read, until

PEOPLE = ("alice", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory")
STRANGERS = strangers(24)
SETTINGS = Settings(
    leaf_threshold=3,
    split_threshold=8,
    fanout_max=3,
    rows_max=2,
    answer_seconds=20,
    rest_seconds_min=1,
    report_seconds=1,
)


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    async with growing(Town, tmp_path / "fabric", SETTINGS, monkeypatch) as here:
        await here.add(*(name for name in PEOPLE if name not in ("alice", "erin", "heidi")))
        yield here


def lists(town: Town) -> dict[str, str]:
    """The lists of bob's tree that serve now, and their hosts."""
    found = {}
    for name, host in town.hosts.items():
        for stand in tending.stands_of(host.store.reader, "bob"):
            if stand.node.state == "serving":
                found[stand.source.list] = name
    return found


def root(town: Town) -> tending.Stand:
    stands = (tending.stand_of(host.store.reader, "bob") for host in town.hosts.values())
    return next(stand for stand in stands if stand)


async def ask(town: Town, policy: str) -> None:
    for host in town.hosts.values():
        await host.store.write(lambda tx: tending.ask(tx, "bob", policy, time.time()))


async def until_still(town: Town) -> None:
    give_up = time.monotonic() + 30
    while town.waiting():
        assert time.monotonic() < give_up, town.waiting()
        await hurry(town)
        await asyncio.sleep(0.05)


async def test_everybody_has_every_post_once_while_the_list_splits_and_folds(town: Town) -> None:
    await control(town, CreateSource("bob", "bob", "Bob's news"))
    await town.still()
    bob = town.person("bob")
    for name in PEOPLE:
        await town.person(name).send("bob+subscribe@reflectors.fabric.test", "")
    for at in range(0, len(STRANGERS), 12):
        await control(town, *(Subscribe("bob", address) for address in STRANGERS[at : at + 12]))
    sent = 0

    async def post_until(there: object, what: str) -> None:
        nonlocal sent
        give_up = time.monotonic() + 30
        while not there():  # type: ignore[operator]
            assert time.monotonic() < give_up, f"{what}: {root(town)}"
            sent += 1
            assert (await bob.send(BOB, f"post {sent}")).startswith("250")
            await asyncio.sleep(0.3)

    await until_still(town)
    first = root(town).source.next_post
    await post_until(lambda: len(root(town).subs) == 3 and root(town).leaves, "it splits")
    assert set(lists(town)) >= {"bob", "bob+sub.1", "bob+sub.2", "bob+sub.3"}
    assert len(set(lists(town).values())) > 1, "the tree grows over several hosts"
    await ask(town, tending.FLAT)
    await post_until(lambda: not root(town).subs and not root(town).leaves, "it folds")
    await ask(town, tending.SPLIT)
    await post_until(lambda: len(root(town).subs) == 3, "it splits again")
    await until_still(town)
    posts = list(range(first, sent + 1))
    for name in PEOPLE:
        assert [number for number, _ in await town.person(name).posts()] == posts, name
    box = Counter((to, read(content)["Subject"]) for _, all_to, content in town.abroad.mail for to in all_to)
    box = Counter({(to, subject): n for (to, subject), n in box.items() if subject.startswith("post ")})
    assert box == Counter({(to, f"post {number}"): 1 for to in STRANGERS for number in posts})
    await town.stop()
    for name in ("host-1", "host-2", "host-3"):
        assert not audit.faults(town.config.host_folder(name) / "heliograph.db")


async def test_what_a_list_below_sends_comes_back_to_it(town: Town) -> None:
    await control(town, CreateSource("bob", "bob"))
    await town.still()
    await control(town, *(Subscribe("bob", address) for address in (f"nobody@{OUTSIDE}", *STRANGERS[:9])))
    await until(lambda: len(root(town).subs) == 3, lambda: str(root(town)))
    await town.person("bob").send(BOB, "hello")
    await town.still()
    await until(lambda: bounced(town) == [f"nobody@{OUTSIDE}"], lambda: str(bounced(town)))


def bounced(town: Town) -> list[str]:
    """Whose mail the lists below noted as come back."""
    sql = "SELECT detail ->> 'subscriber' FROM event WHERE kind = 'bounced' AND detail ->> 'source' LIKE 'bob+%'"
    return [who for host in town.hosts.values() for (who,) in host.store.reader.all(sql)]


async def test_no_stranger_writes_to_a_list_below(town: Town) -> None:
    names = town.hosts["host-1"].directory.current.names
    to = names.reflector_inside("bob", "sub.1")
    forged = letter("bob@fabric.test", to, "post", Heliograph_Source="bob", Heliograph_Post="1")
    for number in (1, 2, 3):
        reply = await from_outside(town.address(number), town.config.ports.smtp, f"x@{OUTSIDE}", [to], forged)
        assert reply.startswith("451"), reply
    assert (await town.person("alice").send(to, "post")).startswith("451")
