"""The directory of one host: the zone it routes by, served to the world and kept on disk.

Law: `current` is always a zone that linted, and on disk before it is served; a bad one is reported and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from directory import wire
from directory.answers import Answers
from directory.copy import Kept
from directory.edition import Edition, accept, edit
from directory.editor import Editor
from directory.herald import Herald
from directory.permissions import Permissions
from directory.primary import LiveFile
from directory.problem import Problem
from directory.rate import RateLimit
from directory.reception import Rights
from directory.secondary import Follower
from directory.served import Callback, Served
from directory.server import DnsServer
from directory.settings import Settings
from directory.snapshot import Directory
from directory.sources import Sources
from directory.transfer_in import TransferFailed
from directory.update import Refused, Update
from directory.updates import Updates
from directory.zone import Zone

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0  # after a full disk


class NoZone(Exception):
    """There is nothing to start from; the message says what is wrong and what to do."""


class DirectoryService:
    """Primary or secondary, by its settings, until another host takes the primary's place."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._served = Served(settings.copy, settings.domain, self._show)
        self._editor = Editor(settings, self._served, self._take)
        self._lock = asyncio.Lock()  # one edition at a time
        self._role: asyncio.Task[None] | None = None  # watching the file, or following the primary
        self._doubt: asyncio.Task[None] | None = None  # looking at a host that says it is the primary
        self._live = LiveFile(settings.live) if settings.live else None
        self._follower = Follower(self._refresh)
        self._sources = Sources(settings, lambda: self.server.port, clock)
        updates = Updates(wire.name_of(settings.domain), settings.update_keys, self._change, clock)
        permissions = Permissions(settings, lambda: self._served.current, self._rumour)
        rights = Rights(permissions.may_transfer, permissions.notified, updates.answer, settings.keys)
        limit = RateLimit(settings.answers_per_second, settings.answers_burst)
        key = settings.keys.get(settings.transfer_key)
        self.server = DnsServer(settings.address, settings.port, rights, limit, key, clock)
        self._herald = Herald(settings, self.server.notifier)

    @property
    def current(self) -> Directory:
        """The zone to route by, now. Hold it as long as one decision takes."""
        if self._served.current is None:
            raise NoZone("the directory was not started")
        return self._served.current

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def is_primary(self) -> bool:
        return self._live is not None

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._served.problems

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._served.warnings + self._sources.silence

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back with every new directory, on the loop; return the way to end that."""
        return self._served.subscribe(callback)

    async def start(self) -> None:
        """Serve the last good zone, or the first that is to be had; NoZone if there is none."""
        await self.server.start()
        try:
            await self._first_zone()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._end(self._role)
        await self._herald.stop()
        await self._end(self._doubt)
        await self.server.stop()

    async def reload(self) -> tuple[Problem, ...]:
        """Read the live file now (primary) or ask the primary (secondary); return what is wrong with the result."""
        if self._live:
            await self._reload(await asyncio.to_thread(self._live.content))
        else:
            await self._refresh()
        return self.problems

    async def lead(self, live: Path) -> tuple[Problem, ...]:
        """Become the primary, with this file; return what is wrong with it."""
        if self._live is None:
            await self._end(self._role)
            self._live = LiveFile(live)
            self._role = asyncio.create_task(self._live.watch(self.settings.poll_seconds, self._reload))
        return await self.reload()

    # --- where zones come from

    async def _first_zone(self) -> None:
        kept = await self._served.load()
        if self._live:
            self._served.kept = kept  # whatever becomes of it: a primary's serial never goes back
        if kept:
            await self._start_from(kept)
            if self._live and (successor := await self._sources.successor(kept.zone)):
                await self._step_down(successor)
        if self._live:
            await self.reload()
        if self._live:  # still: a successor may have been heard of meanwhile
            self._role = asyncio.create_task(self._live.watch(self.settings.poll_seconds, self._reload))
        elif self._role is None:
            self._follow()
        if self._served.current is None and not self._live:
            await self._wait_for_primary()
        if self._served.current is None:
            shown = "\n".join(problem.shown(str(self.settings.live)) for problem in self.problems)
            raise NoZone(f"no zone to start from\n{shown}")

    async def _start_from(self, kept: Kept) -> None:
        """Serve the copy, as it stands, until something newer is known."""
        result = await asyncio.to_thread(accept, kept.zone, self.settings.buckets, None)
        if isinstance(result, Edition):
            self._served.kept = kept
            self._served.show(result)
        else:
            self._served.report(result, str(self.settings.copy))

    async def _wait_for_primary(self) -> None:
        try:
            async with asyncio.timeout(self.settings.first_zone_seconds):
                await self._follower.first.wait()
        except TimeoutError:
            where = f"{self.settings.primary_address} port {self.settings.primary_port or self.port}"
            raise NoZone(f"the DNS primary at {where} gave no zone, and there is no copy: start it first") from None

    async def _reload(self, content: bytes | OSError) -> None:
        async with self._lock:
            if self._live is None:
                return None  # no longer the primary
            shown = str(self._live.path)
            if isinstance(content, OSError):
                problem = Problem(0, f"cannot be read: {content.strerror}", "Put the zone file back.")
                return self._served.report((problem,), shown)
            arguments = (content, self.settings.domain, self.settings.buckets, self._served.kept)
            return await self._take(await asyncio.to_thread(edit, *arguments), shown)

    async def _refresh(self) -> bool:
        """Ask the primary; return whether it could be asked."""
        async with self._lock:
            shown = "the primary's zone"
            try:
                found = await self._sources.newer(self._served.kept.zone if self._served.kept else None)
            except TransferFailed as failed:
                log.info("dns: %s: %s", shown, failed)
                return False
            if isinstance(found, Zone):
                await self._take(
                    await asyncio.to_thread(accept, found, self.settings.buckets, self._served.kept), shown
                )
            else:
                self._served.report(found, shown)
            return True

    # --- who is the primary

    def _follow(self) -> None:
        self._role = asyncio.create_task(self._follower.run())

    def _rumour(self, source: str) -> None:
        """NOTIFY came, from the primary or from a host that says it is the primary now."""
        if self._live is None:
            self._sources.heard_of(source)
            self._follower.wake()
        elif source != self.settings.address and (self._doubt is None or self._doubt.done()):
            self._doubt = asyncio.create_task(self._look_at_rival(source))

    async def _look_at_rival(self, address: str) -> None:
        """Two primaries: the one with the newer zone is it. Where that is this host, the other is told again."""
        assert self._served.kept
        try:
            rival = await self._sources.rival(address, self._served.kept.zone)
        except TransferFailed:
            return
        if rival == "newer":
            await self._step_down(address)
        elif rival == "older":
            self._show(self._served.kept)

    async def _step_down(self, address: str) -> None:
        """Another host was made the primary: its zone is the newer one."""
        if self._live is None:
            return  # told twice
        log.error("dns: %s is the primary now; what is edited here is not read: see `zone primary`", address)
        self._live = None
        await self._end(self._role)
        self._sources.heard_of(address)
        self._follow()

    async def _end(self, task: asyncio.Task[None] | None) -> None:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # --- where they go

    async def _change(self, update: Update) -> Refused | None:
        async with self._lock:
            if self._live is None:
                return Refused(wire.REFUSED, "this host is not the primary")
            return await self._editor.change(self._live, update)

    async def _take(self, result: Edition | tuple[Problem, ...], shown: str) -> None:
        if not await self._served.take(result, shown) and self._live:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._live.forget)

    def _show(self, kept: Kept) -> None:
        """Answer from this zone, live by its times, tell the others."""
        self.server.serve(Answers(kept.zone))
        self._follower.served(kept.zone)
        if self._live:
            self._herald.tell(kept.zone, self.current.hosts.values(), self.port)
