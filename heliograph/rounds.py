"""What rooms do by themselves: every second somebody asks whether anything is due.

Law: one short transaction a step, mail and commands go between two; what is done stands in the tables, so that whoever
comes after a crash goes on from there. A step that fails is logged and tried again: it holds up nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from heliograph.flow import Flow
from mail.envelope import Outgoing
from store import Reader, Store, StoreFull, Transaction

log = logging.getLogger("heliograph.rounds")

LOOK_SECONDS = 1.0
BREATH_SECONDS = 0.02  # between two steps of a long piece of work: the writer is everybody's
REST_SECONDS = 30.0  # after a step that failed


class Worker(Protocol):
    """A room with work of its own."""

    def is_due(self, reader: Reader, now: float, /) -> bool: ...

    def work(self, tx: Transaction, now: float, /) -> tuple[Outgoing, ...]: ...


class Rounds:
    """Goes round from `start` to `stop`."""

    def __init__(self, store: Store, flow: Flow, worker: Worker, clock: Callable[[], float] = time.time) -> None:
        self._store, self._flow, self._worker, self._clock = store, flow, worker, clock
        self._runs: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._runs = asyncio.create_task(self._run(), name="rounds")

    async def stop(self) -> None:
        if self._runs:
            self._runs.cancel()
            await asyncio.gather(self._runs, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                wait = await self._once()
            except StoreFull as full:
                log.warning("%s (%s); a room's own work goes on in %d seconds", full.word, full, REST_SECONDS)
                wait = REST_SECONDS
            except Exception:  # a fault of ours: the rounds outlive it
                log.exception("a step of a room's own work failed; trying again in %d seconds", REST_SECONDS)
                wait = REST_SECONDS
            await asyncio.sleep(wait)

    async def _once(self) -> float:
        if not self._worker.is_due(self._store.reader, self._clock()):
            return LOOK_SECONDS
        await self._store.write(lambda tx: self._step(tx, self._clock()))
        return BREATH_SECONDS

    def _step(self, tx: Transaction, now: float) -> None:
        for outgoing in self._worker.work(tx, now):
            self._flow.dispatch(tx, outgoing, now)
