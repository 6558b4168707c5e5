"""Hostile clients at a real server: each is answered or sent away, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_host import accounts, entries, folders
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Settings, channel, fetch, keywords, lists, loading, search
from mailbox_host.imap.framing import Frame, Framer, TooLarge
from mailbox_host.imap.settings import LINE_OCTETS_MAX, SIGN_INS_FAILED_MAX
from mailbox_host.imap.throttle import FREE_TRIES, KEYS_MAX, Throttle
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION

HASH = hash_password(b"secret")


class Hostile:
    """A connection that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, text: str | bytes) -> list[bytes]:
        octets = text.encode() if isinstance(text, str) else text
        self.writer.write(octets + b"\r\n")
        return await self.until(octets.split()[0])

    async def until(self, tag: bytes) -> list[bytes]:
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith((tag + b" ", b"* BYE")):
            line = await self.reader.readline()
            assert line, lines
            lines.append(line)
        return lines


class Host:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "host.db", [STORE_MIGRATION, *MIGRATIONS])
        self.store.write_now(lambda tx: accounts.add(tx, "alice", HASH, 1e9))
        self.passwords = PasswordChecker(threads=1)
        settings = Settings("fabric.test", "host-1", connections_per_address_max=3)
        self.server = ImapServer(self.store, Bell(), self.passwords, settings)
        self.port = 0

    async def connect(self, *, signed_in: bool = True, limit: int = 1 << 26) -> Hostile:
        client = Hostile(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        await client.reader.readline()
        if signed_in:
            await client.ask("a LOGIN alice secret")
            await client.ask("b SELECT INBOX")
        return client

    def file(self, content: bytes, count: int = 1) -> None:
        folder = folders.find_folder(self.store.reader, "alice", "INBOX")
        assert folder is not None
        for _ in range(count):
            self.store.write_now(lambda tx: entries.append(tx, "alice", folder.id, content, 0, frozenset(), 1e9))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path)
    host.port = await host.server.serve("127.0.0.1", 0)
    yield host
    await host.server.close()
    host.passwords.close()
    host.store.close()


@pytest.mark.parametrize("signed_in", [True, False])
async def test_a_huge_literal_is_refused_before_it_is_asked_for(host: Host, signed_in: bool) -> None:
    client = await host.connect(signed_in=signed_in)
    for number in range(15):
        answer = await client.ask(f"c{number} LOGIN {{4294967295}}")
        assert answer == [b"c%d NO [TOOBIG] Literal too large\r\n" % number]
    assert await client.ask(b"d APPEND INBOX {99999999999999999999999}") == [b"d NO [TOOBIG] Literal too large\r\n"]


async def test_who_does_not_wait_is_told_bye_and_can_read_it(host: Host) -> None:
    """RFC 7888 4. It goes on sending: its last words must not be lost to a reset."""
    client = await host.connect()
    client.writer.write(b"c APPEND INBOX {99999999+}\r\n" + b"x" * 3_000_000)
    assert await client.until(b"c") == [b"* BYE [TOOBIG] Literal too large\r\n"]
    assert await client.reader.read() == b""


async def test_who_goes_on_sending_is_cut_off(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LINGER_OCTETS_MAX", 100_000)
    client = await host.connect()
    with pytest.raises(OSError):
        client.writer.write(b"c APPEND INBOX {999999999+}\r\n")
        for _ in range(2_000):
            client.writer.write(b"x" * 65_536)
            await client.writer.drain()
    assert host.server.connections == 0


@pytest.mark.parametrize("octet", [b"(", b"x", b"\0", b"\r", b" "])
async def test_a_million_of_anything_is_no_command(host: Host, octet: bytes) -> None:
    client = await host.connect()
    client.writer.write(b"c SEARCH " + octet * 1_000_000 + b"\r\n")
    assert await client.until(b"c") == [b"c BAD [TOOBIG] Command line too long\r\n"]
    assert (await client.ask("d NOOP"))[-1] == b"d OK Done\r\n"


def test_a_long_line_that_arrives_at_once_is_too_long_as_well() -> None:
    framer = Framer()
    framer.receive(b"a NOOP " + b"x" * LINE_OCTETS_MAX + b"\r\nb NOOP\r\n")
    assert framer.next() == TooLarge(b"a", b"BAD [TOOBIG] Command line too long", fatal=False)
    assert framer.next() == Frame((b"b NOOP",))


async def test_many_commands_at_once_are_answered_in_their_order(host: Host) -> None:
    client = await host.connect()
    client.writer.write(b"".join(b"n%d NOOP\r\n" % number for number in range(5_000)))
    for number in range(5_000):
        assert await client.reader.readline() == b"n%d OK Done\r\n" % number


async def test_who_never_reads_is_given_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "WRITE_SECONDS_MAX", 0.2)
    host.file(b"Subject: big\r\n\r\n" + b"x" * 1_000_000, 20)
    client = await host.connect(limit=1_024)
    client.writer.write(b"c FETCH 1:* BODY.PEEK[]\r\n")
    await asyncio.wait(host.server._connections.values(), timeout=20)
    assert host.server.connections == 0


async def test_windows_into_a_large_message_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FETCH_SHOWN_OCTETS_MAX", 3_000_000)
    host.file(b"Subject: big\r\n\r\n" + b"x" * 1_000_000)
    client = await host.connect()
    windows = " ".join(f"BODY.PEEK[]<{number}.9999999>" for number in range(90))
    assert (await client.ask(f"c FETCH 1 ({windows})"))[-1].startswith(b"c NO [LIMIT] These are too many parts")
    assert (await client.ask("d FETCH 1 (BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[TEXT])"))[-1] == b"d OK Done\r\n"
    assert (await client.ask(f"e FETCH 1 ({'BODY[]<1.1> ' * 999}BODY[])"))[-1].startswith(b"e BAD")


async def test_strange_sets_and_deep_searches(host: Host) -> None:
    host.file(b"Subject: one\r\n\r\n", 3)
    client = await host.connect()
    assert (await client.ask("c FETCH 4294967295:1 FLAGS"))[0] == b"c BAD No such message\r\n"
    assert (await client.ask("d UID SEARCH UID 4294967295:1"))[0] == b"* SEARCH 1 2 3\r\n"
    assert (await client.ask("e UID SEARCH UID " + "1:*," * 15_000 + "1"))[0] == b"* SEARCH 1 2 3\r\n"
    assert (await client.ask("f SEARCH " + "NOT " * 10_000 + "ALL"))[-1].startswith(b"f BAD")
    assert (await client.ask("g SEARCH " + "OR ALL " * 9_000 + "ALL"))[-1].startswith(b"g BAD")
    assert (await client.ask("h SEARCH " + "ALL " * 9_000 + "ALL"))[-1].startswith(b"h BAD")
    assert (await client.ask("i UID FETCH 99999999999 FLAGS"))[-1].startswith(b"i BAD")


async def test_dates_that_nobody_could_write(host: Host) -> None:
    client = await host.connect()
    for number, date in enumerate(
        [
            "01-Jan-0000 00:00:00 +0000",
            "01-Jan-0001 00:00:00 +9959",
            "31-Dec-9999 23:59:60 -9959",
            "99-Jan-2020 00:00:00 +0000",
        ]
    ):
        assert (await client.ask(f'c{number} APPEND INBOX "{date}" {{4+}}\r\na: b'))[-1].startswith(b"c%d BAD" % number)
    for date in ("01-Jan-0001 00:00:00 +0000", "31-Dec-9999 23:59:59 +0000", "31-Feb-2020 00:00:00 +9959"):
        assert (await client.ask(f'd APPEND INBOX "{date}" {{4+}}\r\na: b'))[-1].startswith(b"d OK")
    answer = await client.ask("e FETCH 1:* INTERNALDATE")
    assert b'* 1 FETCH (INTERNALDATE "01-Jan-0001 00:00:00 +0000")\r\n' in answer
    assert b'* 2 FETCH (INTERNALDATE "31-Dec-9999 23:59:59 +0000")\r\n' in answer


async def test_names_that_would_trick_somebody(host: Host) -> None:
    client = await host.connect()
    deep = "/".join("a" * 1_000)
    for name in (deep, "&AAA-", "&AA0ACg-", "&-&AC8-", "&AGE-", "a//b", "/a", "&2AA-", "&", "a&b", "x" * 2_000):
        for command in ("CREATE", "SELECT", "DELETE", "SUBSCRIBE"):
            answer = await client.ask(f'c {command} "{name}"')
            assert answer[-1].startswith(b"c NO"), (command, name, answer)
    assert (await client.ask("d CREATE {3+}\r\na\0b"))[-1].startswith(b"d NO")
    assert (await client.ask(f'e LIST "" ({" ".join(["*a" * 50] * 49)})'))[-1] == b"e BAD patterns too long\r\n"
    assert (await client.ask("f LIST {70000+}\r\n" + "*%" * 35_000))[-1].startswith(b"* BYE")


async def test_a_mailbox_holds_only_so_many_keywords(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keywords, "KEYWORDS_PER_MAILBOX_MAX", 20)
    host.file(b"Subject: one\r\n\r\n", 4)
    client = await host.connect()
    for number in range(4):
        words = " ".join(f"word{number}x{n}" for n in range(5))
        assert (await client.ask(f"c STORE {number + 1} FLAGS ({words})"))[-1] == b"c OK Done\r\n"
    assert (await client.ask("d STORE 1 +FLAGS (one)"))[-1].startswith(b"d NO [LIMIT]")
    assert (await client.ask("e APPEND INBOX (one) {4+}\r\na: b"))[-1].startswith(b"e NO [LIMIT]")
    assert (await client.ask("f APPEND INBOX (WORD1X1) {4+}\r\na: b"))[-1].startswith(b"f OK")
    assert (await client.ask("g APPEND Archive (one) {4+}\r\na: b"))[-1].startswith(b"g OK")
    assert (await client.ask("h COPY 1:4 Archive"))[-1].startswith(b"h NO [LIMIT]")
    assert (await client.ask("i COPY 1:3 Archive"))[-1].startswith(b"i OK")
    assert (await client.ask("j STORE 1 FLAGS (\\Seen)"))[-1] == b"j OK Done\r\n"
    assert (await client.ask("k STORE 1 +FLAGS (one)"))[-1] == b"k OK Done\r\n"


async def test_subscriptions_to_folders_that_are_gone_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await host.connect()
    there = len(folders.subscriptions(host.store.reader, "alice"))
    monkeypatch.setattr(folders, "SUBSCRIPTIONS_MAX", there + 3)
    for number in range(4):
        for command in ("CREATE", "SUBSCRIBE", "DELETE"):
            answer = await client.ask(f"c {command} gone{number}")
            assert answer[-1].startswith(b"c NO [LIMIT]" if (number, command) == (3, "SUBSCRIBE") else b"c OK")


async def test_what_takes_long_is_done_in_a_thread(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "INLINE_ROWS_MAX", 20)
    monkeypatch.setattr(lists, "INLINE_FOLDERS_MAX", 20)
    monkeypatch.setattr(fetch, "INLINE_OCTETS_MAX", 100_000)
    host.file(b"Subject: one\r\n\r\n" + b"x" * 60_000, 3)
    client = await host.connect()
    await client.ask("c FETCH 1:* BODY.PEEK[1]")
    threads: list[object] = []
    read = host.store.read
    monkeypatch.setattr(host.store, "read", lambda query: threads.append(query) or read(query))
    for line, times in (
        ("d SEARCH SEEN", 0), ("e SEARCH " + "SMALLER 1 " * 9 + "SEEN", 1), ('f LIST "" *', 0),
        ('g LIST "" (' + "a* " * 40 + "b)", 1), ("h FETCH 1 BODY.PEEK[1]", 0), ("i FETCH 1:3 BODY.PEEK[1]", 1),
    ):  # fmt: skip
        threads.clear()
        assert b" OK " in (await client.ask(line))[-1]
        assert len(threads) == times, line


async def test_ten_wrong_passwords_end_a_connection(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    client = await host.connect(signed_in=False)
    with caplog.at_level(logging.INFO):
        for number in range(SIGN_INS_FAILED_MAX - 1):
            assert (await client.ask(f"c{number} LOGIN alice {{7+}}\r\nhunter2"))[-1].startswith(b"c%d NO" % number)
        last = await client.ask("d AUTHENTICATE PLAIN AGFsaWNlAGh1bnRlcjI=")
    assert last == [b"* BYE Too many failed sign-ins\r\n"]
    assert (await client.reader.read()).startswith(b"d NO [AUTHENTICATIONFAILED]")
    assert "hunter2" not in caplog.text


async def test_ways_to_say_plain_wrongly(host: Host) -> None:
    client = await host.connect(signed_in=False)
    for said, wanted in (
        ("*", b"BAD Cancelled"),
        ("", b"BAD Not a PLAIN"),
        ("!!!", b"BAD Not base64"),
        ("AAA=", b"NO [AUTHENTICATIONFAILED]"),  # two NULs
        ("AGFsaWNlAHNlAGNyZXQ=", b"BAD Not a PLAIN"),  # a NUL in the password
        ("Ym9iAGFsaWNlAHNlY3JldA==", b"NO [AUTHORIZATIONFAILED]"),  # as bob, with alice's password
    ):
        client.writer.write(b"c AUTHENTICATE PLAIN\r\n")
        assert await client.reader.readline() == b"+ \r\n"
        client.writer.write(said.encode() + b"\r\n")
        assert (await client.reader.readline()).startswith(b"c " + wanted), said
    assert (await client.ask(f"d LOGIN alice {{5000+}}\r\n{'x' * 5000}"))[-1].startswith(b"d NO")
    assert (await client.ask("e AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA=="))[-1].startswith(b"e OK")


async def test_an_address_has_only_so_many_connections(host: Host) -> None:
    """As clients of other hosts come: with their own addresses."""
    doors = await asyncio.start_server(
        lambda reader, writer: host.server.handle_stream(reader, writer, "192.0.2.7"), "127.0.0.1", 0
    )
    port = doors.sockets[0].getsockname()[1]
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    greetings = [(await reader.readline()).split(b" ")[1] for reader, _ in clients]
    assert greetings == [b"OK", b"OK", b"OK", b"BYE"]
    for _, writer in clients:
        writer.close()
    doors.close()


def test_what_a_throttle_remembers_is_bounded() -> None:
    throttle = Throttle()
    for number in range(KEYS_MAX):
        throttle.attempt(f"192.0.2.{number}", f"{number}" + "x" * 8_000, 0.0)
    assert len(throttle._tries) <= KEYS_MAX
    assert max(map(len, throttle._tries)) < 100
    assert FREE_TRIES < KEYS_MAX


@pytest.mark.parametrize(("unsent", "aborted"), [(0, True), (100_000, False)])
async def test_a_slow_reader_that_logs_out_hears_all_that_was_said(monkeypatch, unsent, aborted):
    monkeypatch.setattr(channel, "LINGER_SECONDS_MAX", 0.0)
    ends: list[bool] = []

    class Slow(asyncio.Transport):
        def get_write_buffer_size(self) -> int:
            return unsent

        def set_write_buffer_limits(self, high=None, low=None) -> None: ...
        def write_eof(self) -> None: ...
        def abort(self) -> None:
            ends.append(True)

    slow = channel.SocketChannel(lambda _: None)
    slow.connection_made(Slow())
    slow.close(linger=True)
    await asyncio.sleep(0.01)
    assert bool(ends) == aborted


async def test_who_is_turned_out_while_it_sends_can_read_why(host: Host) -> None:
    client = await host.connect()
    client.writer.write(b"c APPEND INBOX {9999999+}\r\n" + b"x" * 3_000_000)
    host.server.turn_out({"alice"})
    assert (await client.reader.read()).startswith(b"* BYE [UNAVAILABLE] The mailbox is moving")
