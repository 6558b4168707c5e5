"""What is queued for the server that keeps this host's mailboxes: looked through, and taken out again.

Law: each row is told with its body, for whoever knows what it holds; a message goes with its last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spool.queue import Source, forget
from spool.route import SHELF
from store import Transaction


class Shelved(NamedTuple):
    """One such row; `address` begins with SHELF."""

    message: int
    n: int
    address: str
    body: int


def shelved(source: Source, after: tuple[int, int], most: int) -> list[Shelved]:
    """Return rows behind a place in the queue (message, n), oldest first."""
    rows = source.all(
        "SELECT r.message, r.n, r.address, m.body FROM queue_recipient r JOIN queue_message m ON m.id = r.message"
        " WHERE (r.message, r.n) > (?, ?) AND substr(r.address, 1, ?) = ? ORDER BY r.message, r.n LIMIT ?",
        (*after, len(SHELF), SHELF, most),
    )
    return [Shelved._make(row) for row in rows]


def waiting_upto(source: Source, place: str, most: int) -> int:
    """Count what waits for a server that does not take it now, up to a number."""
    sql = "SELECT 1 FROM queue_recipient INDEXED BY queue_destination WHERE state = 1 AND destination = ? LIMIT ?"
    row = source.one(f"SELECT count(*) FROM ({sql})", (f"{SHELF}{place}", most))
    return int(row[0]) if row else 0


def drop_rows(tx: Transaction, rows: Sequence[Shelved]) -> None:
    """Take rows out of the queue: nobody is told, for they are not lost."""
    tx.executemany("DELETE FROM queue_recipient WHERE message = ? AND n = ?", [(row.message, row.n) for row in rows])
    forget(tx, sorted({row.message for row in rows}))
