"""A web site to poll, and a host's worth of ingest around a database of its own."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from directory.names import FabricNames, Follow
from directory.snapshot import Directory, HostRecord
from ingest.poller import Poller
from ingest.room import IngestRoom
from ingest.settings import Settings
from ingest.tables import MIGRATIONS
from mail.control import Control, Sift, read_controls
from mail.envelope import Arrival, Outgoing, Receipt
from mail.headers import Headers, split_message
from store import Bodies, Migration, Store, Transaction, bodies

NAMES = FabricNames("fabric.test", 64)
SPOOLED = Migration(
    "test",
    1,
    "CREATE TABLE spooled (id INTEGER PRIMARY KEY, sender TEXT, recipient TEXT, content BLOB, signed INTEGER) STRICT",
)
SETTINGS = Settings(
    allow_networks=(ipaddress.ip_network("127.0.0.0/8"),),
    poll_seconds_min=100,
    poll_seconds_max=1000,
    retry_seconds=10,
    workers_max=1,
)


@dataclass
class Asked:
    """One request that the site got."""

    path: str
    headers: dict[str, str]
    body: bytes = b""


Reply = bytes | tuple[int, dict[str, str], bytes]
Page = Reply | Callable[[Asked], Reply]


class Site:
    """An HTTP server of few words: each page is bytes, or (status, headers, body), or a function that returns one."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.port = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self._now = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            asked = Asked(lines[0].split(" ")[1], headers, body)
            self.asked.append(asked)
            if self.gate:
                await self.gate.wait()
            writer.write(self._reply(asked))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._now -= 1
            writer.close()

    def _reply(self, asked: Asked) -> bytes:
        page = self.pages.get(asked.path, (404, {}, b""))
        reply = page(asked) if callable(page) else page
        status, headers, body = (200, {}, reply) if isinstance(reply, bytes) else reply
        head = {"Content-Length": str(len(body)), "Connection": "close"} | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
        return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


@dataclass
class Letter:
    """A mail that was spooled."""

    sender: str
    to: str
    content: bytes
    signed: bool

    @property
    def headers(self) -> Headers:
        return Headers.parse(split_message(self.content)[0])

    @property
    def controls(self) -> list[Control]:
        return read_controls(self.headers)

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part
        return str(part.get_content())


class Host:
    """One host's ingest: its room, its poller, what it spooled. `now` is its clock."""

    def __init__(self, path: Path, name: str = "host-1", owners: tuple[str, ...] = ("host-1",), **more: object) -> None:
        hosts = {each: HostRecord(each, "127.0.0.1", None) for each in ("host-1", "host-2")}
        owner = tuple(owners[bucket % len(owners)] for bucket in range(NAMES.buckets))
        self.directory = Directory(NAMES, 1, hosts, owner, owner)
        self.now, self.path = 1_700_000_000.0, path
        self.store = Store(path / f"{name}.db", [bodies.MIGRATION, SPOOLED, *MIGRATIONS])
        self.room = IngestRoom(name, lambda: self.directory, replace(SETTINGS, **more))  # type: ignore[arg-type]
        self.fault: Callable[[Outgoing], None] = lambda outgoing: None
        self.poller = Poller(self.store, self._spool, self.room, lambda: self.now)

    def _spool(self, tx: Transaction, outgoing: Outgoing) -> None:
        self.fault(outgoing)
        for recipient in outgoing.recipients:
            tx.execute(
                "INSERT INTO spooled (sender, recipient, content, signed) VALUES (?, ?, ?, ?)",
                (outgoing.sender, recipient.address, outgoing.content, outgoing.signed),
            )

    def receive(
        self, content: str | bytes, *, sender: str = "x@y.example", signed_by: str = "", bucket: int | None = None
    ) -> Receipt:
        """Hand a mail to the room, and spool what it returns."""
        octets = content.replace("\n", "\r\n").encode() if isinstance(content, str) else content

        def work(tx: Transaction) -> Receipt:
            body = Bodies.keep(tx, octets)
            arrival = Arrival(sender, octets, body, hashlib.sha256(octets).hexdigest(), signed_by, self.now, self.now)
            receipt = self.room.receive(tx, arrival, Follow(bucket))
            for outgoing in receipt.outgoing:
                self._spool(tx, outgoing)
            Bodies.release(tx, body)
            return receipt

        return self.store.write_now(work)

    def ask(self, *lines: str, who: str = "alice", subject: str = "") -> Receipt:
        """A signed-in user writes to follow@D."""
        head = f"Heliograph-Authenticated: {who}\nFrom: {who}@fabric.test\nMessage-ID: <q1@example>\n"
        head += f"Subject: {subject}\n\n"
        return self.receive(head + "\n".join(lines) + "\n", sender=f"{who}@fabric.test", signed_by="host-1")

    @property
    def spooled(self) -> list[Letter]:
        rows = self.store.reader.all("SELECT sender, recipient, content, signed FROM spooled ORDER BY id")
        return [Letter(*row[:3], bool(row[3])) for row in rows]

    @property
    def letters(self) -> list[Letter]:
        """All but what timelines are told to keep of a source, which goes with every follow."""
        return [letter for letter in self.spooled if not any(isinstance(word, Sift) for word in letter.controls)]

    @property
    def sifts(self) -> list[tuple[str, Sift]]:
        """What timelines were told, with their addresses."""
        words = [(letter.to, word) for letter in self.spooled for word in letter.controls]
        return [(to, word) for to, word in words if isinstance(word, Sift) and word.source]

    @property
    def posts(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.headers.has("heliograph-authenticated")]

    @property
    def answers(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.headers.get("auto-submitted") == "auto-replied"]

    @property
    def controls(self) -> list[Control]:
        return [control for letter in self.letters for control in letter.controls]

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something to be so; the test's timeout ends a vain wait."""
        while not is_so():  # noqa: ASYNC110  (what it waits for is in a database)
            await asyncio.sleep(0.01)

    def requests(self) -> int:
        row = self.store.reader.one("SELECT count(*) FROM request")
        assert row
        return int(row[0])

    async def settled(self) -> None:
        """Wait until no request is waiting."""
        await self.until(lambda: self.requests() == 0)

    async def poll_again(self, seconds: float = 2_000) -> None:
        """Let time pass, and wait until every feed was asked again."""
        self.now += seconds
        self.poller.wake()
        await self.until(lambda: not self.store.reader.all("SELECT 1 FROM feed WHERE last_at < ?", (self.now,)))

    async def close(self) -> None:
        await self.poller.stop()
        self.store.close()


MakeHost = Callable[..., Awaitable[Host]]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def make_host(tmp_path: Path) -> AsyncIterator[MakeHost]:
    made: list[Host] = []

    async def make(name: str = "host-1", **more: object) -> Host:
        host = Host(tmp_path, name, **more)  # type: ignore[arg-type]
        made.append(host)
        await host.poller.start()
        return host

    yield make
    for host in made:
        await host.close()


@pytest.fixture
async def host(make_host: MakeHost) -> Host:
    return await make_host()


@pytest.fixture
def feeds() -> Path:
    return Path(__file__).parent / "feeds"


def item_xml(number: int, *, guid: str = "", link: str = "", title: str = "", text: str = "", date: str = "") -> str:
    """One RSS item with a default for everything."""
    day = f"{1 + number % 28:02d} Oct 2023 10:00:{number // 28 % 60:02d} GMT"
    return (
        f"<item><guid isPermaLink='false'>{guid or f'id-{number}'}</guid>"
        f"<link>{link or f'http://blog.example/{number}'}</link><title>{title or f'Post {number}'}</title>"
        f"<pubDate>{date or day}</pubDate>"
        f"<description>{text or f'What was thought on day {number}, at some length. ' * 4}</description></item>"
    )


def rss_xml(*items: str, title: str = "A Blog") -> bytes:
    """An RSS document."""
    head = f"<?xml version='1.0'?><rss version='2.0'><channel><title>{title}</title><link>http://blog.example/</link>"
    return (head + "".join(items) + "</channel></rss>").encode()


@pytest.fixture
def rss() -> Callable[..., bytes]:
    return rss_xml


@pytest.fixture
def item() -> Callable[..., str]:
    return item_xml


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
