"""Notes since when the standby does not hear, where that holds up nobody (`preferred`).

Law: noted until the replica is known to hold all that was acknowledged, over restarts too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mailbox_host import alone
from store import Store, StoreFull, Transaction

log = logging.getLogger("heliograph.standby")

LOOK_SECONDS = 0.5


@asynccontextmanager
async def noting_solitude(store: Store, is_alone: Callable[[], bool | None]) -> AsyncIterator[None]:
    """Look out as long as this is open."""
    task = asyncio.create_task(Solitude(store, is_alone).run(), name="solitude")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Solitude:
    """`is_alone`: whether writes are acknowledged without the standby; None: there is none, so nobody has old
    numbers."""

    def __init__(self, store: Store, is_alone: Callable[[], bool | None]) -> None:
        self._store, self._is_alone = store, is_alone
        self._noted = alone.is_noted(store.reader)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except StoreFull:  # of a disk, or of a standby that is waited for: nothing is given out meanwhile
                pass
            except Exception:
                log.exception("whether the standby hears: looking again")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        now = self._is_alone()
        if now and not self._noted:
            await self._store.write(alone.note)
            self._noted = True
        elif not now and self._noted:
            await self._store.write(_nothing)  # told once the standby has it, and all before it; or it is alone again
            if not self._is_alone():
                await self._store.write(alone.forget)
                self._noted = False


def _nothing(tx: Transaction) -> None:
    pass
