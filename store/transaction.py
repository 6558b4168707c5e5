"""What a piece of work sees of the database while it writes.

Law: everything done through a Transaction is undone together when the work raises, and nobody hears of it
(`after_commit`) before it is on disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Values = Sequence[Any]
Row = tuple[Any, ...]


class Transaction:
    """One caller's work inside a group commit. Use it only during the call that it was passed to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.callbacks: list[Callable[[], object]] = []

    def execute(self, sql: str, values: Values = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Values]) -> sqlite3.Cursor:
        return self.connection.executemany(sql, rows)

    def insert(self, sql: str, values: Values = ()) -> int:
        """Run an INSERT and return its rowid."""
        rowid = self.connection.execute(sql, values).lastrowid
        assert rowid is not None
        return rowid

    def one(self, sql: str, values: Values = ()) -> Row | None:
        row: Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        return self.connection.execute(sql, values).fetchall()

    def nested(self, work: Callable[[Transaction], T]) -> T:
        """Run a part of the work in a SAVEPOINT of its own: where it raises, it alone is undone, and it raises here.

        Where SQLite itself gave up the whole transaction (disk full), nothing is left to go on with: let it raise.
        """
        heard = len(self.callbacks)
        self.connection.execute("SAVEPOINT nested")
        try:
            result = work(self)
        except BaseException:
            del self.callbacks[heard:]
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO nested")
                self.connection.execute("RELEASE nested")
            raise
        self.connection.execute("RELEASE nested")
        return result

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Call this on the event loop once the work is durable; never called if it is undone."""
        self.callbacks.append(callback)
