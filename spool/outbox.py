"""Mail for other hosts: who is sent to now, over which connections, and when a destination is left alone.

Law: every row that is added is settled in the ledger, sooner or later, exactly once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from mail.outcome import Deferred, Outcome, Refused
from spool.connections import Connections
from spool.contents import Contents
from spool.delivery import cut, deliver, settled
from spool.destination import Batch, Destination, Key, destination_of, key_of
from spool.kept import Kept
from spool.ledger import FAULT, Ledger
from spool.peers import Peers
from spool.route import Abroad, Shelf, Via
from spool.runner_settings import Settings
from spool.smtp_client import Client, Session

log = logging.getLogger("heliograph.spool")

HANG_UP_LOOK_SECONDS = 0.02
DESTINATIONS_KEPT = 10_000  # that are quiet but remembered for their breaker


class Outbox:
    """All destinations, and the workers that serve them: a worker is a connection."""

    def __init__(
        self,
        *,
        client: Client,
        peers: Peers,
        contents: Contents,
        ledger: Ledger,
        settings: Settings,
        clock: Callable[[], float],
        recovered: Callable[[Destination], None],
    ) -> None:
        self._client = client
        self._peers = peers
        self._contents = contents
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._recovered = recovered
        self._destinations: dict[Key, Destination] = {}
        self._connections = Connections(settings.connections_max, self.pump)
        self._kept = Kept(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def destination(self, route: Via | Abroad | Shelf) -> Destination:
        key = key_of(route)
        found = self._destinations.get(key)
        if found is None:
            if len(self._destinations) >= DESTINATIONS_KEPT:
                self._forget()
            found = self._destinations[key] = destination_of(route, self._settings)
        return found

    def known(self, key: Key) -> Destination | None:
        return self._destinations.get(key)

    def pump(self, destination: Destination) -> None:
        """Start as many workers for a destination as it may have now."""
        if not self._stopping and destination.breaker.is_open(self._clock()):
            self._give_up(destination)
        while not self._stopping and destination.has_work():
            if not self._connections.take(destination):
                return
            destination.running += 1
            destination.starting += 1
            self._start(self._work(destination))

    def states(self) -> dict[str, int]:
        """Count the destinations in memory: those that answer, and those that are left alone for a while."""
        now = self._clock()
        resting = sum(destination.breaker.is_open(now) for destination in self._destinations.values())
        return {"answering": len(self._destinations) - resting, "resting": resting}

    def reset_breakers(self, name: str | None = None) -> None:
        """Let the next attempts through: to the destination of this name, or to all."""
        for destination in self._destinations.values():
            if name in (None, destination.name):
                destination.breaker.reset()

    async def hang_up(self, name: str) -> None:
        """Break off all that is under way to a destination that is gone for good; return when it is in the ledger."""
        gone = [destination for destination in self._destinations.values() if destination.name == name]
        for destination in gone:
            self._give_up(destination)
            for attempt in destination.attempts:
                attempt.reschedule(asyncio.get_running_loop().time())
        while any(destination.running for destination in gone):  # noqa: ASYNC110
            await asyncio.sleep(HANG_UP_LOOK_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Finish the transactions that are under way, within a bound; then hang up."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._kept.close(self._destinations.values())

    # one worker

    async def _work(self, destination: Destination) -> None:
        session: Session | None = None
        served = 0
        destination.starting -= 1
        try:
            while not self._stopping and (batch := destination.take()) is not None:
                try:
                    session = await self._serve(destination, batch, session)
                finally:
                    destination.done(batch)
                served += 1
                await self._ledger.room()
                if destination.running > int(destination.window) or self._connections.is_wanted(destination, served):
                    break
        finally:
            destination.running -= 1
            self._kept.put(destination, session)
            self._connections.leave(destination)
            asyncio.get_running_loop().call_soon(self.pump, destination)  # after those who were denied a connection

    async def _serve(self, destination: Destination, batch: Batch, session: Session | None) -> Session | None:
        """Send one batch, over this session, a kept one, or a new one; return the session if it is of further use."""
        if not destination.breaker.begin(self._clock()):
            self._settle(destination, batch, self._away(destination))
            return session
        try:
            tried = await self._try(destination, batch, session)
        except BaseException:
            destination.breaker.abandoned()
            raise
        if not isinstance(tried, tuple):
            self._unreached(destination, batch, tried)
            return None
        used, outcomes = tried
        self._judge(destination, outcomes, used)
        answered, outcomes, rest = cut(batch, outcomes)
        self._ledger.add(settled(answered, outcomes, destination, used))
        if rest is not None:
            destination.recipients_max = max(len(answered.rows), 1)
            destination.again(rest)
        return used if used.is_usable else None

    async def _try(
        self, destination: Destination, batch: Batch, session: Session | None
    ) -> tuple[Session, list[Outcome]] | Deferred | Refused:
        """Send one batch; broken off where the destination is given up meanwhile."""
        used, attempt = session or self._kept.take(destination), asyncio.timeout(None)
        destination.attempts.add(attempt)
        try:
            async with attempt:
                outcomes = await deliver(used, batch, destination, self._contents, self._clock()) if used else []
                if used is None or used.is_stale:
                    reached = await self._reach(destination)
                    if not isinstance(reached, Session):
                        return reached
                    used = reached
                    outcomes = await deliver(used, batch, destination, self._contents, self._clock())
                return used, outcomes
        except Exception:
            if used:
                used.close()
            if attempt.expired():
                return Deferred(f"4.4.1 {destination.name} is given up")
            log.exception("message %d could not be sent to %s; tried again later", batch.message.id, destination.name)
            return FAULT
        finally:
            destination.attempts.discard(attempt)

    async def _reach(self, destination: Destination) -> Session | Deferred | Refused:
        """Connect to the first of the destination's peers that takes the connection."""
        peers = await self._peers.of(destination)
        if not isinstance(peers, list):
            return peers
        failure: Deferred = Deferred("4.4.1 no host to connect to")
        for peer in peers:
            reached = await self._client.connect(peer)
            if isinstance(reached, Session):
                return reached
            failure = reached
        return failure

    # what follows from it

    def _unreached(self, destination: Destination, batch: Batch, outcome: Deferred | Refused) -> None:
        if isinstance(outcome, Refused) or outcome is FAULT:  # the DNS says no, or we failed: that is no word of theirs
            destination.breaker.abandoned()
        else:
            self._failed(destination, outcome.text)
        self._settle(destination, batch, outcome)

    def _judge(self, destination: Destination, outcomes: list[Outcome], session: Session) -> None:
        """A session that broke before anyone had an answer is a failure of the destination; anything else is life."""
        if not session.is_usable and all(isinstance(o, Deferred) for o in outcomes):
            self._failed(destination, outcomes[0].text)
            return
        destination.grow()
        if destination.breaker.succeeded():
            self._recovered(destination)

    def _failed(self, destination: Destination, reason: str) -> None:
        destination.shrink()
        destination.breaker.failed(self._clock(), reason)
        if destination.breaker.is_open(self._clock()):
            log.info("%s does not answer (%s); left alone for a while", destination.name, reason)
            self._give_up(destination)

    def _give_up(self, destination: Destination) -> None:
        """Put off everything that waits for a destination that does not answer."""
        for batch in destination.drain():
            self._settle(destination, batch, self._away(destination))

    def _away(self, destination: Destination) -> Deferred:
        return Deferred(destination.breaker.reason or f"4.4.1 {destination.name} does not answer")

    def _settle(self, destination: Destination, batch: Batch, outcome: Outcome) -> None:
        self._ledger.add(settled(batch, [outcome] * len(batch.rows), destination, None))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self) -> None:
        self._destinations = {key: one for key, one in self._destinations.items() if not one.is_forgettable}
