"""A host's outbound half in a temporary folder: store, queue, runner, and a fabric whose rooms and routes a test sets.

Law: the fake rooms keep what they got in a table of the same database, so that what a step did is seen or undone
with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mail.envelope import Arrival, Recipient
from mail.outcome import Delivered, Outcome
from spool import tables
from spool.door import RcptTo
from spool.listing import Lanes, Waiting, lanes, waiting
from spool.queue import Queue
from spool.route import Abroad, Here, Route, Via
from spool.runner import Runner, Settings
from spool.runner_settings import Timeouts
from spool.schedule import Schedule
from store import Bodies, Migration, Store, Transaction, bodies, events

FILED = Migration(
    "house", 1, "CREATE TABLE filed (recipient TEXT, sender TEXT, envid TEXT, signed_by TEXT, content BLOB) STRICT"
)
MESSAGE = b"Subject: hello\r\nHeliograph-Source: bob\r\n\r\ntext\r\n"
QUICK = Timeouts(connect=1, greeting=1, command=1, group=2, data=1, block=1, dot=1, quit=0.2)
SOON = Schedule((0.05, 0.1), 0.01)

SETTINGS = Settings(
    "host-1",
    "host-1.fabric.test",
    fabric=SOON,
    foreign=SOON,
    timeouts=QUICK,
    sweep_seconds=0.02,
    full_seconds=0.05,
    stop_seconds=1.0,
)


NOTHING = Lanes(messages=0, fresh=0, deferred=0, oldest_at=0.0)


@dataclass
class Fabric:
    """`x@here` lives here, `x@host-2` on a host of the fabric, everything else abroad by a relay."""

    ports: dict[str, int] = field(default_factory=dict)
    room: Callable[[Transaction, Arrival, str], Outcome] | None = None
    routes: dict[str, Route] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)

    def route(self, recipient: str) -> Route:
        domain = recipient.rpartition("@")[2]
        if recipient in self.routes:
            return self.routes[recipient]
        if domain == "here":
            return Here()
        port = self.ports[domain]
        if domain.startswith("host-"):
            return Via(domain, "127.0.0.1", port, recipient)
        return Abroad(domain, f"127.0.0.1:{port}")

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        tx.execute(
            "INSERT INTO filed VALUES (?, ?, ?, ?, ?)",
            (recipient, arrival.sender, arrival.envid, arrival.signed_by, arrival.content),
        )
        self.arrivals.append(arrival)
        return self.room(tx, arrival, recipient) if self.room else Delivered()

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        return "host-1", f"proof-{nonce}-{server}"


class House:
    """`async with House(folder) as house`."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS, start: bool = True) -> None:
        self.store = Store(folder / "db", [bodies.MIGRATION, *tables.MIGRATIONS, FILED])
        self.queue = Queue()
        self.fabric = Fabric()
        self.late = 0.0  # how far the clock was put forward
        self.runner = Runner(self.store, self.queue, self.fabric, settings, lambda: time.time() + self.late)
        self._start = start

    async def __aenter__(self) -> House:
        if self._start:
            await self.runner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.stop()
        self.store.close()

    def put_in(
        self,
        tx: Transaction,
        *to: str | Recipient | RcptTo,
        sender: str = "alice@here",
        content: bytes = MESSAGE,
        signed_by: str = "host-1",
        ret: str = "",
        client_envid: str = "",
    ) -> int:
        now = time.time() + self.late
        return self.queue.put(
            tx,
            sender=sender,
            recipients=[Recipient(r) if isinstance(r, str) else r for r in to],
            body=Bodies.keep(tx, content),
            envid=hashlib.sha256(content).hexdigest(),
            signed_by=signed_by,
            accepted_at=now,
            now=now,
            ret=ret,
            client_envid=client_envid,
        )

    async def put(self, *to: str | Recipient | RcptTo, **more: object) -> int:
        return await self.store.write(lambda tx: self.put_in(tx, *to, **more))  # type: ignore[arg-type]

    async def empty(self, seconds: float = 8.0) -> None:
        """Wait until the queue is empty on disk, with its messages and their bodies."""
        await self.until(lambda: lanes(self.store.reader) == NOTHING, seconds)
        assert self.store.reader.all("SELECT * FROM body") == []

    async def until(self, true: Callable[[], object], seconds: float = 8.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not true():  # noqa: ASYNC110 - as an onlooker
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"still waiting: {len(self.waiting())}, {self.waiting()[:3]}") from None

    def waiting(self) -> list[Waiting]:
        return waiting(self.store.reader)

    def filed(self, column: str = "recipient") -> list[object]:
        return [row[0] for row in self.store.reader.all(f"SELECT {column} FROM filed ORDER BY rowid")]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [detail for _, _, name, detail in events.since(self.store.reader, 0) if name == kind]


def disk_full() -> sqlite3.OperationalError:
    """What SQLite says of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
