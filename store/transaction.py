"""What a piece of work sees of the database while it writes.

Law: everything done through a Transaction is undone together when the work raises, and nobody hears of it
(`after_commit`) before it is on disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

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

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Call this on the event loop once the work is durable; never called if it is undone."""
        self.callbacks.append(callback)
