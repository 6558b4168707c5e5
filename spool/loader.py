"""From the queue's tables into memory, and on to where each row goes now.

Law: the route is asked for at every attempt. Memory is bounded; a destination that does not keep up is parked, so that
the mail of others is read past it. Nothing goes on before a standby holds it: what its heir does again from the queue
(a post gets another number there) nobody must have seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from spool import queue
from spool.destination import Destination, Key
from spool.inbox import Inbox
from spool.ledger import FAULT, Ledger
from spool.outbox import Outbox
from spool.queue import Message, Row
from spool.route import Abroad, Fabric, Here, Route, Shelf, Via
from spool.runner_settings import Settings
from spool.settle import Settled, Settler
from store import Store, StoreFull

log = logging.getLogger("heliograph.spool")

FRESH_START = (0, -1)
DUE_START = (0.0, 0, -1)
ELSEWHERE = (Via, Abroad, Shelf)
STALL_SECONDS = 0.05  # between two looks whether a crowded destination has room again
AHEAD_SECONDS = 2.0  # a destination may hold what it takes in this time; the rest is parked until about its turn
PARKED_SECONDS_MAX = 3600.0


class Loader:
    """Reads what is due and places it. `thirsty` is told of a destination that could take so many parked rows now."""

    def __init__(
        self,
        store: Store,
        fabric: Fabric,
        settings: Settings,
        clock: Callable[[], float],
        settler: Settler,
        ledger: Ledger,
        inbox: Inbox,
        outbox: Outbox,
        thirsty: Callable[[Destination, int], None],
    ) -> None:
        self._store = store
        self._thirsty = thirsty
        self._fabric = fabric
        self._settings = settings
        self._clock = clock
        self._settler = settler
        self._ledger = ledger
        self._inbox = inbox
        self._outbox = outbox
        share = settings.destination_share
        self._shares = int(settings.fresh_rows_max * share), int(settings.retry_rows_max * share)
        self._held = [0, 0]  # rows in memory: fresh, slow lane
        self._flying: set[tuple[int, int]] = set()  # rows of the slow lane that are in memory
        self._fresh_at = FRESH_START
        self._due_at = DUE_START
        self._next_due: float | None = 0.0
        self._next_sweep = 0.0
        self._stalled = False
        self._more_fresh = False
        self._more_late = False
        self._last: Message | None = None

    @property
    def is_hungry(self) -> bool:
        """There is more to read, and room for it again."""
        fresh, late = self._held
        return (self._more_fresh and fresh < self._settings.fresh_rows_max * 3 // 4) or (
            self._more_late and late < self._settings.retry_rows_max * 3 // 4
        )

    async def load(self) -> None:
        """Read and place what is due, as far as there is room."""
        await self._load_fresh()
        now = self._clock()
        if now >= self._next_sweep:
            await self._sweep(now)
            self._next_sweep = now + self._settings.sweep_seconds
        else:
            self._next_due = now  # who woke us may have changed it

    def pause_seconds(self) -> float | None:
        """How long to sleep if nobody rings."""
        if self._stalled:
            return STALL_SECONDS
        if self._next_due is None:
            return None
        return max(self._next_due, self._next_sweep) - self._clock()

    def release(self, rows: Sequence[Row], retry: bool, key: Key | None) -> None:
        """These rows are settled: memory is free again."""
        self._held[retry] -= len(rows)
        if retry:
            self._flying.difference_update((row.message, row.n) for row in rows)
        destination = self._outbox.known(key) if key else None
        if destination:
            destination.release(len(rows), retry)
            if destination.parked and not destination.fetching and sum(destination.rows) * 4 <= self._shares[True]:
                self._thirsty(destination, self._shares[True])

    async def _load_fresh(self) -> None:
        self._stalled = False
        while True:
            room = self._settings.fresh_rows_max - self._held[False]
            self._more_fresh = room <= 0
            if room <= 0:
                return
            rows = await self._read_fresh(min(room, self._settings.load_rows))
            if not rows:
                return
            await self._store.held()
            placed = await self._place(rows, False)
            if placed < len(rows):
                self._stalled = True
                return

    async def _read_fresh(self, limit: int) -> list[Row]:
        if self._fresh_at == FRESH_START:  # passes over everything that was deferred before the start
            return await self._store.read(lambda reader: queue.fresh(reader, FRESH_START, limit))
        return queue.fresh(self._store.reader, self._fresh_at, limit)

    async def _sweep(self, now: float) -> None:
        """Go once through what is due of the slow lane, or as far as there is room."""
        while True:
            self._more_late = self._held[True] >= self._settings.retry_rows_max
            if self._more_late:
                self._next_due = now
                return
            rows = queue.due(self._store.reader, self._due_at, now, self._settings.load_rows)
            if not rows:
                self._due_at = DUE_START
                self._next_due = queue.next_due(self._store.reader, now)
                return
            # What is in memory as it is read: it may come to its end while the standby is waited for.
            if waiting := [row for row in rows if (row.message, row.n) not in self._flying]:
                await self._store.held()
                await self._place(waiting, True)
            self._due_at = rows[-1].next_attempt, rows[-1].message, rows[-1].n

    async def _place(self, rows: Sequence[Row], retry: bool) -> int:
        """Give rows to where they go now; return how many were dealt with before one has to wait (fresh mail)."""
        messages = self._messages(rows)
        touched: dict[Destination, None] = {}
        parked: dict[str, list[tuple[Row, float]]] = {}
        count = 0
        for row in rows:
            about = messages.get(row.message)
            if about is not None and not self._place_one(row, about, retry, touched, parked):
                break
            count += 1
            if not retry:
                self._fresh_at = row.message, row.n
        for destination in touched:
            self._outbox.pump(destination)
        for name, some in parked.items():
            await self._park(some, name)
        return count

    def _place_one(
        self,
        row: Row,
        about: Message,
        retry: bool,
        touched: dict[Destination, None],
        parked: dict[str, list[tuple[Row, float]]],
    ) -> bool:
        """Place one row, or note it for parking; False where it has to wait."""
        route = self._route(row)
        if isinstance(route, ELSEWHERE):
            destination = self._outbox.destination(route)
            turn = self._turn(destination, retry)
            if turn is None:
                return False
            if turn > 0:
                destination.parked += 1
                parked.setdefault(destination.name, []).append((row, turn))
                return True
            destination.add(about, row, row.address if isinstance(route, Abroad) else route.mailbox, retry)
            touched[destination] = None
        elif isinstance(route, Here):
            self._inbox.add(row, retry)
        else:
            self._ledger.add(Settled(about, [row], [route], "", self._settings.fabric, retry=retry))
        self._held[retry] += 1
        if retry:
            self._flying.add((row.message, row.n))
        return True

    def _turn(self, destination: Destination, retry: bool) -> float | None:
        """Tell whether a destination takes one more row: 0 now, None when there is room again, else about when."""
        share, held = self._shares[retry], destination.rows[retry]
        if held < share:
            if retry:
                destination.parked = max(destination.parked - 1, 0)
            elif held < share // 2:
                destination.crowded_at = None
            return 0.0
        now = self._clock()
        pace = destination.pace(now)
        if not retry and (pace is None or held <= pace * AHEAD_SECONDS):
            return None
        waiting = held + destination.parked
        return now + min(max(waiting / max(pace or 1.0, 1.0), 1.0), PARKED_SECONDS_MAX)

    async def _park(self, rows: Sequence[tuple[Row, float]], name: str) -> None:
        """Write it at once: the cursor has passed these rows, and only the table knows of them."""
        while True:
            try:
                return await self._store.write(lambda tx: self._settler.park(tx, rows, name))
            except StoreFull as full:
                log.warning("%s (%s); %d rows for %s wait to be parked", full.word, full, len(rows), name)
            except Exception:
                log.exception("%d rows for %s could not be parked; tried again", len(rows), name)
            await asyncio.sleep(self._settings.full_seconds)

    def _messages(self, rows: Iterable[Row]) -> dict[int, Message]:
        """Return the rows' messages. A fan-out is many reads of rows of one message."""
        wanted = list(dict.fromkeys(row.message for row in rows))
        known = {self._last.id: self._last} if self._last else {}
        found = queue.messages(self._store.reader, [id_ for id_ in wanted if id_ not in known]) | known
        self._last = found.get(wanted[-1]) if wanted else None
        return found

    def _route(self, row: Row) -> Route:
        try:
            return self._fabric.route(row.address)
        except Exception:
            log.exception("message %d, recipient %d: no route; tried again later", row.message, row.n)
            return FAULT
