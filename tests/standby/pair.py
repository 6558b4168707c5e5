"""An owner's database and its standby, over a loopback socket that can be cut; no host around them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heliograph.standby.receiver import Receiver
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender
from heliograph.streams import NoStream
from store import Migration, Store, Transaction
from store.identity import MIGRATION as IDENTITY
from store.telling import Terms

TABLE = Migration("test", 1, "CREATE TABLE word (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
MIGRATIONS = (IDENTITY, TABLE)
PATIENCE_SECONDS = 20.0


class Wire:
    """The way between them. `is_up`: whether streams can be opened."""

    def __init__(self, receiver: Receiver, owner: str = "host-1") -> None:
        self.is_up = True
        self.opened = 0
        self._receiver, self._owner = receiver, owner
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        self.cut()
        if self._server:
            self._server.close()

    def cut(self) -> None:
        """Every stream breaks."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def open(self, host: str, purpose: str, client: str = "-") -> tuple[Any, Any]:
        assert purpose == "replica" and self._server
        if not self.is_up:
            raise NoStream(f"{host}: no answer")
        self.opened += 1
        reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname(), limit=16_384)
        self._writers.append(writer)
        return reader, writer

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError):
            await self._receiver.handle(reader, writer, self._owner)


class Pair:
    """An owner with a standby that the zone names, and what the standby has."""

    def __init__(
        self, folder: Path, mode: str = "required", owner: str = "host-1", replicas: Replicas | None = None
    ) -> None:
        self.path, self.owner, self.mode = folder / f"{owner}.db", owner, mode
        self.replicas = replicas or Replicas(folder / "standby")
        self.receiver = Receiver(self.replicas, lambda name: True)
        self.wire = Wire(self.receiver, owner)
        self.standbys = {owner: "host-2"}
        self._patience = 60.0  # a busy machine is no fault of the standby
        self._listeners: list[Callable[[Any], object]] = []

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Pair]:
        await self.wire.start()
        await self.start()
        try:
            yield self
        finally:
            await self.stop()
            await self.wire.close()
            await self.replicas.close()  # for the last of its owners

    async def start(self) -> None:
        self.store = Store(self.path, MIGRATIONS)
        zone = lambda: SimpleNamespace(standbys=self.standbys)  # noqa: E731
        self.sender = Sender(self.owner, self.store, self.wire, zone, self.mode)  # type: ignore[arg-type]
        await self.sender.start(self._subscribe)  # type: ignore[arg-type]
        if self.sender.state():
            self.wait(self._patience)

    async def stop(self) -> None:
        await self.sender.stop()
        self.store.close()

    def wait(self, seconds: float) -> None:
        """From now on a commit waits so long for the standby."""
        self._patience = seconds
        self.store.shipping.agree(Terms(self.mode == "required", seconds))

    def name(self, standby: str | None) -> None:
        """Edit the zone."""
        self.standbys = {self.owner: standby} if standby else {}
        for listener in self._listeners:
            listener(None)

    async def in_step(self) -> None:
        """Wait until the standby holds everything; from then on it is waited for."""
        await until(lambda: self.phase == "in step" and not self.store.shipping.is_behind)
        self.wait(60.0)

    @property
    def phase(self) -> str:
        state = self.sender.state()
        return state.phase if state else "none"

    async def add(self, text: str) -> None:
        await self.store.write(lambda tx: insert(tx, text))

    async def held(self) -> list[str]:
        """What is in the replica."""
        async with self.replicas.lend(self.owner) as path:
            return await asyncio.to_thread(words, path)

    async def same(self) -> None:
        """The replica is the database, page for page."""
        async with self.replicas.lend(self.owner) as path:
            whole(path)
            theirs = path.read_bytes()
        connection = sqlite3.connect(self.path)
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        assert not busy
        ours = self.path.read_bytes()
        assert len(ours) == len(theirs)
        assert [n for n in range(0, len(ours), 4096) if ours[n : n + 4096] != theirs[n : n + 4096]] == []

    def _subscribe(self, listener: Callable[[Any], object]) -> Callable[[], None]:
        self._listeners.append(listener)
        return self._listeners.clear


def insert(tx: Transaction, text: str) -> None:
    tx.execute("INSERT INTO word (text) VALUES (?)", (text,))


def words(path: Path) -> list[str]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(connection):
        return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY n")]


def whole(path: Path) -> None:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(connection):
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def until(look: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < give_up, "it never happened"
        await asyncio.sleep(0.005)
