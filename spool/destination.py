"""One destination: what waits for it, in two lanes, and how much of it may be on its way at once.

Law: state without I/O. Mail that was put off before takes its share of the window and no more, so that it never holds
up fresh mail; while nothing fresh waits, half of the window stays free for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from spool.breaker import Breaker
from spool.queue import Message, Row
from spool.route import Abroad, Shelf, Via
from spool.runner_settings import Settings
from spool.schedule import Schedule
from spool.smtp_client import Session

Key = tuple[str, str, int]

PACE_SECONDS_MIN = 0.5  # how long others may have to wait while it is found out
PACE_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Batch:
    """Recipients of one message with one return path: one transaction. `mailboxes`: what to call them there."""

    message: Message
    sender: str
    rows: list[Row]
    mailboxes: list[str]
    retry: bool


@dataclass(slots=True, eq=False)
class Destination:
    """A host of the fabric (`via`), a foreign domain or an operator's relay (`abroad`), or the server that keeps the
    mailboxes (`shelf`)."""

    key: Key
    name: str
    schedule: Schedule
    breaker: Breaker
    recipients_max: int
    window: float
    window_max: int
    via: Via | None = None
    abroad: Abroad | None = None
    shelf: Shelf | None = None
    fresh: deque[Batch] = field(default_factory=deque)
    retry: deque[Batch] = field(default_factory=deque)
    rows: list[int] = field(default_factory=lambda: [0, 0])  # held in memory: of the fresh lane, of the slow one
    finished: int = 0  # rows, ever: its pace is reckoned from it
    parked: int = 0  # rows that were sent to the slow lane without an attempt, about
    fetching: bool = False  # parked rows are being made due
    crowded_at: float | None = None
    finished_then: int = 0
    running: int = 0  # workers
    starting: int = 0  # of these, those that have taken nothing yet
    retrying: int = 0
    idle: list[Session] = field(default_factory=list)
    attempts: set[asyncio.Timeout] = field(default_factory=set)  # batches on their way, each can be broken off

    def add(self, message: Message, row: Row, mailbox: str, retry: bool) -> None:
        """Let a row wait, in one transaction with its neighbours where that is possible."""
        lane = self.retry if retry else self.fresh
        sender = message.sender if row.sender is None else row.sender
        self.rows[retry] += 1
        if lane:
            last = lane[-1]
            same = last.message.id == message.id and last.sender == sender
            # RFC 6531 3.2: who takes no SMTPUTF8 refuses the one address, and must not be made to refuse the others.
            alike = last.mailboxes[-1].isascii() == mailbox.isascii()
            if same and alike and len(last.rows) < self.recipients_max:
                last.rows.append(row)
                last.mailboxes.append(mailbox)
                return
        lane.append(Batch(message, sender, [row], [mailbox], retry))

    def again(self, batch: Batch) -> None:
        """Put a part of a batch back in front: the peer took as many as it takes at once."""
        (self.retry if batch.retry else self.fresh).appendleft(batch)

    def has_work(self) -> bool:
        """Tell whether one more worker would find something to do."""
        waiting = len(self.fresh) + len(self.retry)
        return self.running < int(self.window) and self.starting < waiting and self._lane() is not None

    def take(self) -> Batch | None:
        """Take what is to be sent next; `done` must follow."""
        lane = self._lane()
        if lane is None:
            return None
        batch = lane.popleft()
        self.retrying += batch.retry
        return batch

    def done(self, batch: Batch) -> None:
        self.retrying -= batch.retry

    def drain(self) -> Iterator[Batch]:
        """Take everything that waits: the destination does not answer."""
        for lane in (self.fresh, self.retry):
            while lane:
                yield lane.popleft()

    def grow(self) -> None:
        self.window = min(self.window + 1, self.window_max)

    def shrink(self) -> None:
        self.window = max(self.window / 2, 1)

    def release(self, rows: int, retry: bool) -> None:
        """Note that rows are settled."""
        self.rows[retry] -= rows
        self.finished += rows

    def pace(self, now: float) -> float | None:
        """Return how many rows a second it has taken since it got crowded; None: too early to tell."""
        if self.crowded_at is None:
            self.crowded_at, self.finished_then = now, self.finished
        elapsed = now - self.crowded_at
        if elapsed < PACE_SECONDS_MIN:
            return None
        pace = (self.finished - self.finished_then) / elapsed
        if elapsed > PACE_SECONDS_MAX:  # let old times fade
            self.crowded_at = now - elapsed / 2
            self.finished_then = self.finished - int(pace * elapsed / 2)
        return pace

    @property
    def is_forgettable(self) -> bool:
        return not (any(self.rows) or self.running or self.idle or self.breaker.failures)

    def _lane(self) -> deque[Batch] | None:
        share = int(self.window) // 4 if self.fresh else max(int(self.window) // 2, 1)
        if self.retry and self.retrying < share:
            return self.retry
        return self.fresh or None


def key_of(route: Via | Abroad | Shelf) -> Key:
    """What goes to the same place has the same key."""
    if isinstance(route, Shelf):
        return "", route.place, -3
    if isinstance(route, Via):
        return route.host, route.address, route.port
    return ("", route.relay, -1) if route.relay else (route.domain, "", -2)


def destination_of(route: Via | Abroad | Shelf, settings: Settings) -> Destination:
    if isinstance(route, Via | Shelf):
        return Destination(
            key=key_of(route),
            name=route.host if isinstance(route, Via) else f"lmtp:{route.place}",
            schedule=settings.fabric,
            breaker=Breaker(first_seconds=0.5, last_seconds=30, failures_max=settings.failures_max),
            recipients_max=settings.fabric_recipients_max,
            window=settings.concurrency_start,
            window_max=settings.concurrency_max,
            via=route if isinstance(route, Via) else None,
            shelf=route if isinstance(route, Shelf) else None,
        )
    return Destination(
        key=key_of(route),
        name=route.relay or route.domain,
        schedule=settings.foreign,
        breaker=Breaker(first_seconds=30, last_seconds=900, failures_max=settings.failures_max),
        recipients_max=settings.foreign_recipients_max,
        window=settings.concurrency_start,
        window_max=settings.concurrency_max,
        abroad=route,
    )
