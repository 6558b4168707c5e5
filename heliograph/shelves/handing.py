"""Posts on their way from the log to the mailboxes of another server: a queue row for each follower, many to a message.

Law: what is taken from the log is queued in the same transaction, so that a crash hands nothing out twice and forgets
nobody. It goes in bounded parts, and lets others write between two. While that server takes nothing, so much is queued
and no more: the rest stays in the log, a row for each post.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mail.envelope import Recipient
from mailbox_host import outward
from spool.queue import Queue
from spool.shelved import waiting_upto
from store import Bodies, Store, StoreFull, Transaction

log = logging.getLogger("heliograph.shelves")

LOOK_SECONDS = 2.0  # whoever rings is heard at once; an account that moved here rings nobody
FAULT_SECONDS = 5.0
POSTS_AT_ONCE_MAX = 50  # in one commit, where they have few followers
ROWS_ENOUGH = 1_000  # in one commit: more are left to the next
WAITING_MAX = 100_000  # rows put off by that server: 20 MB, an hour's work for it; what is in the log is never given up


class HandingOut:
    """`shelf`: (account, folder) -> the address that the queue takes there; `place`: where that server is."""

    def __init__(
        self, store: Store, queue: Queue, shelf: Callable[[str, str], str], clock: Callable[[], float], place: str
    ) -> None:
        self._store, self._queue, self._shelf, self._clock, self._place = store, queue, shelf, clock, place
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """There may be something to hand out."""
        self._bell.set()

    async def run(self) -> None:
        """Hand out until cancelled."""
        while True:
            self._bell.clear()
            try:
                while outward.is_due(self._store.reader) and not self._is_crowded():
                    await self._store.write(self.hand_out)
            except StoreFull as full:
                log.warning("%s (%s); posts wait to be handed out", full.word, full)
                await asyncio.sleep(FAULT_SECONDS)
            except Exception:
                log.exception("posts could not be handed out; tried again")
                await asyncio.sleep(FAULT_SECONDS)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._bell.wait()
            except TimeoutError:
                pass

    def _is_crowded(self) -> bool:
        return waiting_upto(self._store.reader, self._place, WAITING_MAX) >= WAITING_MAX

    def hand_out(self, tx: Transaction) -> None:
        """A part. The return path is null: a full mailbox is no bounce of the author's."""
        rows = 0
        for _ in range(POSTS_AT_ONCE_MAX):
            lots = outward.next_lots(tx) if rows < ROWS_ENOUGH else None
            if lots is None:
                return
            rows += self._queue_lots(tx, lots)

    def _queue_lots(self, tx: Transaction, lots: list[outward.Lot]) -> int:
        for lot in lots:
            Bodies.share(tx, lot.body)
            now = self._clock()
            recipients = [Recipient(self._shelf(*to)) for to in lot.to]
            self._queue.put(tx, sender="", recipients=recipients, body=lot.body, envid="", accepted_at=now, now=now)
        return sum(len(lot.to) for lot in lots)


async def settle_shelves(store: Store, place: str) -> None:
    """Note where the mailboxes are, before any room takes mail; "": here."""
    if outward.is_outward(store.reader) != bool(place):
        await store.write(outward.begin if place else outward.end)


@asynccontextmanager
async def handing_out(work: HandingOut | None) -> AsyncIterator[None]:
    """`work` None: the mailboxes are ours."""
    task = asyncio.create_task(work.run(), name="handing-out") if work else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
