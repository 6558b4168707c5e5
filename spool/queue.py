"""The queue: messages on their way, a row per recipient.

Law: a row is there until its recipient was taken over by a room, a peer or a DSN. Everything happens in the caller's
transaction; whoever waits for mail is woken after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mail.envelope import Recipient
from spool.door import RcptTo
from store import Bodies, Reader, Transaction

Source = Reader | Transaction

RECIPIENTS_MAX = 10_000_000  # of one message; far above any list, and n stays a small integer
IDS_AT_ONCE = 500  # SQLite takes 32,766 parameters; a statement per size is kept, so few sizes
HURRY_ROWS_MAX = 10_000  # in one write: 10,000 rows cost about 0.1 s of the host's only writer


class Row(NamedTuple):
    """One recipient of one message. `sender` None: the message's own return path."""

    message: int
    n: int
    address: str
    sender: str | None
    notify: str
    orcpt: str
    attempts: int
    next_attempt: float


ROW = "message, n, address, sender, notify, orcpt, attempts, next_attempt"


class Message(NamedTuple):
    """What all recipients of a message share. `envid`: what the fabric knows it by; `client_envid`: what its sender
    does, where he said so (RFC 3461 4.4)."""

    id: int
    sender: str
    body: int
    envid: str
    signed_by: str
    accepted_at: float
    ret: str
    eightbit: int
    smtputf8: int
    client_envid: str = ""


MESSAGE = "id, sender, body, envid, signed_by, accepted_at, ret, eightbit, smtputf8, client_envid"


class Queue:
    """The front of the queue's tables, and the bell that wakes who works on them."""

    def __init__(self) -> None:
        self._woken: list[Callable[[], object]] = []
        self._hurried: list[Callable[[], object]] = []

    def listen(self, woken: Callable[[], object], hurried: Callable[[], object] = lambda: None) -> None:
        """Call `woken` after each commit with new work, `hurried` when an operator wants it tried now. The call comes
        on the event loop of who wrote, or in the writer's thread where there was none."""
        self._woken.append(woken)
        self._hurried.append(hurried)

    def put(
        self,
        tx: Transaction,
        *,
        sender: str,
        recipients: Sequence[Recipient | RcptTo],
        body: int,
        envid: str,
        signed_by: str = "",
        accepted_at: float,
        now: float,
        ret: str = "",
        eightbit: bool = False,
        smtputf8: bool = False,
        client_envid: str = "",
    ) -> int:
        """Queue a message for its recipients and return its id. It takes over one reference to `body` that the caller
        holds (`Bodies.keep`, or `Bodies.share` for a stored one). `eightbit` and `smtputf8` are what a client
        declared; what the content itself shows is seen at sending. `ret`: "", "HDRS" or "FULL"."""
        if not 0 < len(recipients) <= RECIPIENTS_MAX:
            raise ValueError(f"{len(recipients)} recipients")
        message = tx.insert(
            "INSERT INTO queue_message"
            " (sender, body, envid, signed_by, accepted_at, ret, eightbit, smtputf8, client_envid)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (sender, body, envid, signed_by, accepted_at, ret, int(eightbit), int(smtputf8), client_envid),
        )
        tx.executemany(
            "INSERT INTO queue_recipient (message, n, address, sender, notify, orcpt, next_attempt)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (message, n, to.address, None, to.notify, to.orcpt, now)
                if isinstance(to, RcptTo)
                else (message, n, to.address, to.sender, "", "", now)
                for n, to in enumerate(recipients)
            ],
        )
        self.wake_after(tx)
        return message

    def wake_after(self, tx: Transaction) -> None:
        for woken in self._woken:
            tx.after_commit(woken)

    def retry(self, tx: Transaction, messages: Sequence[int] | None, now: float) -> int:
        """Make deferred rows of these messages (None: all) due at once; return how many there were."""
        due = "UPDATE queue_recipient SET next_attempt = ? WHERE state = 1"
        if messages is None:
            count = tx.execute(due, (now,)).rowcount
        else:
            count = tx.executemany(due + " AND message = ?", [(now, message) for message in messages]).rowcount
        for hurried in self._hurried:
            tx.after_commit(hurried)
        return count

    def hurry(
        self, tx: Transaction, destination: str, now: float, limit: int = HURRY_ROWS_MAX, attempts_max: int = 1_000_000
    ) -> int:
        """Make a destination's deferred rows due, for it takes mail again: oldest messages first, at most `limit`, of
        rows that were attempted `attempts_max` times at most. Return how many."""
        rows = tx.all(
            "SELECT message, n FROM queue_recipient INDEXED BY queue_destination WHERE state = 1 AND destination = ?"
            " AND next_attempt > ? AND attempts <= ? LIMIT ?",
            (destination, now, attempts_max, min(limit, HURRY_ROWS_MAX)),
        )
        tx.executemany(
            "UPDATE queue_recipient SET next_attempt = ? WHERE message = ? AND n = ?", [(now, *row) for row in rows]
        )
        self.wake_after(tx)
        return len(rows)

    def drop(self, tx: Transaction, messages: Sequence[int]) -> int:
        """Throw messages away, nobody is told (`Settler.drop` tells the senders); return how many recipients went."""
        gone = tx.executemany("DELETE FROM queue_recipient WHERE message = ?", [(m,) for m in messages]).rowcount
        forget(tx, messages)
        return gone


def forget(tx: Transaction, messages: Sequence[int]) -> None:
    """Let go of messages that have no recipient left, with their bodies."""
    for message in messages:
        row = tx.one(
            "DELETE FROM queue_message WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM queue_recipient WHERE message = ?1) RETURNING body",
            (message,),
        )
        if row:
            Bodies.release(tx, row[0])


def message(source: Source, id_: int) -> Message | None:
    """Return a queued message, or None where it is gone."""
    row = source.one(f"SELECT {MESSAGE} FROM queue_message WHERE id = ?", (id_,))
    return Message._make(row) if row else None


def messages(source: Source, ids: Sequence[int]) -> dict[int, Message]:
    """Return those of these messages that are there."""
    found: dict[int, Message] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        part = ids[start : start + IDS_AT_ONCE]
        marks = ",".join("?" * len(part))
        rows = source.all(f"SELECT {MESSAGE} FROM queue_message WHERE id IN ({marks})", part)
        found.update((row[0], Message._make(row)) for row in rows)
    return found


def fresh(source: Source, after: tuple[int, int], limit: int) -> list[Row]:
    """Return fresh rows behind a cursor (message, n), oldest first."""
    rows = source.all(
        f"SELECT {ROW} FROM queue_recipient WHERE (message, n) > (?, ?) AND state = 0 ORDER BY message, n LIMIT ?",
        (*after, limit),
    )
    return [Row._make(row) for row in rows]


def due(source: Source, after: tuple[float, int, int], now: float, limit: int) -> list[Row]:
    """Return deferred rows that are due, behind a cursor (next_attempt, message, n)."""
    rows = source.all(
        f"SELECT {ROW} FROM queue_recipient INDEXED BY queue_due WHERE state = 1"
        " AND (next_attempt, message, n) > (?, ?, ?) AND next_attempt <= ? ORDER BY next_attempt, message, n LIMIT ?",
        (*after, now, limit),
    )
    return [Row._make(row) for row in rows]


def next_due(source: Source, now: float) -> float | None:
    """Return when the next deferred row becomes due after `now`, or None."""
    row = source.one("SELECT min(next_attempt) FROM queue_recipient WHERE state = 1 AND next_attempt > ?", (now,))
    return row[0] if row else None
