"""Results on their way to disk: many deliveries' outcomes in one commit.

Law: a result is kept until it is on disk; a full disk only makes it wait. One that cannot be written (a fault of ours)
is put off alone and holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from mail.outcome import Deferred
from spool.queue import Row
from spool.runner_settings import Settings
from spool.settle import Settled, Settler
from store import Store, StoreFull, Transaction

log = logging.getLogger("heliograph.spool")

LEFT_SECONDS = 3600.0  # until rows are looked at again with which we fail: each time their mail may be sent again

FAULT = Deferred("4.3.0 internal error; the operator's log has more")


class Ledger:
    """Takes results from many senders and writes what is there whenever the last write is done."""

    def __init__(
        self,
        store: Store,
        settler: Settler,
        settings: Settings,
        clock: Callable[[], float],
        written: Callable[[Sequence[Settled]], None],
    ) -> None:
        self._store = store
        self._settler = settler
        self._settings = settings
        self._clock = clock
        self._written = written
        self._pending: list[Settled] = []
        self._rows = 0  # not yet on disk
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._room.set()
        self._empty.set()

    def add(self, settled: Settled) -> None:
        self._pending.append(settled)
        self._rows += len(settled.rows)
        self._bell.set()
        self._empty.clear()
        if self._rows > self._settings.ledger_rows_max:
            self._room.clear()

    async def room(self) -> None:
        """Wait until more may be sent: with too much waiting for its commit, a crash would send all of it again."""
        await self._room.wait()

    async def flushed(self) -> None:
        """Wait until everything is on disk."""
        await self._empty.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            batch, self._pending = self._pending, []
            if batch:
                await self._keep(batch)

    async def _keep(self, batch: list[Settled]) -> None:
        try:
            await self._write(batch)
        except Exception:
            log.exception("results of %d deliveries could not be written together; one by one", len(batch))
            for settled in batch:
                await self._keep_alone(settled)
        self._written(batch)
        self._rows -= sum(len(settled.rows) for settled in batch)
        if self._rows <= self._settings.ledger_rows_max // 2:
            self._room.set()
        if not self._rows:
            self._empty.set()

    async def _keep_alone(self, settled: Settled) -> None:
        try:
            await self._write([settled])
        except Exception:
            log.exception("message %d: what became of it could not be written; tried again", settled.message.id)
            put_off = replace(settled, outcomes=[FAULT] * len(settled.rows))
            try:
                await self._write([put_off])
            except Exception:
                log.exception("message %d is left alone for a while", settled.message.id)
                await self.leave(settled.rows, settled.destination)

    async def leave(self, rows: Sequence[Row], destination: str) -> None:
        """Put rows off without a word on them: it cannot be written, or what they belong to cannot be read."""
        until = self._clock() + LEFT_SECONDS
        try:
            await self._when_there_is_room(
                lambda tx: self._settler.park(tx, [(row, until) for row in rows], destination)
            )
        except Exception:  # the rows stay as they were, and are found again at the next start
            log.exception("%d rows for %s are left alone until the next start", len(rows), destination)

    async def _write(self, batch: Sequence[Settled]) -> None:
        await self._when_there_is_room(lambda tx: self._settler.apply(tx, batch, self._clock()))

    async def _when_there_is_room(self, work: Callable[[Transaction], None]) -> None:
        while True:
            try:
                return await self._store.write(work)
            except StoreFull as full:
                self._room.clear()
                log.warning("%s (%s); %d results wait", full.word, full, self._rows)
                await asyncio.sleep(self._settings.full_seconds)
