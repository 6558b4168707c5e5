"""Mail for this very host: rows wait here for their step into a room.

Law: a few steps are submitted at once, so that they share a commit; mail that was put off before has a quarter of
them while fresh mail waits. A full disk makes steps wait; a step that fails is taken apart until the culprit is alone.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence

from spool.ledger import FAULT, Ledger
from spool.queue import Row, message
from spool.runner_settings import Settings
from spool.settle import Settled
from spool.step import Step
from store import Store, StoreFull

log = logging.getLogger("heliograph.spool")

RETRY_EVERY = 4  # steps


class Inbox:
    """Feeds the steps."""

    def __init__(
        self,
        store: Store,
        step: Step,
        ledger: Ledger,
        settings: Settings,
        clock: Callable[[], float],
        stepped: Callable[[Sequence[Row], bool], None],
    ) -> None:
        self._store = store
        self._step = step
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._stepped = stepped
        self._lanes: tuple[deque[Row], deque[Row]] = (deque(), deque())
        self._bell = asyncio.Event()
        self._slots = asyncio.Semaphore(settings.here_steps)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._stopping = False

    def add(self, row: Row, retry: bool) -> None:
        self._lanes[retry].append(row)
        self._bell.set()

    async def run(self) -> None:
        """Submit steps until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while any(self._lanes) and not self._stopping:
                await self._slots.acquire()
                if self._stopping:
                    return
                rows, retry = self._take()
                task = asyncio.get_running_loop().create_task(self._submit(rows, retry))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def stop(self, seconds: float) -> None:
        """Let submitted steps end."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()

    def _take(self) -> tuple[list[Row], bool]:
        fresh, late = self._lanes
        self._turn += 1
        retry = bool(late) and (not fresh or self._turn % RETRY_EVERY == 0)
        lane = late if retry else fresh
        return [lane.popleft() for _ in range(min(len(lane), self._settings.here_rows))], retry

    async def _submit(self, rows: list[Row], retry: bool) -> None:
        try:
            done = await self._perform(rows, retry)
        finally:
            self._slots.release()
        self._stepped(done, retry)

    async def _perform(self, rows: list[Row], retry: bool) -> list[Row]:
        """Carry a step out; return the rows that are through with it."""
        while True:
            try:
                await self._store.write(lambda tx: self._step.take(tx, rows, self._clock()))
                return rows
            except StoreFull as full:
                log.warning("%s (%s); a step of %d rows waits", full.word, full, len(rows))
                await asyncio.sleep(self._settings.full_seconds)
            except Exception:
                if len(rows) == 1:
                    log.exception("message %d, recipient %d: the step failed", rows[0].message, rows[0].n)
                    return await self._set_aside(rows[0], retry)
                log.exception("a step of %d rows failed; one by one", len(rows))
                parts = [[row] for row in rows]
                return [row for part in parts for row in await self._perform(part, retry)]

    async def _set_aside(self, row: Row, retry: bool) -> list[Row]:
        """Put a row off, through the ledger, which tells when it is done."""
        try:
            about = message(self._store.reader, row.message)
        except sqlite3.Error:
            await self._ledger.leave([row], "here")
            return [row]
        if about is None:
            return [row]
        self._ledger.add(Settled(about, [row], [FAULT], "here", self._settings.fabric, retry=retry))
        return []
