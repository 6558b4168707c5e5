"""What a lost host kept for no account in particular, taken over by its heir: its log of posts, and its leaves.

Law: a welcome that is still on its way may cover posts that came before it, so the log goes along as far as a queue may
reach back. What the heir's log has already, or had, stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_host.follows import OPEN
from mailbox_host.post_log import Post, log_post
from store import Bodies, Reader, Transaction

Source = Reader | Transaction

LATE_SECONDS = 14 * 86_400.0  # a queue gives up after 5 days, a moved bucket forwards for 14


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of the log, with its content."""

    seq: int
    source: str
    post: int
    arrival: float
    content: bytes


def read_log(source: Source, after: int, since: float, most: int) -> list[Logged]:
    """Read the log behind a row, as far as it came since then."""
    rows = source.all(
        "SELECT seq, source, post, arrival, body FROM post_log WHERE seq > ? AND arrival >= ? ORDER BY seq LIMIT ?",
        (after, since, most),
    )
    return [Logged(seq, name, post, at, Bodies.read(source, body)) for seq, name, post, at, body in rows]


def put_log(tx: Transaction, rows: list[Logged]) -> None:
    for row in rows:
        body = Bodies.keep(tx, row.content)
        log_post(tx, Post(row.source, row.post, body, len(row.content), row.arrival))
        Bodies.release(tx, body)


def read_leaves(source: Source) -> list[tuple[str, int, int]]:
    """Return for which sources it was a leaf: (source, epoch, folded)."""
    rows = source.all(f"SELECT source, epoch, folded FROM leaf WHERE until_post = {OPEN} ORDER BY source")
    return [(name, epoch, folded) for name, epoch, folded in rows]


def put_leaves(tx: Transaction, leaves: list[tuple[str, int, int]]) -> None:
    """Be the leaf that it was: posts to it come here, and are kept for whoever follows."""
    tx.executemany(
        f"INSERT INTO leaf VALUES (?, ?, {OPEN}, ?) ON CONFLICT (source) DO UPDATE SET until_post = {OPEN},"
        " epoch = max(epoch, excluded.epoch), folded = max(folded, excluded.folded)",
        leaves,
    )


def read_passed(source: Source) -> list[tuple[str, str]]:
    """Return to which hosts it sent posts after followers: (source, host)."""
    sql = f"SELECT source, host FROM passed_on WHERE until_post = {OPEN} ORDER BY source, host"
    return [(name, host) for name, host in source.all(sql)]


def put_passed(tx: Transaction, passed: list[tuple[str, str]], me: str) -> None:
    rows = [(name, host) for name, host in passed if host != me]
    tx.executemany(f"INSERT OR IGNORE INTO passed_on (source, host, until_post) VALUES (?, ?, {OPEN})", rows)
