"""Who reads while the owner of a mailbox is away: when a copy is shown, of which accounts, and when it is closed.

Law: a copy is shown only where the zone names this host as the standby, the owner has not answered for a while, and
both the zone and the copy give the account's bucket to that owner. When one of these ends, so do its sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from directory.snapshot import Directory
from heliograph.ownership.holding import OWNER
from heliograph.ownership.ownership import find
from heliograph.standby.replicas import NoReplica, Replicas
from heliograph.tables import MIGRATIONS
from mailbox_host.imap.stand_in import StandIn
from store.lent import LentStore

log = logging.getLogger("heliograph.standby")

LOOK_SECONDS = 2.0  # between looks at hosts that are away
ANSWER_SECONDS_MAX = 5.0  # a host that has not greeted by then is away
# A host that restarts is back by then; its people's clients keep what they changed, and bring it when it is back. A
# session on a copy would refuse it.
GRACE_SECONDS = 15.0

Open = Callable[[str, str], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Sessions(Protocol):
    """The IMAP server's, as far as copies concern it."""

    def shown(self, copy: StandIn) -> set[str]: ...

    async def put_away(self, copy: StandIn, accounts: set[str] | None = None) -> None: ...


class StandIns:
    """The copies that this host shows. `sessions` is set once there is a server."""

    sessions: Sessions

    def __init__(
        self,
        host: str,
        replicas: Replicas,
        zone: Callable[[], Directory],
        open_imap: Open,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._replicas = replicas
        self._zone = zone
        self._open_imap = open_imap
        self._clock = clock
        self._away: dict[str, float] = {}  # since when
        self._heard: dict[str, float] = {}  # when last, of those that were asked
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._shown: dict[str, tuple[StandIn, AsyncExitStack]] = {}
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        replicas.on_pressure(lambda owner: self._soon(self._close(owner)))

    def shown(self) -> list[str]:
        """Whose mailboxes are shown from a copy now."""
        return sorted(self._shown)

    # --- when

    @asynccontextmanager
    async def at_work(self, subscribe: Callable[[Callable[[Directory], None]], object]) -> AsyncIterator[None]:
        """Look out for who is away. `subscribe`: to the zone, which may end a standby's part, or an account's place."""
        subscribe(lambda _: self._soon(self._settle()))
        self._soon(self._watch())
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for owner in list(self._shown):
                await self._close(owner)

    async def look(self) -> None:
        """Find out who is away, and who is back."""
        away = {owner for owner in self._owners() if not self._is_heard(owner)} | set(self._away)
        await asyncio.gather(*map(self._look_at, away))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:  # a fault of ours: it must not end the looking out
                log.exception("looking out for hosts that are away")

    async def _look_at(self, owner: str) -> None:
        if not await self._answers(owner):
            self._away.setdefault(owner, self._clock())
            return
        self._heard[owner] = self._clock()
        if self._away.pop(owner, None) is not None:
            await self._close(owner)

    async def _look_once(self, owner: str) -> None:
        """However many come at once, the owner is asked by one of them."""
        async with self._looking[owner]:
            if owner not in self._away and self._clock() >= self._heard.get(owner, -LOOK_SECONDS) + LOOK_SECONDS:
                await self._look_at(owner)

    async def _answers(self, owner: str) -> bool:
        """Ask as a client's host would."""
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                reader, writer = await self._open_imap(owner, "-")
                with contextlib.closing(writer):
                    return (await reader.readuntil(b"\r\n")).startswith(b"* OK")
        return False

    def _is_heard(self, owner: str) -> bool:
        state = self._replicas.state(owner)
        return state is not None and state.connected

    def _owners(self) -> list[str]:
        return [owner for owner, standby in self._zone().standbys.items() if standby == self._host]

    # --- what

    async def borrow(self, owner: str, account: str) -> StandIn | None:
        """Return the copy to show an account from; None where that is not to be."""
        if not self._is_asked(owner, account):
            return None
        await self._look_once(owner)
        since = self._away.get(owner)
        if since is None or self._clock() - since < GRACE_SECONDS:
            return None
        copy = await self._open(owner)
        return copy if copy and self._holds(copy, account) else None

    def _is_asked(self, owner: str, account: str) -> bool:
        zone = self._zone()
        bucket = zone.names.bucket(account)
        return zone.standbys.get(owner) == self._host and zone.owner("timeline", bucket) == owner

    def _holds(self, copy: StandIn, account: str) -> bool:
        """The copy has its own word: a bucket that was on its way to or from the owner is shown nowhere."""
        held = find(copy.store.reader, "timeline", self._zone().names.bucket(account))
        return held is not None and held.state == OWNER

    async def _open(self, owner: str) -> StandIn | None:
        async with self._opening:
            if owner in self._shown:
                return self._shown[owner][0]
            state = self._replicas.state(owner)
            if state is None or not state.complete:
                return None
            async with AsyncExitStack() as lending:
                try:
                    path = await lending.enter_async_context(self._replicas.lend(owner, newest=False))
                except NoReplica:
                    return None
                except (
                    OSError
                ) as error:  # a disk that is full, a commit that does not end: who asks is told as of no copy
                    log.warning("the copy of %s cannot be shown: %s", owner, error)
                    return None
                copy = StandIn(owner, LentStore(path))
                lending.push_async_callback(asyncio.to_thread, copy.store.close)
                if not _has_our_tables(copy.store):
                    log.warning(
                        "the copy of %s has other tables than this version of Heliograph: it is not shown", owner
                    )
                    return None
                self._shown[owner] = copy, lending.pop_all()
        log.warning("%s is away: its mailboxes are shown from the copy here, for reading only", owner)
        return copy

    async def _close(self, owner: str) -> None:
        copy, lending = self._shown.pop(owner, (None, None))
        if copy is None or lending is None:
            return
        copy.closed = True
        try:
            await self.sessions.put_away(copy)
        finally:  # the replica stands still as long as it is lent
            await lending.aclose()
        log.info("the copy of the mailboxes of %s is closed", owner)

    async def _settle(self) -> None:
        for owner, (copy, _) in list(self._shown.items()):
            if self._zone().standbys.get(owner) != self._host:
                await self._close(owner)
            gone = {account for account in self.sessions.shown(copy) if not self._is_asked(owner, account)}
            await self.sessions.put_away(copy, gone)
        for owner in self._away.keys() - set(self._owners()):
            del self._away[owner]

    def _soon(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _has_our_tables(store: LentStore) -> bool:
    """An owner of another version may keep its mail in other tables; a copy is not brought up to date."""
    try:
        there = set(store.reader.all("SELECT package, version FROM migration"))
    except sqlite3.DatabaseError:
        return False
    return there == {(step.package, step.version) for step in MIGRATIONS}
