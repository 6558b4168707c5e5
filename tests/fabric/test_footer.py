"""A source's footer, from the owner's mail to a stranger's mailbox: on the root, below it, and after a move."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mail.control import Subscribe
from reflector import Settings, tending
from tests.fabric.growing import BOB, control, growing, strangers
from tests.fabric.test_move import MovingTown
from tests.fabric.test_posts_abroad import click, posts, verdicts, way_out
from tests.fabric.town import OUTSIDE, letter, read, until

FOOTER = "bob+footer@reflectors.fabric.test"
READERS = strangers(8)
LATE = f"late@{OUTSIDE}"
SETTINGS = Settings(split_threshold=100, fanout_max=3, answer_seconds=5, rest_seconds_min=1, report_seconds=1)


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MovingTown]:
    async with growing(MovingTown, tmp_path / "fabric", SETTINGS, monkeypatch) as here:
        yield here


async def follow(town: MovingTown, *readers: str) -> None:
    await control(town, *(Subscribe("bob", reader) for reader in readers))
    await town.still()


async def write(town: MovingTown, to: str, text: str, host: int = 1) -> None:
    said = await town.person("bob", host).submit(letter("bob@fabric.test", to, "words", text), [to])
    assert said.startswith("250")
    await town.still()


async def split(town: MovingTown) -> None:
    for host in town.hosts.values():
        await host.store.write(lambda tx: tending.ask(tx, "bob", tending.SPLIT, time.time()))
    await until(lambda: "bob" not in serving(town), lambda: str(serving(town)))
    await town.still()


def serving(town: MovingTown) -> dict[str, str]:
    """The lists of bob's tree that have followers outside, and their hosts."""
    stands = {name: tending.stands_of(host.store.reader, "bob") for name, host in town.hosts.items()}
    return {one.source.list: name for name, found in stands.items() for one in found if one.source.subscribers}


def newest(town: MovingTown, who: str) -> tuple[str, str]:
    """The text of somebody's newest post, if it is sealed as it should be, and its way out."""
    content = posts(town, who)[-1][1]
    assert verdicts(town, content) == [True, True] and b"heliograph-footer" not in content.lower()
    return str(read(content).get_content()).replace("\r\n", "\n"), way_out(content)[0]


async def test_a_footer_is_under_what_strangers_get_and_nowhere_else(town: MovingTown) -> None:
    bob, alice = town.person("bob"), town.person("alice")
    await alice.send("bob+subscribe@reflectors.fabric.test", "")
    await follow(town, *READERS)
    await write(town, FOOTER, "Grüße von Bob\nLeave: %unsubscribe%\n-- \nBob's client")
    said = (await bob.letters())[-1].get_content()
    assert "was changed" in said and "  Grüße von Bob" in said and "client's" in said and "Bob's client" not in said

    await write(town, BOB, "ein grüner Tag")
    links = set()
    for reader in READERS:
        text, link = newest(town, reader)
        assert text == f"ein grüner Tag\n\n-- \nGrüße von Bob\nLeave: {link}\n"
        links.add(link)
    assert len(links) == len(READERS)
    (post,) = [mail for mail in await alice.letters() if mail["Heliograph-Post"]]
    assert post.get_content() == "ein grüner Tag\r\n"

    await split(town)
    root = town.hosts["host-1"].directory.current.owner("reflectors", town.bucket("bob"))
    assert set(serving(town).values()) - {root}, "some are served by other hosts now"
    await write(town, BOB, "noch ein grüner Tag", 2)
    for reader in READERS:
        text, link = newest(town, reader)
        assert text.endswith(f"\n\n-- \nGrüße von Bob\nLeave: {link}\n")
        assert re.search(r"/unsubscribe/bob/b\d+/", link) and link not in links
    assert (await click(town, newest(town, READERS[0])[1], 2))[0] == 200  # the link in the words acts
    await town.still()

    taker = f"host-{int(root[-1]) % 3 + 1}"
    await town.rename(town.bucket("bob"), "reflectors", taker)
    await town.moved("bob", root, taker, "reflectors")
    await follow(town, LATE)
    await write(town, BOB, "nach dem Umzug grün", 3)
    assert len(posts(town, READERS[0])) == 2
    for reader in (*READERS[1:], LATE):
        assert newest(town, reader)[0].startswith("nach dem Umzug grün\n\n-- \nGrüße von Bob\n")

    await write(town, FOOTER, "none")
    await write(town, BOB, "ohne")
    assert newest(town, LATE)[0] == "ohne\n"
    assert town.faults_found() == []
