"""A folder elsewhere becomes a source: what is posted, when, and that nothing over there is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from ingest.mailboxes import rows
from ingest.mailboxes.place import place_of
from ingest.mailboxes.vault import Vault
from mail.headers import HEADER_BLOCK_OCTETS_MAX
from tests.ingest.conftest import NAMES, Host, MakeHost
from tests.ingest.far_server import PASSWORD, FarServer, letter

KEY = bytes(range(32))
FOUR_WEEKS_AGO = "UPDATE far_mailbox SET failing_since = failing_since - 28 * 86400"


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[FarServer]:
    server = FarServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


async def reading(make_host: MakeHost, far: FarServer, *, password: str = PASSWORD, **more: object) -> Host:
    """A host that reads the folder as `lists`, for alice."""
    host = await make_host(key=KEY, mailbox_authorities=str(far.ca), **more)
    add(host, far, password=password)
    return host


def add(host: Host, far: FarServer, name: str = "lists", password: str = PASSWORD) -> None:
    place = place_of(f"imaps://alice%40far.example@127.0.0.1:{far.port}/Lists/Größe")
    secret = Vault(KEY).seal(password.encode(), name)
    host.store.write_now(lambda tx: rows.add(tx, name, "alice", "Lists", place, secret, host.now))
    host.poller.wake()


def row(host: Host, name: str = "lists") -> rows.Mailbox:
    found = rows.find(host.store.reader, name)
    assert found
    return found


def subjects(host: Host) -> list[str]:
    return [str(post.message["Subject"]) for post in host.posts]


async def look_again(host: Host, seconds: float = 5_000) -> None:
    host.now += seconds
    host.store.write_now(lambda tx: rows.hurry(tx, "lists", host.now))
    host.poller.wake()
    await host.until(lambda: row(host).last_at == host.now)


async def test_what_comes_during_a_look_is_told_once_and_does_not_wait_for_the_next(
    make_host: MakeHost, far: FarServer
) -> None:
    async def says(server: FarServer, line: str, writer: asyncio.StreamWriter) -> bool:
        if "BODY.PEEK[]" in line and len(server.folder) == 1:
            server.add(letter(2))
            writer.write(b"* 2 EXISTS\r\n")
        return False

    far.says = says
    far.add(letter(1))
    host = await reading(make_host, far)
    await host.until(lambda: far.idling)
    assert subjects(host) == ["Letter 1", "Letter 2"]
    assert sum(each.startswith("EXAMINE") for each in far.asked) == 2


async def test_the_newest_three_come_then_what_is_told_in_idle(make_host: MakeHost, far: FarServer) -> None:
    far.add(*(letter(number) for number in range(1, 8)))
    host = await reading(make_host, far)
    await host.until(lambda: far.idling)
    assert subjects(host) == ["Letter 5", "Letter 6", "Letter 7"]
    far.add(letter(8, Cc="alice@far.example", Delivered_To="alice@far.example"), letter(9))
    await host.until(lambda: len(host.posts) == 5 and far.idling)
    post = host.posts[3]
    assert post.to == NAMES.reflector_inside("lists") and post.signed and post.sender == "follow@fabric.test"
    assert post.headers.get("heliograph-authenticated") == "alice"
    assert post.headers.get("message-id") == "<8@far.example>" and post.headers.get("from") == "zoe@far.example"
    assert b"alice@far.example" not in post.content and post.content.endswith(b"Text 8.\r\n")
    assert far.connections == far.most_at_once == 1
    assert {each.split(" ")[0] for each in far.asked} == {
        "CAPABILITY",
        "AUTHENTICATE",
        "EXAMINE",
        "FETCH",
        "UID",
        "IDLE",
    }
    assert all("BODY.PEEK" in each for each in far.asked if "BODY" in each)
    assert 'EXAMINE "Lists/Gr&APYA3w-e"' in far.asked
    assert row(host).last_answer == "2 new; its server tells of news" and row(host).next_uid == 10


async def test_without_idle_it_is_asked_in_its_time(make_host: MakeHost, far: FarServer) -> None:
    far.idle = far.plain = False
    host = await reading(make_host, far)
    await host.until(lambda: row(host).last_at)
    assert 270 <= row(host).next_due - host.now <= 330 and row(host).next_uid == 1
    far.add(letter(1))
    host.now += 400
    host.poller.wake()
    await host.until(lambda: subjects(host) == ["Letter 1"])
    await host.until(lambda: row(host).last_at == host.now and far.now == 0)
    host.now += 86_400
    host.poller.wake()
    await host.until(lambda: row(host).last_at == host.now)
    assert row(host).next_due - host.now > 3_000  # quiet for a day
    assert far.most_at_once == 1 and "LOGOUT" in far.asked


async def test_a_folder_that_is_numbered_anew_doubles_nothing(make_host: MakeHost, far: FarServer) -> None:
    far.idle = False
    host = await reading(make_host, far)
    await host.until(lambda: row(host).last_at)
    far.add(*(letter(number) for number in range(1, 5)))
    await look_again(host)
    assert len(host.posts) == 4
    kept = list(far.folder.values())
    far.validity, far.next_uid, far.folder, far.came = 8, 1, {}, {1: "14-Nov-2023 20:00:00 +0000"}
    # One was there before us, one came meanwhile, and one that only has the Message-ID of another.
    far.add(letter(0), *kept[1:], letter(5), letter(2, "Said otherwise."))
    await look_again(host)
    assert subjects(host)[4:] == ["Letter 5", "Letter 2"]
    assert (row(host).validity, row(host).next_uid) == (8, 7)
    far.validity, far.next_uid, far.folder = 9, 1, {}
    await look_again(host)
    far.add(letter(6))
    await look_again(host)
    assert subjects(host)[6:] == ["Letter 6"]


async def test_what_cannot_go_on_is_told_of_in_its_place(make_host: MakeHost, far: FarServer) -> None:
    far.idle = False
    host = await reading(make_host, far, mailbox_octets_max=20_000)
    await host.until(lambda: row(host).last_at)
    own = letter(3, List_Id="Lists <lists.reflectors.fabric.test>")
    wild = b"Subject: unsubscribe\nFrom: zoe@far.example\n\n\0\n"
    forged = letter(5, Heliograph_Authenticated="bob", Heliograph_Post="7")
    far.add(letter(1, "x" * 30_000), letter(2), own, wild, forged)
    await look_again(host)
    assert subjects(host) == ["Not shown: Letter 1", "Letter 2", "unsubscribe", "Letter 5"]
    notice = host.posts[0]
    assert " octets, over 20,000" in notice.text and "zoe@far.example" in notice.text
    assert notice.headers.get("heliograph-authenticated") == "alice"
    assert b"\0" not in host.posts[2].content and b"no text" in host.posts[2].content
    assert host.posts[2].content.count(b"\n") == host.posts[2].content.count(b"\r\n")
    assert host.posts[3].headers.all("heliograph-authenticated") == ["alice"]
    assert not host.posts[3].headers.has("heliograph-post")
    await look_again(host)
    assert len(host.posts) == 4


async def test_a_header_without_end_is_told_of_today(make_host: MakeHost, far: FarServer) -> None:
    far.idle = False
    host = await reading(make_host, far)
    await host.until(lambda: row(host).last_at)
    far.add(letter(1, X_Filler="x" * HEADER_BLOCK_OCTETS_MAX))
    await look_again(host)
    assert subjects(host) == ["Not shown: Letter 1"] and "its header is too long" in host.posts[0].text
    assert host.posts[0].headers.get("date") == format_datetime(datetime.fromtimestamp(host.now, UTC))


async def test_a_look_asks_for_what_it_needs(make_host: MakeHost, far: FarServer) -> None:
    """Once a folder is known, one question tells that there is nothing new."""
    far.idle = False
    host = await reading(make_host, far)
    await host.until(lambda: row(host).last_at)
    far.add(letter(1))
    await look_again(host)
    await host.until(lambda: far.now == 0)
    far.asked.clear()
    await look_again(host)
    await host.until(lambda: far.now == 0)  # its good-bye was heard
    assert [
        each.split()[0] for each in far.asked if each.split()[0] not in ("CAPABILITY", "AUTHENTICATE", "LOGIN")
    ] == ["EXAMINE", "LOGOUT"]


async def test_a_flood_comes_in_slices_and_all_of_it(make_host: MakeHost, far: FarServer) -> None:
    far.idle = False
    host = await reading(make_host, far)
    await host.until(lambda: row(host).last_at)
    far.add(*(letter(number) for number in range(1, 121)))
    far.next_uid = 150_000  # a gap, as restored servers leave it
    far.add(letter(121))
    await look_again(host)
    assert subjects(host) == [f"Letter {number}" for number in range(1, 122)]


async def test_suspended_removed_or_moved_nothing_is_posted_any_more(make_host: MakeHost, far: FarServer) -> None:
    host = await reading(make_host, far)
    await host.until(lambda: far.idling)
    host.store.write_now(lambda tx: rows.suspend(tx, "lists"))
    host.poller.wake()
    await host.until(lambda: far.now == 0)
    far.add(letter(1))
    host.store.write_now(lambda tx: rows.resume(tx, "lists", host.now))
    host.poller.wake()
    await host.until(lambda: subjects(host) == ["Letter 1"] and far.idling)
    host.store.write_now(lambda tx: rows.remove(tx, "lists"))
    host.poller.wake()
    await host.until(lambda: far.now == 0)
    assert host.store.reader.all("SELECT * FROM far_message") == []


async def test_a_connection_that_ends_is_made_again_and_a_restart_goes_on(make_host: MakeHost, far: FarServer) -> None:
    host = await reading(make_host, far)
    await host.until(lambda: far.idling)
    host.now += 100
    far.hang_up()
    await host.until(lambda: row(host).next_due < host.now + 20)
    far.add(letter(1))
    host.now += 30
    host.poller.wake()
    await host.until(lambda: subjects(host) == ["Letter 1"] and far.idling)
    assert row(host).errors == 0
    await host.poller.stop()
    await host.until(lambda: far.now == 0)
    far.add(letter(2))
    again = await make_host("host-1b", key=KEY, mailbox_authorities=str(far.ca))
    copied = host.store.reader.all("SELECT * FROM far_mailbox")
    again.store.write_now(
        lambda tx: [tx.execute(f"INSERT INTO far_mailbox VALUES ({','.join('?' * 19)})", each) for each in copied]
    )
    again.room.host = "host-1"
    again.poller.wake()
    await again.until(lambda: subjects(again) == ["Letter 2"])


async def test_a_password_that_is_refused_is_not_offered_again_and_again(make_host: MakeHost, far: FarServer) -> None:
    host = await reading(make_host, far, password="old")
    for hours in (1, 2, 4, 8):
        await host.until(lambda: row(host).last_at == host.now)
        assert "does not let us in: [AUTHENTICATIONFAILED] who are you?" in row(host).last_answer
        assert 0.8 * hours <= (row(host).next_due - host.now) / 3_600 <= 1.2 * hours
        assert host.posts == [] and row(host).standing == ""
        host.now = row(host).next_due
        host.poller.wake()
    await host.until(lambda: row(host).standing == "refused")
    assert subjects(host) == ["Lists: this mailbox cannot be read any more"]
    assert "heliograph mailbox password lists" in host.posts[0].text
    assert row(host).next_due - host.now > 6 * 86_400
    host.store.write_now(lambda tx: rows.lock(tx, "lists", Vault(KEY).seal(PASSWORD.encode(), "lists"), host.now))
    host.poller.wake()
    await host.until(lambda: far.idling)
    assert subjects(host)[1:] == ["Lists: this mailbox is back"] and row(host).standing == ""
    assert far.connections == 6


async def test_a_server_that_is_away_for_a_month_is_told_of_once(make_host: MakeHost, far: FarServer) -> None:
    host = await reading(make_host, far)
    await host.until(lambda: far.idling)
    await far.stop()
    await host.until(lambda: row(host).next_due < host.now + 400)
    waits: list[float] = []
    while row(host).standing == "":
        if len(waits) == 13:
            host.store.write_now(lambda tx: tx.execute(FOUR_WEEKS_AGO).rowcount)
        host.now = row(host).next_due
        host.poller.wake()
        await host.until(lambda: row(host).last_at == host.now)
        waits.append(row(host).next_due - host.now)
    assert waits[0] < 12 and 5 * 3_600 < max(waits[:-1]) < 6.7 * 3_600 and waits[-1] > 6 * 86_400
    assert subjects(host) == ["Lists: this mailbox cannot be read any more"] and "30 days" in host.posts[0].text


async def test_a_password_of_another_hosts_is_offered_to_nobody(make_host: MakeHost, far: FarServer) -> None:
    host = await make_host(key=bytes(32), mailbox_authorities=str(far.ca))
    add(host, far)
    await host.until(lambda: row(host).errors)
    assert "give it again" in row(host).last_answer and far.connections == 0
    assert Vault(KEY).opened(row(host).secret, "lists") == PASSWORD.encode()
    assert Vault(KEY).opened(row(host).secret, "other") is None and Vault(KEY).opened(b"", "lists") is None


async def test_who_is_not_who_she_says_gets_no_password(make_host: MakeHost, far: FarServer, tmp_path: Path) -> None:
    host = await make_host(key=KEY)  # that does not know the server's authority
    add(host, far)
    await host.until(lambda: row(host).errors)
    assert "certificate is not valid" in row(host).last_answer and far.asked == []
    inside = await make_host("host-1c", key=KEY, allow_networks=())
    inside.room.host = "host-1"
    add(inside, far)
    await inside.until(lambda: row(inside).errors)
    assert "inside the operator's network" in row(inside).last_answer and far.connections == 0
