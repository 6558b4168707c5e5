"""The host's one SQLite file: opening, migrations, readers, and the writer's front.

Law: WAL with synchronous=FULL, always. NORMAL loses acknowledged commits at a power cut.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from store.ending import take_end
from store.shipping import Shipping
from store.telling import StandbyBehind, StoreFull
from store.transaction import Row, Transaction, Values
from store.wal import Position
from store.writer import CHECKPOINT_PAGES, Writer

T = TypeVar("T")

READER_THREADS = 2  # long reads (SEARCH BODY, big FETCHes) beside the loop; more would only fight for two cores
BUSY_SECONDS = 30.0
CACHE_KIB = 65_536

__all__ = ["Migration", "Reader", "StandbyBehind", "Store", "StoreFull", "open_reader"]


@dataclass(frozen=True, slots=True)
class Migration:
    """A package's tables, one step: applied once, in order of version, in a transaction."""

    package: str
    version: int
    sql: str


class Reader:
    """A read-only connection for one thread. Each query sees the last commit and leaves no snapshot open."""

    def __init__(self, path: Path | str, commits: Callable[[], int]) -> None:
        self._commits = commits
        self.connection = _connect(path)
        self.connection.execute("PRAGMA query_only = ON")

    def count_commits(self) -> int:
        """Return how many commits there were: while this stands still, so does all that can be read."""
        return self._commits()

    def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = self.connection.execute(sql, values).fetchall()
        return rows[0] if rows else None

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        return self.connection.execute(sql, values).fetchall()


class Store:
    """Readers and the one writer of a host's database. Open it in the process that owns the host, only there."""

    def __init__(self, path: Path, migrations: Iterable[Migration]) -> None:
        self.path = path
        ended = take_end(path)
        connection = _connect(path)
        _prepare(connection)
        _migrate(connection, migrations)
        self._writer = Writer(connection)
        self.shipping = Shipping(path, self._writer, ended)
        self._readers: list[Reader] = []
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="store-reader")

    @property
    def reader(self) -> Reader:
        """This thread's reader, for short queries (tens of microseconds) right where they are needed."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = Reader(self.path, lambda: self._writer.commits)
            self._readers.append(reader)
        return reader

    @property
    def commits(self) -> int:
        """How many groups of writes were committed since the start."""
        return self._writer.commits

    @property
    def commit_seconds(self) -> float:
        """What they took."""
        return self._writer.commit_seconds

    def reader_of_its_own(self) -> Reader:
        """A connection for who reads long and in pieces, in whichever thread; close its connection at the end."""
        return Reader(self.path, lambda: self._writer.commits)

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run a long query in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: query(self.reader))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer thread, in a SAVEPOINT of its own; return its result once it is durable.

        Whatever `work` raises is raised here, its changes undone. StoreFull: the disk is full, nothing was changed,
        and the next write may succeed; StandbyBehind, which is one: the second disk does not have it, and nothing is
        acknowledged without that. Cancelling the caller does not undo work that has begun: shield what must not
        be taken for undone.
        """
        return await self._writer.submit_on(asyncio.get_running_loop(), work)

    async def held(self) -> None:
        """Return once all that can be read by now counts: the standby, where there is one, holds it too, or is not
        waited for. Who lets others see what he has read asks for it first. StandbyBehind: it does not count yet."""
        if self._writer.telling.waits:
            await self.write(lambda tx: None)  # is told after all before it

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """The same for callers without an event loop (the command, tests); blocks until durable."""
        return self._writer.submit(work).result()

    def close(self) -> None:
        """Finish what was submitted, then close."""
        self._pool.shutdown()
        ends: list[Position | None] = []
        self._writer.close(lambda: ends.append(self.shipping.end_of_log()))
        for reader in self._readers:
            reader.connection.close()
        if ends:  # its files are closed after the last connection, which has locks there
            self.shipping.close(ends[0])


def open_reader(path: Path) -> Reader:
    """Read a database file that nobody writes while it is read (a replica that was lent). Close its connection."""
    return Reader(f"{path.absolute().as_uri()}?mode=ro&immutable=1", lambda: 0)


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
        uri=isinstance(path, str),
    )
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA journal_size_limit = 67108864")  # give a burst's WAL back to the disk


def _migrate(connection: sqlite3.Connection, migrations: Iterable[Migration]) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (package TEXT, version INTEGER, PRIMARY KEY (package, version)) STRICT"
    )
    done: set[Any] = set(connection.execute("SELECT package, version FROM migration").fetchall())
    steps = [step for step in migrations if (step.package, step.version) not in done]
    # One transaction: a step that fails leaves the tables as they were, and a new database is flushed once for all 30.
    scripts = [f"{step.sql}; INSERT INTO migration VALUES ('{step.package}', {step.version});" for step in steps]
    if not scripts:
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {' '.join(scripts)} COMMIT;")
    except sqlite3.Error:
        connection.close()
        raise
