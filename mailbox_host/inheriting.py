"""What a lost host kept for no account in particular, taken over by its heir: its log of posts, its leaves, and
what it sent after followers who had moved.

Law: a welcome that is still on its way may cover posts that came before it, so the log goes along as far as a queue may
reach back. What the heir's log has already, or had, stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.follower_rows import Row
from mailbox_host import passing
from mailbox_host.accounts import exists
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


def read_log(source: Source, after: int, since: float, most: int, octets_max: int) -> list[Logged]:
    """Read the log behind a row, as far as it came since then; at least one post, if there is any."""
    rows = source.all(
        "SELECT seq, source, post, arrival, body FROM post_log WHERE seq > ? AND arrival >= ? ORDER BY seq LIMIT ?",
        (after, since, most),
    )
    found: list[Logged] = []
    octets = 0
    for seq, name, post, at, body in rows:
        content = Bodies.read(source, body)
        octets += len(content)
        if found and octets > octets_max:
            break
        found.append(Logged(seq, name, post, at, content))
    return found


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


@dataclass(frozen=True, slots=True)
class Passed:
    """To which hosts it sent posts after followers, up to which post: (source, host, until_post, behind); and of whom
    lists did not know yet: (source, host, name, from_post, generation, folder)."""

    on: list[tuple[str, str, int, int | None]]
    noted: list[tuple[str, str, str, int, int, str]]


def read_passed(source: Source) -> Passed:
    on = source.all("SELECT source, host, until_post, behind FROM passed_on ORDER BY source, host")
    noted = source.all("SELECT source, host, name, from_post, generation, folder FROM moved_follower ORDER BY id")
    return Passed([(a, b, c, d) for a, b, c, d in on], [(a, b, c, d, e, f) for a, b, c, d, e, f in noted])


def put_passed(tx: Transaction, passed: Passed, me: str, now: float) -> None:
    """Send them on from here, and tell the lists in its place. Who lives here needs neither."""
    for source, host, name, from_post, generation, folder in passed.noted:
        if host != me and not exists(tx, name):
            passing.note(tx, source, host, Row(name, from_post, generation, folder))
    for source, host, until, behind in passed.on:
        if host != me:
            passing.pass_on(tx, source, host, until, behind, now)
