"""The slow round through a host's mailboxes: what is too old goes.

Law: it holds nothing that a crash could lose, and hurries nobody: it reads in a thread, writes a slice at a time, and
lets others write between two slices. The log is cut first, then the accounts: what left the log leaves them too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from mailbox_host.bell import Bell
from mailbox_host.post_log import cut_log, oldest_arrival
from mailbox_host.retention import DAY_SECONDS, SLICE_MAX, due, let_go
from mailbox_host.settings import Settings
from store import Reader, Store, StoreFull, Transaction

log = logging.getLogger("heliograph.upkeep")

ROUND_SECONDS = 3 * 3600.0  # from the end of one round to the next: retention counts days
FIRST_SECONDS = 60.0  # a host that starts has better things to do
PAGE_ACCOUNTS = 100  # looked through in one reading: some milliseconds of a reader's thread
SLICES_MAX = 200  # of one account in one round: a hundred thousand entries, then others have their turn
REST_SECONDS = 0.02  # between two slices: the writer is everybody's


class Upkeep:
    """Goes round from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        serves: Callable[[Transaction, str], bool] = lambda tx, account: True,
    ) -> None:
        self._store = store
        self._serves = serves
        self._bell = bell
        self._settings = settings
        self._clock = clock
        self._runs: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns at once."""
        self._runs = asyncio.create_task(self._run(), name="mailbox-upkeep")

    async def stop(self) -> None:
        """Stop between two slices; what is left is still due."""
        if self._runs:
            self._runs.cancel()
            await asyncio.gather(self._runs, return_exceptions=True)

    async def go_round(self) -> None:
        """One round: the log, then every account."""
        await self._cut_log()
        page = await self._store.read(partial(_look, self._settings, self._clock(), 0))
        while page:
            for account, name, is_due in page:
                if is_due:
                    await self._tidy(account, name)
            page = await self._store.read(partial(_look, self._settings, self._clock(), page[-1][0]))

    async def _run(self) -> None:
        wait = FIRST_SECONDS
        while True:
            await asyncio.sleep(wait)
            wait = ROUND_SECONDS
            try:
                await self.go_round()
            except StoreFull as error:
                log.error("nothing can be tidied: %s", error)
            except Exception:
                log.exception("a round through the mailboxes failed")

    async def _cut_log(self) -> None:
        before = self._clock() - self._settings.log_days * DAY_SECONDS
        while (oldest := oldest_arrival(self._store.reader)) is not None and oldest < before:
            await self._store.write(partial(_cut, before))
            await asyncio.sleep(REST_SECONDS)

    async def _tidy(self, account: int, name: str) -> None:
        def work(tx: Transaction) -> bool:
            tx.after_commit(lambda: self._bell.ring_account(name))
            return self._serves(tx, name) and let_go(tx, account, self._settings, self._clock())

        for _ in range(SLICES_MAX):
            if not await self._store.write(work):
                return
            await asyncio.sleep(REST_SECONDS)


def _cut(before: float, tx: Transaction) -> int:
    return cut_log(tx, before, SLICE_MAX)


def _look(settings: Settings, now: float, after: int, reader: Reader) -> list[tuple[int, str, bool]]:
    """A page of accounts by row, each with whether something of it is to go."""
    rows = reader.all("SELECT id, name FROM account WHERE id > ? ORDER BY id LIMIT ?", (after, PAGE_ACCOUNTS))
    return [(account, name, bool(due(reader, account, settings, now))) for account, name in rows]
