"""A fabric whose mailboxes another server keeps: everybody gets everything once, and nobody twice for its sake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from heliograph.shelves.handing import HandingOut
from heliograph.shelves.place import shelf_address, shelf_of
from mail.address import BadAddress, parse_address
from mail.control import Welcome
from mailbox_host import outward
from mailbox_host.follows import welcome
from mailbox_host.tables import MIGRATIONS
from spool.queue import Queue
from spool.route import Shelf as Place
from spool.tables import MIGRATIONS as SPOOL
from tests.fabric.shelf import Shelf, put_on_shelf
from tests.fabric.town import DOMAIN, OUTSIDE, Town, from_outside, letter, make_fabric, until
from tests.mailbox_host.house import NOW, House

LIST = f"bob@reflectors.{DOMAIN}"


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, Shelf]]:
    """Two hosts with one shelf at a Unix socket."""
    shelf = Shelf()
    server = await asyncio.start_unix_server(shelf.talk, tmp_path / "lmtp")
    with free_net() as net:
        make_fabric(tmp_path / "fabric", net, hosts=2)
        put_on_shelf(tmp_path / "fabric", f"unix:{tmp_path}/lmtp")
        async with Town(load(tmp_path / "fabric"), net).at_work() as town:
            yield town, shelf
    server.close()


async def test_followers_get_posts_together_and_letters_alone(place: tuple[Town, Shelf]) -> None:
    town, shelf = place
    names = [f"guest-{number}" for number in range(20)]
    await town.add(*names)
    for name in (*names, "alice"):
        await town.person(name).send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
    await town.still()
    shelf.transactions.clear()
    await town.person("bob", 2).send(LIST, "to all")
    await until(lambda: all(shelf.of(name)["to all"] for name in (*names, "alice")))
    await town.still()
    assert {shelf.of(name)["to all"] for name in (*names, "alice")} == {1}
    assert len(shelf.transactions) == 2  # one a host, though 21 follow
    await town.person("alice").send(f"erin+work@{DOMAIN}", "a letter")
    strange = letter(f"zoe@{OUTSIDE}", f"erin@{DOMAIN}", "said twice")
    for number in (1, 2):
        await from_outside(town.address(number), town.config.ports.smtp, f"zoe@{OUTSIDE}", [f"erin@{DOMAIN}"], strange)
    await town.still()
    assert shelf.of("erin")["a letter"] == 1 and shelf.of("erin")["said twice"] == 1
    assert await town.person("alice").subjects() == []  # ours shows nothing of it


async def test_a_server_that_goes_away_among_the_replies_repeats_only_who_had_none(place: tuple[Town, Shelf]) -> None:
    town, shelf = place
    for name in ("alice", "erin", "heidi"):
        await town.person(name).send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
    await town.still()
    said = iter(["250 2.0.0 Saved", ""])
    shelf.end = lambda recipient: next(said, "250 2.0.0 Saved")
    await town.person("bob").send(LIST, "in pieces")
    await until(lambda: all(shelf.of(name)["in pieces"] for name in ("alice", "erin", "heidi")))
    await town.still()
    assert {shelf.of(name)["in pieces"] for name in ("alice", "erin", "heidi")} == {1}


async def test_a_full_mailbox_is_told_at_the_door_and_a_post_waits_or_is_lost_for_that_one(
    place: tuple[Town, Shelf],
) -> None:
    town, shelf = place
    for name in ("alice", "erin"):
        await town.person(name).send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
    await town.still()
    shelf.rcpt = lambda to: "250 2.1.5 Ok" if to.startswith("alice") else "552 5.2.2 Quota exceeded"
    content, zoe = letter(f"zoe@{OUTSIDE}", f"heidi@{DOMAIN}", "too much"), f"zoe@{OUTSIDE}"
    for number in (1, 2):
        said = await from_outside(town.address(number), town.config.ports.smtp, zoe, [f"heidi@{DOMAIN}"], content)
        assert said.startswith("55") and "5.2.2" in said
    await town.person("bob").send(LIST, "for those with room")
    await town.still()
    assert (shelf.of("alice")["for those with room"], shelf.of("erin")["for those with room"]) == (1, 0)
    full = True
    shelf.rcpt = lambda to: "452 4.2.2 Quota exceeded" if full and to.startswith("erin") else "250 2.1.5 Ok"
    await town.person("bob").send(LIST, "for all, in time")
    await until(lambda: [row for row in town.waiting() if "4.2.2" in row.reply], lambda: f"{town.waiting()}")
    full = False
    await town.still()
    assert (shelf.of("alice")["for all, in time"], shelf.of("erin")["for all, in time"]) == (1, 1)


async def test_a_host_that_stops_in_between_hands_everything_out_once(place: tuple[Town, Shelf]) -> None:
    town, shelf = place
    for name in ("alice", "erin", "heidi"):
        await town.person(name).send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
    await town.still()
    shelf.rcpt = lambda to: "451 4.3.0 not now"
    for number in range(5):
        await town.person("bob", 1 + number % 2).send(LIST, f"post {number}")
    await town.stop()
    shelf.rcpt = lambda to: "250 2.1.5 Ok"
    await town.start()
    for host in town.hosts.values():
        await host.store.write(lambda tx, queue=host.queue: queue.retry(tx, None, time.time()))  # type: ignore[misc]
    sent = {f"post {number}": 1 for number in range(5)}
    await until(lambda: all(sent.keys() <= shelf.of(name).keys() for name in ("alice", "erin", "heidi")))
    await town.still()
    for name in ("alice", "erin", "heidi"):
        assert {subject: count for subject, count in shelf.of(name).items() if subject in sent} == sent


async def test_at_the_doors_the_queues_addresses_mean_nothing(place: tuple[Town, Shelf]) -> None:
    town, shelf = place
    port = town.config.ports.smtp
    for to in (f'"lmtp:erin"@{DOMAIN}', f"erin+News@mailbox.{DOMAIN}"):
        said = await from_outside(town.address(1), port, f"zoe@{OUTSIDE}", [to], b"a: b\r\n\r\n")
        assert said[0] == "5", (to, said)
        assert not (await town.person("alice").send(to, "x")).startswith("250")
        forged = letter(f"lmtp:erin+Evil@{DOMAIN}", LIST, "help")
        await from_outside(town.address(1), port, to, [f"bob+help@reflectors.{DOMAIN}"], forged)
    await town.still()
    assert not [kept for kept in shelf.kept if "Evil" in kept[0]]


def test_a_folder_that_lmtp_cannot_name_is_left_out() -> None:
    for folder, named in (
        ("INBOX", "alice"),
        ("News/London", "alice+News/London"),
        ("Evening Papers", '"alice+Evening Papers"'),
        ("Zeitung für alle", "alice"),
        ('a"b', "alice"),
        ("x" * 58, "alice+" + "x" * 58),  # 64 octets (RFC 5321 4.5.3.1.1)
        ("x" * 59, "alice"),
        ("a+b", "alice+a+b"),
        ("two\r\nlines", "alice"),
        ("News.London.", '"alice+News.London."'),
        ("=?utf-8?q?x?=", "alice"),
    ):
        address = shelf_address(DOMAIN, "alice", folder)
        assert address == f"lmtp:{named}@{DOMAIN}"
        assert shelf_of(address, "/run/lmtp") == Place("/run/lmtp", f"{named}@{DOMAIN}")
        with pytest.raises(BadAddress):
            parse_address(address)


def test_a_burst_is_queued_whole_in_bounded_parts() -> None:
    house = House((*MIGRATIONS, *SPOOL))
    names = [f"u{number}" for number in range(30)]
    house.move_in(*names)
    outward.begin(house.tx)
    for name in names:
        welcome(house.tx, name, Welcome("bob", 1, 1, "INBOX"), NOW)
    for number in range(1, 71):
        house.log("bob", number)
    work = HandingOut(None, Queue(), partial(shelf_address, DOMAIN), lambda: NOW, "")  # type: ignore[arg-type]
    parts = []
    while outward.is_due(house.tx):
        work.hand_out(house.tx)
        parts.append(house.tx.one("SELECT count(*) FROM queue_recipient")[0])  # type: ignore[index]
    assert parts == [1020, 2040, 2100]
    rows = house.tx.all("SELECT m.body, r.address FROM queue_recipient r JOIN queue_message m ON m.id = r.message")
    assert len(set(rows)) == len(rows) == 30 * 70
    assert house.tx.one("SELECT count(*) FROM queue_message") == (70,)
