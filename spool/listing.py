"""What the operator is shown of the queue: who waits, for what, and how much there is.

Law: it reads and changes nothing; what could be long comes a page at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from spool.tables import DEFERRED
from store import Reader, Transaction

Source = Reader | Transaction

HELD_HERE = ("", "here")  # the destinations of mail that waits for a room of this host, or to know where to go


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of `queue list`. `destination` and `reply` tell of the last attempt ("": none yet)."""

    message: int
    n: int
    recipient: str
    sender: str
    destination: str
    attempts: int
    next_attempt: float
    reply: str
    accepted_at: float


@dataclass(frozen=True, slots=True)
class Count:
    """How much waits for a destination: a host of the fabric, a foreign domain or relay, or "here"."""

    destination: str
    fresh: int
    deferred: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Lanes:
    """How much waits: messages; recipients that were never put off, and those that were; when the oldest came (0.0:
    nothing waits)."""

    messages: int
    fresh: int
    deferred: int
    oldest_at: float


def waiting(source: Source, *, after: tuple[int, int] = (0, -1), limit: int = 1000) -> list[Waiting]:
    """List what waits, oldest message first, a page at a time."""
    rows = source.all(
        "SELECT r.message, r.n, r.address, coalesce(r.sender, m.sender), r.destination, r.attempts, r.next_attempt,"
        " r.reply, m.accepted_at FROM queue_recipient r JOIN queue_message m ON m.id = r.message"
        " WHERE (r.message, r.n) > (?, ?) ORDER BY r.message, r.n LIMIT ?",
        (*after, limit),
    )
    return [Waiting(*row) for row in rows]


def counts(source: Source) -> list[Count]:
    """Count what waits by destination (fresh mail: by domain), the most first. Reads every row: not for the loop."""
    rows = source.all(
        "SELECT iif(destination = '', substr(address, instr(address, '@') + 1), destination) AS where_to,"
        f" sum(state <> {DEFERRED}), sum(state = {DEFERRED}), min(m.accepted_at) FROM queue_recipient r"
        " JOIN queue_message m ON m.id = r.message GROUP BY where_to ORDER BY count(*) DESC, where_to",
    )
    return [Count(*row) for row in rows]


def put_off(source: Source, destinations: Iterable[str]) -> dict[str, int]:
    """Count what was put off for these destinations; who gets nothing is not in it."""
    asked = json.dumps(list(destinations))
    rows = source.all(
        "SELECT destination, count(*) FROM queue_recipient"
        f" WHERE state = {DEFERRED} AND destination IN (SELECT value FROM json_each(?)) GROUP BY destination",
        (asked,),
    )
    return dict(rows)


def lanes(source: Source) -> Lanes:
    """Count what waits, by lane: some milliseconds for each 100,000 recipients."""
    row = source.one(
        "SELECT (SELECT count(*) FROM queue_message), (SELECT count(*) FROM queue_recipient),"
        f" (SELECT count(*) FROM queue_recipient WHERE state = {DEFERRED}),"
        " coalesce((SELECT accepted_at FROM queue_message ORDER BY id LIMIT 1), 0.0)"
    )
    assert row is not None
    messages, recipients, deferred, oldest_at = row
    return Lanes(messages, recipients - deferred, deferred, oldest_at)
