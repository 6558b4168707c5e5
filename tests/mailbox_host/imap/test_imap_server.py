"""Stories over real sockets: clients of the standard library and of asyncio, TLS, other hosts, unkind peers."""

from __future__ import annotations

import asyncio
import datetime
import imaplib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aioimaplib
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mail.control import Welcome
from mail.outcome import Deferred, Delivered, Refused
from mailbox_host import accounts, entries, folders, timeline
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Local, Remote, Settings, client_input, copying, proxy, verify_remotely
from mailbox_host.imap.channel import SocketChannel
from mailbox_host.imap.slots import Slots
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from spool.crowd import Crowd
from store import Bodies, Store, Transaction
from store.bodies import MIGRATION as STORE_MIGRATION

MESSAGE = b"From: bob@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"
HASH = hash_password(b"secret")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class House:
    """A host: its store, bell and server."""

    def __init__(self, folder: Path, **options) -> None:
        folder.mkdir(exist_ok=True)
        self.store = Store(folder / "host.db", [STORE_MIGRATION, *MIGRATIONS])
        self.bell = Bell()
        self.passwords = PasswordChecker(threads=1)
        self.settings = Settings("fabric.test", folder.name)
        self.server = ImapServer(self.store, self.bell, self.passwords, self.settings, **options)

    def add(self, name: str) -> None:
        self.store.write_now(lambda tx: accounts.add(tx, name, HASH, 1e9))

    async def file(self, name: str, content: bytes = MESSAGE, count: int = 1) -> None:
        folder = folders.find_folder(self.store.reader, name, "INBOX")
        assert folder is not None

        def work(tx):
            for _ in range(count):
                entries.append(tx, name, folder.id, content, 0, frozenset(), 1e9)
            tx.after_commit(lambda: self.bell.ring_account(name))

        await self.store.write(work)

    async def close(self) -> None:
        await self.server.close()
        self.passwords.close()
        self.store.close()


@pytest.fixture
async def house(tmp_path: Path, tls: ssl.SSLContext) -> AsyncIterator[House]:
    house = House(tmp_path / "host-1", tls=tls)
    house.add("alice")
    yield house
    await house.close()


class Wire:
    """A client that reads and writes lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int, **options) -> Wire:
        wire = cls(*await asyncio.open_connection("127.0.0.1", port, **options))
        assert (await wire.line()).startswith("* OK [CAPABILITY")
        return wire

    async def line(self) -> str:
        return (await self.reader.readline()).decode().rstrip("\r\n")

    def send(self, text: bytes) -> None:
        self.writer.write(text)

    async def ask(self, text: str) -> list[str]:
        self.send(text.encode() + b"\r\n")
        return await self.until(text.split()[0])

    async def until(self, tag: str) -> list[str]:
        lines = []
        while True:
            lines.append(await self.line())
            assert lines[-1], lines
            if lines[-1].startswith(tag + " "):
                return lines

    def close(self) -> None:
        self.writer.close()


def use_imaplib(client: imaplib.IMAP4) -> None:
    assert client.login("alice", "secret")[0] == "OK"
    assert client.select()[1] == [b"1"]
    assert client.append("INBOX", "\\Seen", None, MESSAGE)[0] == "OK"
    assert client.search(None, "SEEN")[1] == [b"2"]
    fetched = client.uid("FETCH", "1:*", "(RFC822)")[1]
    assert [piece[1] for piece in fetched if isinstance(piece, tuple)] == [MESSAGE, MESSAGE]
    assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
    assert client.expunge()[1] == [b"1"]
    assert client.copy("1", "Archive")[0] == "OK"
    assert client.status("Archive", "(MESSAGES)")[1] == [b'"Archive" (MESSAGES 1)']
    assert client.logout()[0] == "BYE"


async def test_imaplib(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0)
    await house.file("alice")
    await asyncio.to_thread(lambda: use_imaplib(imaplib.IMAP4("127.0.0.1", port)))


async def test_imaplib_over_tls(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0, implicit=True)
    await house.file("alice")
    await asyncio.to_thread(lambda: use_imaplib(imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=trusting())))


async def test_imaplib_with_starttls(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0)
    await house.file("alice")

    def use() -> None:
        client = imaplib.IMAP4("127.0.0.1", port)
        assert client.starttls(trusting())[0] == "OK"
        assert "STARTTLS" not in client.capabilities
        use_imaplib(client)

    await asyncio.to_thread(use)


def test_it_runs_on_uvloop_too(tmp_path: Path, tls: ssl.SSLContext) -> None:
    async def story() -> None:
        house = House(tmp_path / "host-1", tls=tls)
        house.add("alice")
        await test_imaplib_with_starttls(house)
        await test_aioimaplib_in_idle(house)
        await house.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def test_aioimaplib_in_idle(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0, implicit=True)
    client = aioimaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=trusting())
    await client.wait_hello_from_server()
    assert (await client.login("alice", "secret")).result == "OK"
    before = int((await client.select()).lines[1].split()[0])
    idle = await client.idle_start(timeout=20)
    await house.file("alice")
    assert f"{before + 1} EXISTS".encode() in await client.wait_server_push(timeout=10)
    client.idle_done()
    await asyncio.wait_for(idle, 10)
    await client.logout()


async def test_all_who_wait_for_a_post_are_filed_for_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [f"reader{number}" for number in range(40)]
    stored = accounts.stored_hash(house.store.reader, "alice")

    def settle(tx):
        accounts.add_many(tx, [(name, stored) for name in readers], 1e9)
        for name in readers:
            timeline.welcome(tx, name, Welcome("bob", 1, 1, ""), 1e9)

    await house.store.write(settle)
    port = await house.server.serve("127.0.0.1", 0)
    wires = []
    for name in readers:
        wires.append(wire := await Wire.to(port))
        await wire.ask(f"a LOGIN {name} secret")
        await wire.ask("b SELECT INBOX")
        wire.send(b"c IDLE\r\n")
        assert await wire.line() == "+ idling"
    written = []
    write = house.store.write
    monkeypatch.setattr(house.store, "write", lambda work: written.append(work) or write(work))
    await house.store.write(lambda tx: post_by_bob(tx, house.bell))
    assert {await wire.line() for wire in wires} == {"* 1 EXISTS"}
    assert len(written) == 2, "the post, and one for all of them"
    for wire in wires:
        wire.close()


async def test_a_post_wakes_who_follows_its_source(house: House) -> None:
    await house.store.write(lambda tx: timeline.welcome(tx, "alice", Welcome("bob", 1, 1, ""), 1e9))
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    await wire.ask("a LOGIN alice secret")
    await wire.ask("b SELECT INBOX")
    wire.send(b"c IDLE\r\n")
    assert await wire.line() == "+ idling"

    await house.store.write(lambda tx: post_by_bob(tx, house.bell))
    assert await wire.line() == "* 1 EXISTS"
    wire.close()


def post_by_bob(tx: Transaction, bell: Bell) -> None:
    timeline.log_post(tx, timeline.Post("bob", 1, Bodies.keep(tx, MESSAGE), len(MESSAGE), 1e9))
    tx.after_commit(lambda: bell.ring_sources(["bob"]))


async def test_what_one_session_does_wakes_another(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0)
    idle, busy = await Wire.to(port), await Wire.to(port)
    for wire in (idle, busy):
        await wire.ask("a LOGIN alice secret")
        await wire.ask("b SELECT INBOX")
    idle.send(b"c IDLE\r\n")
    assert await idle.line() == "+ idling"
    busy.send(b"c APPEND INBOX {49+}\r\n" + MESSAGE + b"\r\n")
    await busy.until("c")
    assert await idle.line() == "* 1 EXISTS"
    await idle.line()
    await busy.ask("d STORE 1 +FLAGS (\\Deleted)")
    assert "\\Deleted" in await idle.line()
    await busy.ask("e EXPUNGE")
    assert await idle.line() == "* 1 EXPUNGE"
    idle.close()
    busy.close()


async def test_plaintext_after_starttls_is_forgotten(house: House) -> None:
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    wire.send(b"a STARTTLS\r\nb LOGIN alice secret\r\n")
    assert (await wire.line()).startswith("a OK")
    await wire.writer.start_tls(trusting())
    assert (await wire.ask("c CAPABILITY"))[0].startswith("* CAPABILITY")
    assert (await wire.ask("d SELECT INBOX"))[0] == "d BAD Not while not authenticated"
    wire.close()


async def test_a_wrong_password_is_logged_without_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    with caplog.at_level(logging.DEBUG):
        assert (await wire.ask("a LOGIN alice hunter2"))[0].startswith("a NO [AUTHENTICATIONFAILED]")
        assert (await wire.ask("b LOGIN nobody hunter2"))[0].startswith("b NO [AUTHENTICATIONFAILED]")
        assert (await wire.ask('c LOGIN "../x" hunter2'))[0].startswith("c NO [AUTHENTICATIONFAILED]")
    assert "alice" in caplog.text and "hunter2" not in caplog.text
    wire.close()


async def test_a_fault_of_ours_fails_one_command(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    await wire.ask("a LOGIN alice secret")
    monkeypatch.setattr(folders, "list_folders", lambda *_: 1 / 0)
    assert await wire.ask('b LIST "" *') == ["b NO [SERVERBUG] Something went wrong here, it was logged"]
    assert (await wire.ask("c NOOP"))[0] == "c OK Done"
    wire.close()


async def test_who_takes_nothing_stalls_only_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.file("alice", b"Subject: big\r\n\r\n" + b"x" * 1_000_000, count=30)
    port = await house.server.serve("127.0.0.1", 0)
    greedy = await Wire.to(port, limit=1024)
    other = await Wire.to(port)
    for wire in (greedy, other):
        await wire.ask("a LOGIN alice secret")
        await wire.ask("b SELECT INBOX")
    greedy.send(b"c FETCH 1:* BODY.PEEK[]\r\n")
    await asyncio.sleep(0.3)
    channels = [connection.channel for connection in house.server._connections]
    waiting = [c for c in channels if isinstance(c, SocketChannel) and c._transport]
    assert max(c._transport.get_write_buffer_size() for c in waiting if c._transport) < 4_000_000
    assert (await other.ask("c NOOP"))[-1] == "c OK Done"
    greedy.close()
    other.close()


async def test_a_stranger_may_not_send_for_ever(house: House) -> None:
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    with pytest.raises((AssertionError, OSError)):
        for _ in range(100):
            wire.send(b"a NOOP\r\n" * 200)
            await wire.writer.drain()
        await wire.until("b")
    wire.close()


async def test_a_stranger_may_not_stay_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_input, "BEFORE_LOGIN_SECONDS_MAX", 0.1)
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    assert await wire.line() == "* BYE You were quiet for too long"


async def test_too_many_connections(tmp_path: Path) -> None:
    house = House(tmp_path / "host-1")
    house.server._crowd = Crowd(1, 1)
    port = await house.server.serve("127.0.0.1", 0)
    wire = await Wire.to(port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await reader.readline()).startswith(b"* BYE [UNAVAILABLE]")
    writer.close()
    wire.close()
    await house.close()


async def test_closing_says_goodbye(house: House) -> None:
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    await wire.ask("a LOGIN alice secret")
    await house.server.close()
    assert (await wire.line()).startswith("* BYE")
    assert house.server.connections == 0


async def test_no_tls_at_a_tls_port(house: House) -> None:
    port = await house.server.serve("127.0.0.1", 0, implicit=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"a LOGIN alice secret\r\n" * 10)
    assert b"OK" not in await reader.read()
    writer.close()


@pytest.fixture
async def two_houses(tmp_path: Path, tls: ssl.SSLContext) -> AsyncIterator[tuple[House, House]]:
    """Alice lives in the first; the second carries her there through a plain socket that stands for a stream."""
    first = House(tmp_path / "host-1", locate=lambda account: Local())
    first.add("alice")
    doors = await asyncio.start_server(
        lambda reader, writer: first.server.handle_stream(reader, writer, "192.0.2.7"), "127.0.0.1", 0
    )

    async def open_stream(host: str, client: str):
        if host != "host-1":
            raise ConnectionRefusedError(host)
        return await asyncio.open_connection("127.0.0.1", doors.sockets[0].getsockname()[1])

    def locate(account: str):
        return {"alice": Remote("host-1"), "carol": Remote("host-9")}.get(account, Local())

    second = House(tmp_path / "host-2", locate=locate, open_stream=open_stream, tls=tls)
    yield first, second
    await second.close()
    await first.close()
    doors.close()


async def test_any_host_takes_any_login(two_houses: tuple[House, House]) -> None:
    first, second = two_houses
    await first.file("alice")
    port = await second.server.serve("127.0.0.1", 0)
    await asyncio.to_thread(lambda: use_imaplib(imaplib.IMAP4("127.0.0.1", port)))


async def test_a_pipelining_client_is_carried_along(two_houses: tuple[House, House]) -> None:
    wire = await Wire.to(await two_houses[1].server.serve("127.0.0.1", 0))
    wire.send(b"a LOGIN {5+}\r\nalice {6+}\r\nsecret\r\nb SELECT INBOX\r\nc APPEND INBOX {49+}\r\n" + MESSAGE + b"\r\n")
    assert (await wire.until("a"))[0].startswith("a OK [CAPABILITY IMAP4rev1")
    assert (await wire.until("b"))[-1].startswith("b OK [READ-WRITE]")
    assert "* 1 EXISTS" in await wire.until("c")
    assert await wire.ask("d LOGOUT") == ["* BYE Goodbye", "d OK Done"]
    assert await wire.line() == ""


async def test_the_owner_says_no_or_nothing(two_houses: tuple[House, House]) -> None:
    wire = await Wire.to(await two_houses[1].server.serve("127.0.0.1", 0))
    assert (await wire.ask("a LOGIN alice wrong"))[0].startswith("a NO [AUTHENTICATIONFAILED]")
    assert (await wire.ask("b LOGIN carol secret"))[0].startswith("b NO [UNAVAILABLE]")
    assert (await wire.ask("c LOGIN alice secret"))[0].startswith("c OK")
    wire.close()


async def test_submission_asks_the_owner(two_houses: tuple[House, House]) -> None:
    open_stream = two_houses[1].server.services._open_stream
    assert open_stream is not None
    assert isinstance(await verify_remotely(open_stream, "host-1", "alice", b"secret"), Delivered)
    assert isinstance(await verify_remotely(open_stream, "host-1", "alice", b"wrong"), Refused)
    assert isinstance(await verify_remotely(open_stream, "host-9", "carol", b"secret"), Deferred)


async def test_hosts_that_disagree_do_not_play_ball(tmp_path: Path) -> None:
    """Each believes that the other owns the account: the second hop is refused."""
    houses: list[House] = []
    hops: list[str] = []

    async def open_stream(host: str, client: str):
        hops.append(host)
        here, there = socket.socketpair()
        far = await asyncio.open_connection(sock=there)
        serving.append(asyncio.create_task(houses[1].server.handle_stream(*far, client)))
        return await asyncio.open_connection(sock=here)

    serving: list[asyncio.Task[None]] = []
    for number in (1, 2):
        other = f"host-{3 - number}"
        houses.append(
            House(tmp_path / f"host-{number}", locate=lambda _, other=other: Remote(other), open_stream=open_stream)
        )
    wire = await Wire.to(await houses[0].server.serve("127.0.0.1", 0))
    assert (await wire.ask("a LOGIN alice secret"))[0].startswith("a NO [UNAVAILABLE]")
    assert hops == ["host-2"]
    wire.close()
    for house in houses:
        await house.close()
    await asyncio.gather(*serving, return_exceptions=True)


def test_a_channel_forgets_what_came_in_the_clear(tls: ssl.SSLContext) -> None:
    channel = SocketChannel(lambda _: None)
    channel.data_received(b"b LOGIN eve injected\r\n")
    channel.start_tls(tls)
    assert channel.take() == b""


async def test_room_for_large_literals() -> None:
    slots = Slots(total=2, each=1)
    await slots.take("alice")
    second = asyncio.create_task(slots.take("alice"))
    await slots.take("bob")
    third = asyncio.create_task(slots.take("carol"))
    await asyncio.sleep(0)
    assert not second.done() and not third.done()
    await slots.give_back("bob")
    await asyncio.wait_for(third, 5)
    assert not second.done()  # her account has its share
    await slots.give_back("alice")
    await asyncio.wait_for(second, 5)


async def test_a_large_message_comes_and_goes(house: House) -> None:
    big = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 200_000
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    await wire.ask("a LOGIN alice secret")
    assert (await wire.ask(f"b APPEND INBOX {{{len(big)}}}x"))[0].startswith("b BAD")
    wire.send(b"c APPEND INBOX {%d}\r\n" % len(big))
    assert await wire.line() == "+ Go ahead"
    wire.send(big + b"\r\n")
    assert (await wire.until("c"))[-1].startswith("c OK [APPENDUID")
    assert not house.server.services.slots._held
    await wire.ask("d SELECT INBOX")
    wire.send(b"e FETCH 1 BODY.PEEK[]\r\n")
    assert await wire.line() == f"* 1 FETCH (BODY[] {{{len(big)}}}"
    assert await wire.reader.readexactly(len(big)) == big
    wire.close()


async def test_a_large_copy_that_has_begun_is_finished_though_the_host_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "COPY_BATCH_MESSAGES", 2)
    await house.file("alice", count=9)
    wire = await Wire.to(await house.server.serve("127.0.0.1", 0))
    await wire.ask("a LOGIN alice secret")
    await wire.ask("b SELECT INBOX")
    begun, real = asyncio.Event(), entries.copy
    loop = asyncio.get_running_loop()

    def copy(tx, *arguments):
        loop.call_soon_threadsafe(begun.set)
        return real(tx, *arguments)

    monkeypatch.setattr(entries, "copy", copy)
    wire.send(b"c COPY 1:9 Archive\r\n")
    await begun.wait()
    await house.server.close()
    archive = folders.find_folder(house.store.reader, "alice", "Archive")
    assert archive and folders.counts(house.store.reader, archive.id).messages == 9
    wire.close()


async def test_who_stops_sending_gets_the_answers_from_another_host(
    two_houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "LAST_ANSWER_SECONDS_MAX", 0.2)
    first, second = two_houses
    await first.file("alice", count=1_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", await second.server.serve("127.0.0.1", 0))
    writer.write(b"a LOGIN alice secret\r\nb SELECT INBOX\r\nc FETCH 1:* BODY[]\r\nd NOOP\r\n")
    writer.write_eof()
    assert b"\r\nd OK Done\r\n" in await reader.read()  # to the end: the connection is not kept
    writer.close()
