"""The log of posts: one row per post and host, whatever the number of followers on it.

Law: (source, post) is there once; `seq` only grows, also over deleted rows, so that a cursor never misses one. The log
is cut at its old end; what has left it never comes into it again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import takewhile

from store import Bodies, Reader, Transaction


@dataclass(frozen=True, slots=True)
class Post:
    """A post as it arrived: number `number` of `source`."""

    source: str
    number: int
    body: int
    size: int
    arrival: float


def anyone_follows(tx: Transaction, source: str, number: int) -> bool:
    """Tell whether some account here may want a post. One look-up: nobody's row is scanned for it."""
    sql = "SELECT 1 FROM follow WHERE source = ? AND until_post > ? AND from_post IS NOT NULL LIMIT 1"
    return tx.one(sql, (source, number)) is not None


def log_post(tx: Transaction, post: Post) -> bool:
    """Write a post into the log, sharing its body; False where it is there already, or was."""
    added = tx.execute(
        """
        INSERT OR IGNORE INTO post_log (source, post, body, size, arrival) SELECT ?1, ?2, ?3, ?4, ?5
        WHERE NOT EXISTS (SELECT 1 FROM left_log WHERE source = ?1 AND upto >= ?2)
        """,
        (post.source, post.number, post.body, post.size, post.arrival),
    ).rowcount
    if added:
        Bodies.share(tx, post.body)
    return bool(added)


def is_logged(source: Reader | Transaction, name: str, number: int) -> bool:
    return source.one("SELECT 1 FROM post_log WHERE source = ? AND post = ?", (name, number)) is not None


def left_upto(source: Reader | Transaction, name: str) -> int:
    """Return the highest post of a source that has left the log: all up to it that are not there have."""
    row = source.one("SELECT upto FROM left_log WHERE source = ?", (name,))
    return int(row[0]) if row else 0


def oldest_arrival(source: Reader | Transaction) -> float | None:
    """Return when the log's first post came; None where it is empty."""
    row = source.one("SELECT arrival FROM post_log ORDER BY seq LIMIT 1")
    return float(row[0]) if row else None


def cut_log(tx: Transaction, before: float, most: int) -> int:
    """Let go of at most so many posts at the log's old end; return how many went.

    An account whose cursor lies before them finds the log from here on; what it had not looked at by then is over.
    """
    rows = tx.all("SELECT seq, source, post, body, arrival FROM post_log ORDER BY seq LIMIT ?", (most,))
    old = list(takewhile(lambda row: row[4] < before, rows))
    if old:
        tx.execute("DELETE FROM post_log WHERE seq <= ?", (old[-1][0],))
        tx.executemany(
            "INSERT INTO left_log VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET upto = max(upto, excluded.upto)",
            [(source, post) for _, source, post, _, _ in old],
        )
        Bodies.release_many(tx, Counter(row[3] for row in old))
    return len(old)
