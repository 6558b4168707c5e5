"""The log of posts: one row per post and host, whatever the number of followers on it.

Law: (source, post) is there once; `seq` only grows, also over deleted rows, so that a cursor never misses one.
"""

from __future__ import annotations

from dataclasses import dataclass

from store import Bodies, Transaction


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
    """Write a post into the log, sharing its body; False where it is there already."""
    added = tx.execute(
        "INSERT OR IGNORE INTO post_log (source, post, body, size, arrival) VALUES (?, ?, ?, ?, ?)",
        (post.source, post.number, post.body, post.size, post.arrival),
    ).rowcount
    if added:
        Bodies.share(tx, post.body)
    return bool(added)
