"""A post that many wait for in IDLE is filed for all of them together, before they are woken.

Law: here work is only spared, never lost: who was not filed for, or not all of it, is woken all the same and files for
itself (catching_up.py). A transaction is bounded, so that the first are told while the writer files for the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from itertools import islice

from mailbox_host import timeline
from store import Store, Transaction
from store.lent import LentStore

ACCOUNTS_AT_ONCE = 250  # in one transaction: some 8 milliseconds of the writer's time, and one flush
POSTS_AT_ONCE = 20  # for each of them: who waits has had the rest

log = logging.getLogger("heliograph.imap")


class FilingAhead:
    """Those who were rung for, until they are woken."""

    def __init__(
        self, store: Store | LentStore, serves: Callable[[Transaction, str], bool] = lambda tx, account: True
    ) -> None:
        self._store = store
        self._serves = serves
        self._rung: dict[str, list[Callable[[], None]]] = {}
        self._work: asyncio.Task[None] | None = None

    def ring(self, account: str, wake: Callable[[], None]) -> None:
        """File what is due for an account, then wake a session of it."""
        self._rung.setdefault(account, []).append(wake)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._file())

    async def _file(self) -> None:
        try:
            while self._rung:
                accounts = list(islice(self._rung, ACCOUNTS_AT_ONCE))
                wakes = [wake for account in accounts for wake in self._rung.pop(account)]
                try:
                    await self._store.write(partial(_file, self._serves, accounts))
                except Exception as error:  # the disk is full, a folder has used up its UIDs: each will find out
                    log.warning("filing for %d sessions in IDLE: %s", len(wakes), error)
                for wake in wakes:
                    wake()
                await asyncio.sleep(0)  # they are told now; the writer would only fight with them for the interpreter
                await asyncio.sleep(0)
        finally:
            self._work = None


def _file(serves: Callable[[Transaction, str], bool], accounts: list[str], tx: Transaction) -> None:
    timeline.file_ahead(tx, [account for account in accounts if serves(tx, account)], POSTS_AT_ONCE)
