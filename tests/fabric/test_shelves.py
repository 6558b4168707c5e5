"""A fabric whose mailboxes another server keeps: everybody gets everything once, and nobody twice for its sake."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph.config import load
from heliograph.demo.stage import free_net
from heliograph.settings import FILE_NAME
from heliograph.shelves.handing import HandingOut
from heliograph.shelves.place import shelf_address, shelf_of
from mail.address import BadAddress, parse_address
from mail.control import Welcome
from mailbox_host import outward
from mailbox_host.follows import welcome
from mailbox_host.tables import MIGRATIONS
from spool.queue import Queue
from spool.route import Shelf as Place
from spool.tables import MIGRATION as SPOOL
from tests.fabric.town import DOMAIN, OUTSIDE, Town, from_outside, letter, make_fabric, read, until
from tests.mailbox_host.house import NOW, House

LIST = f"bob@reflectors.{DOMAIN}"


@dataclass
class Shelf:
    """An LMTP server that keeps all. `rcpt` and `end` answer a recipient; "" hangs up there."""

    kept: list[tuple[str, str]] = field(default_factory=list)  # (recipient, subject)
    transactions: list[list[str]] = field(default_factory=list)
    rcpt: Callable[[str], str] = lambda recipient: "250 2.1.5 Ok"
    end: Callable[[str], str] = lambda recipient: "250 2.0.0 Saved"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken: list[str] = []
        writer.write(b"220 box LMTP\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while line := (await reader.readline()).decode().strip():
                verb = line.partition(" ")[0].upper()
                if verb == "RCPT":
                    to = line.partition("<")[2].rpartition(">")[0]
                    reply = self.rcpt(to)
                    taken += [to] if reply.startswith("2") else []
                    writer.write(f"{reply}\r\n".encode())
                elif verb == "DATA" and not taken:
                    writer.write(b"503 5.5.1 No valid recipients\r\n")
                elif verb == "DATA":
                    writer.write(b"354 go\r\n")
                    subject = str(read(await reader.readuntil(b"\r\n.\r\n"))["Subject"])
                    self.transactions.append(taken)
                    for to in taken:
                        if not (reply := self.end(to)):
                            writer.close()
                            return
                        self.kept += [(to, subject)] if reply.startswith("2") else []
                        writer.write(f"{reply}\r\n".encode())
                    taken = []
                else:
                    taken = [] if verb in ("RSET", "MAIL") else taken
                    writer.write(b"250-box\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if verb == "LHLO" else b"250 Ok\r\n")
        writer.close()

    def of(self, name: str) -> Counter[str]:
        """What somebody got, with the folders: "subject" or "folder: subject"."""
        said = Counter[str]()
        for to, subject in self.kept:
            who, _, folder = to.partition("@")[0].strip('"').partition("+")
            if who == name:
                said[f"{folder}: {subject}" if folder else subject] += 1
        return said


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, Shelf]]:
    """Two hosts with one shelf at a Unix socket."""
    shelf = Shelf()
    server = await asyncio.start_unix_server(shelf.talk, tmp_path / "lmtp")
    with free_net() as net:
        make_fabric(tmp_path / "fabric", net, hosts=2)
        configured = tmp_path / "fabric" / FILE_NAME
        line = f'[mailboxes]\nmailbox = "lmtp:unix:{tmp_path}/lmtp"\n'
        configured.write_text(configured.read_text().replace("[mailboxes]\n", line))
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
        ("x" * 60, "alice"),
        ("=?utf-8?q?x?=", "alice"),
    ):
        address = shelf_address(DOMAIN, "alice", folder)
        assert address == f"lmtp:{named}@{DOMAIN}"
        assert shelf_of(address, "/run/lmtp") == Place("/run/lmtp", f"{named}@{DOMAIN}")
        with pytest.raises(BadAddress):
            parse_address(address)


def test_a_burst_is_queued_whole_in_bounded_parts() -> None:
    house = House((*MIGRATIONS, SPOOL))
    names = [f"u{number}" for number in range(30)]
    house.move_in(*names)
    outward.begin(house.tx)
    for name in names:
        welcome(house.tx, name, Welcome("bob", 1, 1, "INBOX"), NOW)
    for number in range(1, 71):
        house.log("bob", number)
    work = HandingOut(None, Queue(), partial(shelf_address, DOMAIN), lambda: NOW)  # type: ignore[arg-type]
    parts = []
    while outward.is_due(house.tx):
        work.hand_out(house.tx)
        parts.append(house.tx.one("SELECT count(*) FROM queue_recipient")[0])  # type: ignore[index]
    assert parts == [1020, 2040, 2100]
    rows = house.tx.all("SELECT m.body, r.address FROM queue_recipient r JOIN queue_message m ON m.id = r.message")
    assert len(set(rows)) == len(rows) == 30 * 70
    assert house.tx.one("SELECT count(*) FROM queue_message") == (70,)
