"""The queue's runner: what is due is handed to a room of this host or to the outbox, and found again when put off.

Law: the database alone knows what is queued. What is being attempted is remembered here only, so a crash repeats it.

Fresh mail is read behind a cursor, deferred mail by its time; both up to a bound. A destination that takes its time
gets a share of that bound; what it cannot take soon is parked in the slow lane, so that it never stands before the
mail of others.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence

from spool.contents import Contents, Unstamped
from spool.destination import Destination
from spool.inbox import Inbox
from spool.ledger import Ledger
from spool.loader import Loader
from spool.mta_sts import Fetch, Policies
from spool.mta_sts_fetch import fetch_policy
from spool.mx import Exchanges
from spool.outbox import Outbox
from spool.peers import Peers
from spool.queue import HURRY_ROWS_MAX, Queue, Row
from spool.route import Fabric
from spool.runner_settings import Settings
from spool.settle import Settled, Settler
from spool.smtp_client import Client
from spool.stamp import Stamp
from spool.step import Step
from store import Store, StoreFull

log = logging.getLogger("heliograph.spool")

__all__ = ["Runner", "Settings"]

FAULT_SECONDS = 1.0  # after a fault of ours in the loop itself: it must neither end nor spin


class Runner:
    """Works the queue of one host: `await start()`, `wake()` whenever there may be something, `await stop()`."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        fabric: Fabric,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
        stamp: Stamp | None = None,
        fetch: Fetch = fetch_policy,
    ) -> None:
        self._store = store
        self._queue = queue
        self._fabric = fabric
        self._settings = settings
        self._clock = clock
        self._stamp = stamp or Unstamped()
        self._fetch_policy = fetch
        self.settler = Settler(queue, settings, random)
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = 0
        self._hurrying: set[asyncio.Task[None]] = set()
        self._given_up: set[str] = set()  # before it was at work
        queue.listen(self.wake, self._hurried)

    async def start(self) -> None:
        """Begin with what the last run left; once more does no harm."""
        if self._tasks:
            return
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._bell = asyncio.Event()
        settings, clock = self._settings, self._clock
        self._ledger = Ledger(self._store, self.settler, settings, clock, self._written)
        step = Step(self._fabric, self.settler, settings)
        self._inbox = Inbox(self._store, step, self._ledger, settings, clock, self._stepped)
        self._outbox = self._new_outbox()
        self._loader = Loader(
            self._store,
            self._fabric,
            settings,
            clock,
            self.settler,
            self._ledger,
            self._inbox,
            self._outbox,
            self._thirsty,
        )
        self._tasks = [self._loop.create_task(work) for work in (self._run(), self._ledger.run(), self._inbox.run())]
        while self._given_up:
            self._beside(self._hurry(self._given_up.pop()))

    async def stop(self) -> None:
        """Finish what is in flight, within a bound. What is not finished is repeated after the next start."""
        if not self._tasks:
            return
        self._tasks[0].cancel()
        await asyncio.gather(
            self._outbox.stop(self._settings.stop_seconds), self._inbox.stop(self._settings.stop_seconds)
        )
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._ledger.flushed()
        except TimeoutError:
            log.warning("results of the last deliveries could not be written; they will be repeated")
        tasks, self._tasks = [*self._tasks, *self._hurrying], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def destinations(self) -> dict[str, int]:
        """Count the destinations that are known, by state."""
        return self._outbox.states() if self._tasks else {}

    def wake(self) -> None:
        """There may be new work. May be called from any thread."""
        self._soon(self._ring)

    def hurry(self, name: str) -> None:
        """A destination says that it takes mail again: what was put off because of it need not wait for its time."""
        if self._tasks:
            self._outbox.reset_breakers(name)
            self._beside(self._hurry(name))

    def give_up(self, name: str) -> None:
        """A host is gone for good: break off what is under way to it, and look again where its mail belongs."""
        if self._tasks:
            self._beside(self._elsewhere(name))
        else:
            self._given_up.add(name)

    async def _elsewhere(self, name: str) -> None:
        await self._outbox.hang_up(name)
        await self._ledger.flushed()
        await self._hurry(name)

    def _hurried(self) -> None:
        """The operator wants it tried now: breakers have to let it pass."""
        self._soon(self._retry_now)

    def _ring(self) -> None:
        self._bell.set()

    def _retry_now(self) -> None:
        self._outbox.reset_breakers()
        self._bell.set()

    def _soon(self, action: Callable[[], object]) -> None:
        if not self._tasks:
            return
        if threading.get_ident() == self._thread:
            action()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    async def _run(self) -> None:
        stands = ""  # why it stands still: said once, for it may last
        while True:
            self._bell.clear()
            try:
                await self._loader.load()
                stands, pause = "", self._loader.pause_seconds()
            except StoreFull as full:
                if stands != full.word:
                    log.warning("%s (%s): the queue stands still", full.word, full)
                stands, pause = full.word, self._settings.full_seconds
            except Exception:
                log.exception("the queue's runner failed; going on")
                await asyncio.sleep(FAULT_SECONDS)
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._bell.wait()
            except TimeoutError:
                pass

    def _written(self, batch: Sequence[Settled]) -> None:
        for settled in batch:
            self._loader.release(settled.rows, settled.retry, settled.key)
        if self._loader.is_hungry:
            self._bell.set()

    def _stepped(self, rows: Sequence[Row], retry: bool) -> None:
        self._loader.release(rows, retry, None)
        if self._loader.is_hungry:
            self._bell.set()

    def _recovered(self, destination: Destination) -> None:
        """It answers again: what was put off because of it need not wait for its time."""
        self._beside(self._hurry(destination.name))

    async def _hurry(self, name: str) -> None:
        try:
            while await self._store.write(lambda tx: self._queue.hurry(tx, name, self._clock())) == HURRY_ROWS_MAX:
                pass
        except StoreFull as full:
            log.warning("%s (%s); mail for %s waits for its time", full.word, full, name)

    def _thirsty(self, destination: Destination, rows: int) -> None:
        """It took its mail sooner than was reckoned: parked rows need not wait for their time."""
        destination.fetching = True
        self._beside(self._fetch(destination, rows))

    async def _fetch(self, destination: Destination, rows: int) -> None:
        name = destination.name
        try:
            count = await self._store.write(lambda tx: self._queue.hurry(tx, name, self._clock(), rows, 0))
            destination.parked = destination.parked if count else 0
        except StoreFull as full:
            log.warning("%s (%s); mail for %s waits for its time", full.word, full, name)
        finally:
            destination.fetching = False

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._hurrying.add(task)
        task.add_done_callback(self._hurrying.discard)

    def _new_outbox(self) -> Outbox:
        settings = self._settings
        client = Client(
            hostname=settings.hostname,
            timeouts=settings.timeouts,
            source_address=settings.source_address,
            starttls=settings.starttls,
            prove=self._fabric.prove,
        )
        exchanges = Exchanges(
            port=settings.foreign_port, own_addresses=settings.own_addresses, resolver=settings.resolver
        )
        policies = Policies(exchanges.texts, self._fetch_policy, self._clock)
        return Outbox(
            client=client,
            peers=Peers(exchanges, policies, settings.access),
            contents=Contents(self._store, settings, self._stamp),
            ledger=self._ledger,
            settings=settings,
            clock=self._clock,
            recovered=self._recovered,
        )
