"""COMPRESS=DEFLATE: what goes through is what was said, in any cut; bombs wait their turn; who sleeps costs little."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host import accounts
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Local, Remote, Settings
from mailbox_host.imap.client_output import SENT_AT_ONCE
from mailbox_host.imap.deflate import DeflateChannel
from mailbox_host.imap.settings import READ_BUFFER_OCTETS
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION

HASH = hash_password(b"secret")


class Inner:
    """A channel that is given pieces by hand."""

    def __init__(self) -> None:
        self.peer, self.at_end, self.ready = "127.0.0.1", False, True
        self.arrived, self.sent = b"", b""

    def take(self) -> bytes:
        data, self.arrived = self.arrived, b""
        return data

    def send(self, data: bytes) -> None:
        self.sent += data

    def listen(self, wake: Callable[[], None]) -> None: ...

    def hurry(self) -> None: ...

    async def drain(self) -> None: ...

    def start_tls(self, context: ssl.SSLContext) -> None: ...

    def close(self, linger: bool = False) -> None: ...


def packer() -> Callable[[bytes], bytes]:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return lambda data: deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)


async def taken(channel: DeflateChannel) -> bytes:
    """Take all there is, a turn of the loop after the other."""
    data = b""
    for _ in range(3):
        while piece := channel.take():
            data += piece
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    return data


LINES = st.lists(
    st.sampled_from([b"a NOOP\r\n", b"b FETCH 1:* FLAGS\r\n", b"DONE\r\n"]) | st.binary(max_size=40), max_size=20
)


@given(LINES, st.lists(st.integers(1, 30), max_size=30), st.integers(0, 3))
@settings(deadline=None)
def test_any_cut_and_any_sleep(lines: list[bytes], cuts: list[int], every: int) -> None:
    pack, inner = packer(), Inner()
    packed = [pack(line) for line in lines]

    async def run() -> bytes:
        channel, got, at = DeflateChannel(inner, b"", lambda: None), b"", 0
        for number, piece in enumerate(packed):
            for cut in [*cuts[number : number + 2], len(piece)]:
                inner.arrived += piece[at : at + cut]
                at += cut
                got += await taken(channel)
                if every == 1:
                    channel.doze()
            inner.arrived += piece[at:]
            at = 0
            got += await taken(channel)
            channel.send(lines[number])
            if every and number % every == 0:
                channel.doze()
        return got

    assert asyncio.run(run()) == b"".join(lines)
    assert zlib.decompressobj(-15).decompress(inner.sent) == b"".join(lines)


async def test_a_bomb_comes_in_pieces_and_in_turns() -> None:
    size, inner, woken = 10_000_000, Inner(), []
    channel = DeflateChannel(inner, packer()(bytes(size)), lambda: woken.append(1))
    got = turns = 0
    while data := channel.take():
        assert len(data) <= READ_BUFFER_OCTETS
        assert channel.take() == b""
        assert not channel.at_end
        got, turns = got + len(data), turns + 1
        await asyncio.sleep(0)
    assert (got, len(woken)) == (size, size // READ_BUFFER_OCTETS)


@pytest.mark.parametrize("beyond", [0, 1, 100, 257])
async def test_nothing_stays_inside(beyond: int) -> None:
    size = READ_BUFFER_OCTETS + beyond
    assert len(await taken(DeflateChannel(Inner(), packer()(bytes(size)), lambda: None))) == size


class Squeezed:
    """A client that has asked for compression."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._pack, self._inflater, self._lines = packer(), zlib.decompressobj(-15), b""
        self.received = 0

    @classmethod
    async def to(cls, port: int) -> Squeezed:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"a LOGIN alice secret\r\n")
        assert b"COMPRESS=DEFLATE" in await reader.readline()
        writer.write(b"b COMPRESS DEFLATE\r\n")
        assert (await reader.readline()).startswith(b"b OK")
        return cls(reader, writer)

    async def line(self) -> bytes:
        while b"\r\n" not in self._lines:
            packed = await self.reader.read(1000)
            if not packed:
                raise EOFError
            self.received += len(packed)
            self._lines += self._inflater.decompress(packed)
        line, _, self._lines = self._lines.partition(b"\r\n")
        return line

    def send(self, text: bytes) -> None:
        self.writer.write(self._pack(text))

    async def ask(self, text: bytes) -> list[bytes]:
        self.send(text + b"\r\n")
        lines = [await self.line()]
        while not lines[-1].startswith(text.split()[0] + b" "):
            lines.append(await self.line())
        return lines


class Host:
    def __init__(self, folder: Path, **options) -> None:
        folder.mkdir()
        self.store = Store(folder / "host.db", [STORE_MIGRATION, *MIGRATIONS])
        self.passwords = PasswordChecker(threads=1)
        self.server = ImapServer(self.store, Bell(), self.passwords, Settings("fabric.test", folder.name), **options)

    async def close(self) -> None:
        await self.server.close()
        self.passwords.close()
        self.store.close()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path / "owner")
    host.store.write_now(lambda tx: accounts.add(tx, "alice", HASH, 1e9))
    yield host
    await host.close()


async def test_a_session_goes_on_compressed(host: Host) -> None:
    client = await Squeezed.to(await host.server.serve("127.0.0.1", 0))
    assert (await client.ask(b"c COMPRESS DEFLATE"))[0].startswith(b"c NO [COMPRESSIONACTIVE]")
    assert (await client.ask(b"d COMPRESS LZ4"))[0].startswith(b"d BAD")
    letter = b"Subject: hello\r\n\r\n" + b"The same again and again.\r\n" * 4000
    for _ in range(3):
        client.send(b"e APPEND INBOX {%d+}\r\n%b\r\n" % (len(letter), letter))
        assert (await client.line()).startswith(b"e OK")
    assert (await client.ask(b"f SELECT INBOX"))[-1].startswith(b"f OK")
    assert b"again" in b"".join(await client.ask(b"g FETCH 1:3 BODY.PEEK[]"))
    assert client.received < len(letter) / 5
    client.writer.close()


async def test_who_sleeps_is_woken_and_goes_on(host: Host) -> None:
    port = await host.server.serve("127.0.0.1", 0)
    client, other = await Squeezed.to(port), await Squeezed.to(port)
    await client.ask(b"c SELECT INBOX")
    for number in range(1, 4):  # what it says refers to what it said before it slept
        client.send(b"d IDLE\r\n")
        assert await client.line() == b"+ idling"
        other.send(b"d APPEND INBOX {3+}\r\nabc\r\n")
        assert await client.line() == b"* %d EXISTS" % number
        await client.line()
        client.send(b"DONE\r\n")
        assert (await client.line()).startswith(b"d OK")
        assert (await client.ask(b"e NOOP")) == [b"e OK Done"]
        assert (await client.ask(b"c SELECT INBOX"))[-1].startswith(b"c OK")
    (connection, *_) = [one for one in host.server._connections if one._deflate is not None]
    client.send(b"d IDLE\r\n")
    assert await client.line() == b"+ idling"
    assert (connection._deflate._deflater, connection._deflate._inflater) == (None, None)
    client.writer.close()
    other.writer.close()


async def test_a_large_message_goes_out_in_pieces(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    send = DeflateChannel.send
    monkeypatch.setattr(DeflateChannel, "send", lambda channel, data: (sent.append(len(data)), send(channel, data))[1])
    client = await Squeezed.to(await host.server.serve("127.0.0.1", 0))
    letter = b"Subject: hello\r\n\r\n" + b"The same again and again.\r\n" * 100_000
    client.send(b"c APPEND INBOX {%d+}\r\n%b\r\n" % (len(letter), letter))
    assert (await client.line()).startswith(b"c OK")
    await client.ask(b"d SELECT INBOX")
    lines = await client.ask(b"e FETCH 1 BODY.PEEK[]")
    assert b"\r\n".join(lines[1:-2]) + b"\r\n" == letter
    assert max(sent) <= SENT_AT_ONCE < len(letter) // 4
    client.writer.close()


async def test_no_goodbye_is_said_within_a_message(host: Host) -> None:
    """The server closes while a client takes its time: what it has of the message is of the message."""
    reader, writer = await asyncio.open_connection("127.0.0.1", await host.server.serve("127.0.0.1", 0))
    letter = b"Subject: hello\r\n\r\n" + b"x" * 20_000_000
    writer.write(b"a LOGIN alice secret\r\n")
    await reader.readuntil(b"Signed in\r\n")
    writer.write(b"c APPEND INBOX {%d+}\r\n%b\r\nd SELECT INBOX\r\ne FETCH 1 BODY.PEEK[]\r\n" % (len(letter), letter))
    await reader.readuntil(b"* 1 FETCH (BODY[] {%d}\r\nSubject: hello\r\n\r\n" % len(letter))
    await reader.readexactly(100_000)
    await host.server.close()
    rest = b""
    with contextlib.suppress(OSError):
        rest = await reader.read()
    assert rest.strip(b"x") == b""
    writer.close()


async def test_what_is_no_deflate_ends_the_connection(host: Host) -> None:
    client = await Squeezed.to(await host.server.serve("127.0.0.1", 0))
    client.writer.write(b"c NOOP\r\n" * 10)
    with pytest.raises(EOFError):
        await client.line()


async def test_a_bomb_of_a_literal_is_refused(host: Host) -> None:
    client = await Squeezed.to(await host.server.serve("127.0.0.1", 0))
    client.send(b"c APPEND INBOX {4000000000+}\r\n" + bytes(20_000_000))
    assert (await client.line()).startswith(b"* BYE")


async def test_the_owner_compresses_for_a_host_in_between(host: Host, tmp_path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await host.server.handle_stream(reader, writer, "192.0.2.1")

    stream = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = stream.sockets[0].getsockname()[1]
    front = Host(
        tmp_path / "front",
        locate=lambda account: Remote("owner") if account == "alice" else Local(),
        open_stream=lambda name, client: asyncio.open_connection("127.0.0.1", port),
    )
    client = await Squeezed.to(await front.server.serve("127.0.0.1", 0))
    assert (await client.ask(b"c SELECT INBOX"))[-1].startswith(b"c OK")
    assert (await client.ask(b"d LOGOUT"))[0].startswith(b"* BYE")
    client.writer.close()
    await front.close()
    stream.close()
