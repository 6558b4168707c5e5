"""The clock of this room: it finds what is due and sees to it, one at a time per registrable domain.

Law: it holds nothing that a crash could lose: what is due stands in the database, and stays there until the
transaction that settles it. A fault of ours in one feed's poll is that feed's error, and nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from ingest import feeds, push, requests
from ingest.feeds import Feed
from ingest.fetch import Fetcher
from ingest.fetched import Failed
from ingest.follow import follow, give_up_or_wait
from ingest.guard import Lookup, system_lookup
from ingest.hub import subscribe
from ingest.mailboxes.keeper import Keeper
from ingest.mailboxes.look import Needs
from ingest.mailboxes.visit import Visitor
from ingest.poll import poll
from ingest.pool import WorkerPool
from ingest.push import Push
from ingest.requests import Request
from ingest.resting import rest_seconds
from ingest.room import IngestRoom
from ingest.settle import write_failure
from ingest.tools import Spool, Tools
from ingest.urls import canonical
from store import Store, StoreFull

log = logging.getLogger("ingest.poller")

READY_MAX = 500  # a minute's work at the very least; each is looked at once more when its turn comes
HUBS_AT_ONCE = 4  # one question a week for each feed: no hurry, and feeds go first
LOOK_SECONDS_MAX = 60.0  # the clock may be set, another process may make a feed due
REST_SECONDS = 10.0  # after a full disk: mail needs what room there is first
OUR_FAULT = Failed("an error of this host; its operator finds it in the log")


class Poller:
    """Polls feeds and carries out requests from `start` to `stop`. `wake`: look again what is due, now."""

    def __init__(
        self,
        store: Store,
        spool: Spool,
        room: IngestRoom,
        clock: Callable[[], float] = time.time,
        lookup: Lookup = system_lookup,
    ) -> None:
        settings = room.settings
        agent = f"Heliograph (feeds by mail; +mailto:postmaster@{room.directory().names.domain})"
        self._tools = Tools(room, store, spool, clock, Fetcher(settings, agent, clock, lookup), WorkerPool(settings))
        here = Needs(store, spool, lambda: room.directory().names, clock, settings.mailbox_octets_max)
        self._keeper = Keeper(Visitor(here, settings, room.polls_source, lookup))
        self._bell = asyncio.Event()
        self._runs: asyncio.Task[None] | None = None
        self._busy: dict[str, asyncio.Task[None]] = {}  # by registrable domain
        self._ready: deque[Feed] = deque()  # due, found together: looking for each would cost more than its poll
        room.on_request = self.wake

    async def start(self) -> None:
        """Begin; returns at once. The parsing processes and the HTTP client start when they are first needed."""
        self._runs = asyncio.create_task(self._run(), name="ingest-poller")
        await self._keeper.start()

    async def stop(self) -> None:
        """Drop what is under way (it is still due), end the processes."""
        await self._keeper.stop()
        tasks = [task for task in (self._runs, *self._busy.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._busy.clear()
        self._ready.clear()
        await self._tools.fetcher.close()
        await self._tools.pool.close()

    def wake(self) -> None:
        self._bell.set()
        self._keeper.wake()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            now = self._tools.clock()  # one moment for both: what comes due between two would wait for the next look
            try:
                self._start_due(now)
                wait = self._wait_seconds(now)
            except Exception:  # the loop outlives whatever a read of the database may meet
                log.exception("cannot tell what is due")
                wait = REST_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):  # not wait_for: 3.11's loses a cancellation that meets the bell
                    await self._bell.wait()

    def _start_due(self, now: float) -> None:
        """Start what is due, requests first, as far as there is room and its domain is free. What is busy is left out
        of each look, and looked for until nothing is found: thousands that one domain has due hide no other."""
        reader, most = self._tools.store.reader, self._tools.room.settings.fetches_max
        while len(self._busy) < most and (asked := requests.due(reader, now, most, self._busy)):
            for request in asked:
                self._begin(request.domain, self._follow(request), most)
        for wanted in push.due(reader, now, HUBS_AT_ONCE) if self._tools.room.settings.push_url else ():
            self._begin(f"hub {canonical(wanted.hub).domain}", self._ask(wanted), most)
        while len(self._busy) < most and (feed := self._next_ready(now)):
            self._begin(feed.domain, self._poll(feed), most)

    def _next_ready(self, now: float) -> Feed | None:
        """Return the next feed as it is now, if it is still to be polled: it may have been suspended, or its site have
        asked for rest, since it was found."""
        reader = self._tools.store.reader
        for _ in range(READY_MAX):
            if not self._ready:
                self._ready.extend(feeds.due(reader, now, READY_MAX, self._busy))
            if not self._ready:
                return None
            feed = feeds.by_id(reader, self._ready.popleft().id)
            if feed and feed.next_due <= now and not rest_seconds(reader, feed.domain, now):
                return feed
        return None

    def _begin(self, domain: str, work: Coroutine[Any, Any, None], most: int) -> None:
        if domain in self._busy or len(self._busy) >= most:
            work.close()
            return
        task = asyncio.create_task(work, name=f"ingest {domain}")
        self._busy[domain] = task
        task.add_done_callback(lambda _: self._finished(domain))

    def _finished(self, domain: str) -> None:
        self._busy.pop(domain, None)
        self._bell.set()

    def _wait_seconds(self, now: float) -> float:
        """Return how long nothing comes due; what is due already waits for a domain, whose end rings the bell."""
        reader = self._tools.store.reader
        then = min(filter(None, (feeds.next_due(reader, now), push.next_due(reader, now))), default=None)
        return LOOK_SECONDS_MAX if then is None else min(max(then - now, 0.01), LOOK_SECONDS_MAX)

    async def _follow(self, request: Request) -> None:
        try:
            try:
                await follow(self._tools, request)
            except StoreFull:
                raise
            except Exception:
                log.exception("request %d for %r", request.id, request.url)
                await give_up_or_wait(self._tools, request, OUR_FAULT)
        except Exception as error:
            await self._rest(error)

    async def _ask(self, wanted: Push) -> None:
        try:
            await subscribe(self._tools, wanted)
        except Exception as error:
            await self._rest(error)

    async def _poll(self, feed: Feed) -> None:
        try:
            try:
                await poll(self._tools, feed)
            except StoreFull:
                raise
            except Exception:
                log.exception("feed %d at %r", feed.id, feed.url)
                await write_failure(self._tools, feed, OUR_FAULT)
        except Exception as error:
            await self._rest(error)

    async def _rest(self, error: Exception) -> None:
        """Nothing can be written: keep the domain for a while, so that it is not asked in a circle."""
        log.error("cannot write: %r; trying again in %d seconds", error, REST_SECONDS)
        await asyncio.sleep(REST_SECONDS)
