"""A source's footer, from the owner's mail to a stranger's mailbox: on the root, below it, and after a move."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

import heliograph.rounds
import reflector.membership
from heliograph.demo.stage import free_net
from mail.control import Subscribe, add_controls
from mail.envelope import Outgoing, Recipient
from reflector import Settings, tending
from tests.fabric.test_move import Faults, MovingTown
from tests.fabric.test_posts_abroad import click, posts, verdicts, way_out
from tests.fabric.town import OUTSIDE, letter, make_fabric, read, until

BOB = "bob@reflectors.fabric.test"
FOOTER = "bob+footer@reflectors.fabric.test"
READERS = tuple(f"p{number}@{OUTSIDE}" for number in range(9))
LATE = f"late@{OUTSIDE}"


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MovingTown]:
    """Three hosts with small lists, quick rounds, and hand-overs that can be looked at."""
    monkeypatch.setattr(heliograph.rounds, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(reflector.membership, "LOOK_SECONDS", 0.05)
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net, outside=net.replace(".0/24", ".50"))
        settings = Settings(split_threshold=100, fanout_max=3, answer_seconds=5, rest_seconds_min=1, report_seconds=1)
        here = MovingTown(replace(config, reflectors=settings), net)
        here.faults = Faults()
        async with here.at_work():
            yield here


async def follow(town: MovingTown, *readers: str) -> None:
    host = town.hosts["host-1"]
    content = add_controls(letter("x@fabric.test", BOB, "control"), *(Subscribe("bob", reader) for reader in readers))
    mail = Outgoing("", (Recipient(host.directory.current.names.reflector_inside("bob", "control")),), content, True)
    await host.store.write(lambda tx: host.flow.dispatch(tx, mail, time.time()))
    await town.still()


async def post(town: MovingTown, text: str, number: int = 1) -> None:
    assert (await town.person("bob", number).submit(letter("bob@fabric.test", BOB, text, text), [BOB])).startswith(
        "250"
    )
    await town.still()


def newest(town: MovingTown, who: str) -> bytes:
    return posts(town, who)[-1][1]


def text_of(content: bytes) -> str:
    return str(read(content).get_content()).replace("\r\n", "\n")


async def split(town: MovingTown) -> None:
    for host in town.hosts.values():
        await host.store.write(lambda tx: tending.ask(tx, "bob", tending.SPLIT, time.time()))

    await until(lambda: all(name != "bob" for name in serving(town)), lambda: str(serving(town)))
    await town.still()


def serving(town: MovingTown) -> dict[str, str]:
    """The lists of bob's tree that have followers outside, and their hosts."""
    stands = {name: tending.stands_of(host.store.reader, "bob") for name, host in town.hosts.items()}
    return {one.source.list: name for name, found in stands.items() for one in found if one.source.subscribers}


async def test_a_footer_is_under_what_strangers_get_and_nowhere_else(town: MovingTown) -> None:
    await town.person("alice").send("bob+subscribe@reflectors.fabric.test", "")
    await follow(town, *READERS[:8])
    bob = town.person("bob")
    words = "Grüße von Bob\nLeave: %unsubscribe%"
    assert (await bob.submit(letter("bob@fabric.test", FOOTER, "footer", f"{words}\n-- \nBob"), [FOOTER]))[:3] == "250"
    await town.still()
    answer = (await bob.letters())[-1]
    assert "was changed" in answer.get_content() and "  Grüße von Bob" in answer.get_content()

    await post(town, "ein grüner Tag")
    links = set()
    for reader in READERS[:8]:
        copy = newest(town, reader)
        link = way_out(copy)[0]
        assert text_of(copy) == f"ein grüner Tag\n\n-- \nGrüße von Bob\nLeave: {link}\n"
        assert verdicts(town, copy) == [True, True] and b"heliograph-footer" not in copy.lower()
        links.add(link)
    assert len(links) == 8
    (found,) = [mail for mail in await town.person("alice").letters() if mail["Heliograph-Post"]]
    assert found.get_content() == "ein grüner Tag\r\n"

    # below the root, on other hosts
    await split(town)
    root, below = town.hosts["host-1"].directory.current.owner("reflectors", town.bucket("bob")), serving(town)
    assert set(below.values()) - {root}, "some of it is on other hosts"
    await post(town, "noch ein grüner Tag", 2)
    for reader in READERS[:8]:
        copy = newest(town, reader)
        assert f"-- \nGrüße von Bob\nLeave: {way_out(copy)[0]}\n" in text_of(copy) and verdicts(town, copy) == [
            True,
            True,
        ]
        assert re.search(r"/unsubscribe/bob/b\d+/", way_out(copy)[0])
    assert (await click(town, way_out(newest(town, READERS[0]))[0], 2))[0] == 200  # the link in the words acts
    await town.still()

    # the list's root moves
    taker = f"host-{int(root[-1]) % 3 + 1}"
    await town.rename(town.bucket("bob"), "reflectors", taker)
    await town.moved("bob", root, taker, "reflectors")
    await follow(town, LATE)
    await post(town, "nach dem Umzug, grün", 3)
    assert len(posts(town, READERS[0])) == 2 and len(posts(town, READERS[1])) == 3
    for reader in (*READERS[1:8], LATE):
        assert "Grüße von Bob" in text_of(newest(town, reader)) and verdicts(town, newest(town, reader)) == [True, True]
    assert town.faults_found() == []

    assert (await bob.send(FOOTER, "none"))[:3] == "250"
    await town.still()
    await post(town, "ohne")
    assert text_of(newest(town, LATE)) == "ohne\n" and verdicts(town, newest(town, LATE)) == [True, True]
