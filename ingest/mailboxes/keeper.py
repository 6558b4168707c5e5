"""The clock of mailboxes elsewhere: a task for each that is looked into or waited for, one connection each.

Law: it holds nothing that a crash could lose. A mailbox whose row is not here (it moved, it was taken away) is left,
and nothing is written for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ingest.mailboxes import rows
from ingest.mailboxes.look import Gone
from ingest.mailboxes.visit import OUR_FAULT, Stay, Visitor
from store import StoreFull

log = logging.getLogger("ingest.mailboxes")

MAILBOXES_MAX = 2_000  # of one host: with a minute's patience for each, more would all be late
ROUND_SECONDS = 10.0  # the clock may be set, another process may change a row, a bucket may arrive
REST_SECONDS = 10.0


class Keeper:
    """Tends mailboxes from `start` to `stop`. `wake`: look again what is due."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor, self._needs = visitor, visitor.needs
        self._tended: dict[str, tuple[asyncio.Task[None], Stay]] = {}
        self._known: set[str] = set()  # since the start: a connection does not outlive its host
        self._bell = asyncio.Event()
        self._runs: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._runs = asyncio.create_task(self._run(), name="mailboxes")

    async def stop(self) -> None:
        """Drop what is under way: how far it came is in the database."""
        tasks = [*([self._runs] if self._runs else []), *(task for task, _ in self._tended.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._visitor.close()

    def wake(self) -> None:
        self._bell.set()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            try:
                wait = self._round()
            except Exception:  # the loop outlives whatever a read of the database may meet
                log.exception("cannot tell which mailboxes are due")
                wait = REST_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._bell.wait()

    def _round(self) -> float:
        """Begin what is due, ring where one waits, leave what is not here any more; return how long nothing is due."""
        now, here = self._needs.clock(), rows.looked_into(self._needs.store.reader, MAILBOXES_MAX)
        mine = {each.source: each for each in here if self._visitor.polls(each.source)}
        for source in self._tended.keys() - mine.keys():
            self._tended[source][0].cancel()
        for source, each in mine.items():
            fresh = source not in self._known and not each.errors
            self._known.add(source)
            if each.next_due <= now or fresh:
                self._begin(source)
        then = min((each.next_due for each in mine.values() if each.next_due > now), default=now + ROUND_SECONDS)
        return min(max(then - now, 0.05), ROUND_SECONDS)

    def _begin(self, source: str) -> None:
        if source in self._tended:
            self._tended[source][1].bell.set()
            return
        stay = Stay(source)
        task = asyncio.create_task(self._tend(stay), name=f"mailbox {source}")
        self._tended[source] = task, stay
        task.add_done_callback(lambda _: self._finished(source))

    def _finished(self, source: str) -> None:
        del self._tended[source]
        self._bell.set()

    async def _tend(self, stay: Stay) -> None:
        """A fault of ours in one mailbox is that mailbox's error, and nobody else's."""
        try:
            try:
                await self._visitor.visit(stay)
            except (Gone, StoreFull):
                raise
            except Exception:
                log.exception("mailbox %s", stay.source)
                await self._visitor.fail(stay.source, OUR_FAULT)
        except Gone:
            return
        except Exception as error:
            log.error("cannot write: %r; trying again in %d seconds", error, REST_SECONDS)
            await asyncio.sleep(REST_SECONDS)
