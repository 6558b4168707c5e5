"""What becomes of queue rows once their outcome is known: gone, put off, or gone with a notice to the sender.

Law: a row, its message, its body's reference, the notice and the event change in one transaction. A row that is no
longer there (the operator dropped it) is not told of twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mail.outcome import Deferred, Delivered, Outcome, Refused, reply_line
from spool.dsn import Action, wants_failure, wants_success
from spool.notices import Notices
from spool.queue import ROW, Message, Queue, Row, forget, message
from spool.runner_settings import Settings
from spool.schedule import Schedule, next_attempt
from store import Transaction, events

REPLY_CHARACTERS_MAX = 500  # of what a row keeps
DROPPED = Refused("5.7.0 dropped by the operator", 554)


@dataclass(slots=True)
class Settled:
    """An attempt for some recipients of one message, with an outcome each. `host`: who answered, for the notice.
    `success`: what to tell those who asked for NOTIFY=SUCCESS, "" where the next host tells them."""

    message: Message
    rows: Sequence[Row]
    outcomes: Sequence[Outcome]
    destination: str
    schedule: Schedule
    host: str = ""
    success: Action | None = None
    key: tuple[str, str, int] | None = None  # of the destination, for who counts what it holds
    retry: bool = False  # from the slow lane


@dataclass(slots=True)
class _Tally:
    """One event to come: how many recipients of how many messages."""

    recipients: int = 0
    messages: set[int] = field(default_factory=set)
    reply: str = ""

    def count(self, id_: int, recipients: int, reply: str = "") -> None:
        self.recipients += recipients
        self.messages.add(id_)
        self.reply = reply or self.reply


@dataclass(slots=True)
class _Changes:
    gone: list[tuple[int, int, int]] = field(default_factory=list)  # message, from n, to n
    later: list[tuple[int, float, str, str, int, int]] = field(default_factory=list)
    failed: list[tuple[Settled, list[tuple[Row, str]]]] = field(default_factory=list)
    told: list[tuple[Settled, list[tuple[Row, str]]]] = field(default_factory=list)
    tallies: dict[tuple[str, str], _Tally] = field(default_factory=dict)

    def tally(self, kind: str, destination: str) -> _Tally:
        return self.tallies.setdefault((kind, destination), _Tally())


class Settler:
    """Applies outcomes to the queue."""

    def __init__(self, queue: Queue, settings: Settings, chance: Callable[[], float]) -> None:
        self._queue = queue
        self._settings = settings
        self._notices = Notices(queue, settings)
        self._chance = chance

    def apply(self, tx: Transaction, attempts: Iterable[Settled], now: float) -> None:
        """Carry out what a batch of attempts came to."""
        changes = _Changes()
        for settled in attempts:
            self._sort(settled, changes, now)
        # What a standby did not confirm in time is written again, and found done.
        told = [(settled, [pair for pair in rows if _delete(tx, pair[0])]) for settled, rows in changes.told]
        tx.executemany("DELETE FROM queue_recipient WHERE message = ? AND n BETWEEN ? AND ?", changes.gone)
        tx.executemany(
            "UPDATE queue_recipient SET state = 1, attempts = ?, next_attempt = ?, destination = ?, reply = ?"
            " WHERE message = ? AND n = ?",
            changes.later,
        )
        for settled, rows in told:
            self._notices.tell(tx, settled.message, settled.host, rows, settled.success or "delivered", now)
        for settled, rows in changes.failed:
            self._fail(tx, settled, rows, changes, now)
        forget(tx, list(dict.fromkeys(run[0] for run in changes.gone)))
        for (kind, destination), tally in changes.tallies.items():
            _note(tx, now, kind, destination, tally)
        if changes.later:
            self._queue.wake_after(tx)  # somebody must look at the new next_attempt

    def park(self, tx: Transaction, rows: Iterable[tuple[Row, float]], destination: str) -> None:
        """Move rows to the slow lane until the given times; this counts as no attempt."""
        tx.executemany(
            "UPDATE queue_recipient SET state = 1, next_attempt = ?, destination = ? WHERE message = ? AND n = ?",
            [(until, destination, row.message, row.n) for row, until in rows],
        )
        self._queue.wake_after(tx)

    def drop(self, tx: Transaction, ids: Sequence[int], now: float) -> int:
        """Take messages off the queue and tell their senders; return how many recipients went."""
        count = 0
        for id_ in ids:
            found = message(tx, id_)
            rows = [Row._make(row) for row in tx.all(f"SELECT {ROW} FROM queue_recipient WHERE message = ?", (id_,))]
            if found and rows:
                outcomes = [DROPPED] * len(rows)
                settled = Settled(found, rows, outcomes, "operator", self._settings.fabric)
                self.apply(tx, [settled], now)
                count += len(rows)
        return count

    def _sort(self, settled: Settled, changes: _Changes, now: float) -> None:
        """Decide what happens to each row."""
        rows, delivered = settled.rows, settled.rows
        id_ = settled.message.id
        if not all(type(outcome) is Delivered for outcome in settled.outcomes):
            pairs = list(zip(rows, settled.outcomes, strict=True))
            delivered = [row for row, outcome in pairs if isinstance(outcome, Delivered)]
            failed: list[tuple[Row, str]] = []
            for row, outcome in pairs:
                if isinstance(outcome, Deferred):
                    self._put_off(settled, row, outcome, changes, failed, now)
                elif isinstance(outcome, Refused):
                    failed.append((row, reply_line(outcome)[:REPLY_CHARACTERS_MAX]))
            if failed:
                changes.failed.append((settled, failed))
        if delivered:
            changes.gone += runs(delivered)
            changes.tally("delivered", settled.destination).count(id_, len(delivered))
            if settled.success is not None:
                asked = [(row, "250 2.1.5 Ok") for row in delivered if row.notify and wants_success(row.notify)]
                changes.told += [(settled, asked)] if asked else []

    def _put_off(
        self,
        settled: Settled,
        row: Row,
        outcome: Deferred,
        changes: _Changes,
        failed: list[tuple[Row, str]],
        now: float,
    ) -> None:
        attempts = row.attempts + 1
        reply = reply_line(outcome)[:REPLY_CHARACTERS_MAX]
        accepted_at = settled.message.accepted_at
        at = next_attempt(settled.schedule, accepted_at=accepted_at, attempts=attempts, now=now, chance=self._chance())
        if at is None:
            failed.append((row, reply))
        else:
            changes.later.append((attempts, at, settled.destination, reply, row.message, row.n))
            changes.tally("deferred", settled.destination).count(row.message, 1, reply)

    def _fail(
        self, tx: Transaction, settled: Settled, rows: Sequence[tuple[Row, str]], changes: _Changes, now: float
    ) -> None:
        """Take failed rows off the queue and tell who wants to know."""
        here = [(row, reply) for row, reply in rows if _delete(tx, row)]
        if here:
            wanted = [(row, reply) for row, reply in here if wants_failure(row.notify)]
            self._notices.tell(tx, settled.message, settled.host, wanted, "failed", now)
            changes.tally("bounced", settled.destination).count(settled.message.id, len(here), here[0][1])
        forget(tx, [settled.message.id])


def runs(rows: Sequence[Row]) -> list[tuple[int, int, int]]:
    """Join the rows of a message where they are neighbours: one range goes in one statement."""
    first, last = rows[0], rows[-1]
    if [row.n for row in rows] == list(range(first.n, last.n + 1)):
        return [(first.message, first.n, last.n)]
    return [(row.message, row.n, row.n) for row in rows]


def _delete(tx: Transaction, row: Row) -> bool:
    sql = "DELETE FROM queue_recipient WHERE message = ? AND n = ?"
    return tx.execute(sql, (row.message, row.n)).rowcount == 1


def _note(tx: Transaction, now: float, kind: str, destination: str, tally: _Tally) -> None:
    detail: dict[str, object] = {"destination": destination, "recipients": tally.recipients}
    detail |= {"message": next(iter(tally.messages))} if len(tally.messages) == 1 else {"messages": len(tally.messages)}
    if tally.reply:
        detail["reply"] = tally.reply
    events.append(tx, now, kind, **detail)
