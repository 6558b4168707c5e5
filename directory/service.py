"""The directory of one host: the zone it routes by, served to the world and kept on disk.

Law: `current` is always a zone that linted, and on disk before it is served; a bad one is reported and changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable

from directory import copy, wire
from directory.answers import Answers
from directory.copy import Kept
from directory.edition import Edition, accept, edit
from directory.primary import LiveFile
from directory.problem import Problem
from directory.rate import RateLimit
from directory.secondary import Follower
from directory.server import DnsServer, Rights
from directory.settings import Settings
from directory.snapshot import Directory
from directory.transfer_in import Primary, TransferFailed, fetch

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0  # after a full disk

Callback = Callable[[Directory], None]


class NoZone(Exception):
    """There is nothing to start from; the message says what is wrong and what to do."""


class DirectoryService:
    """Primary or secondary, by its settings. `problems`: why the latest zone is not the one that is served, if so;
    `warnings`: what is not well with the one that is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.problems: tuple[Problem, ...] = ()
        self.warnings: tuple[Problem, ...] = ()
        self._current: Directory | None = None
        self._kept: Kept | None = None
        self._callbacks: list[Callback] = []
        self._lock = asyncio.Lock()  # one edition at a time
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: asyncio.Task[None] | None = None
        self._networks = tuple(ipaddress.ip_network(text) for text in settings.transfer_to)
        limit = RateLimit(settings.answers_per_second, settings.answers_burst)
        self.server = DnsServer(settings.address, settings.port, Rights(self._may_transfer, self._notified), limit)
        self._live = LiveFile(settings.live) if settings.live else None
        self._follower = Follower(self._refresh)

    @property
    def current(self) -> Directory:
        """The zone to route by, now. Hold it as long as one decision takes."""
        if self._current is None:
            raise NoZone("the directory was not started")
        return self._current

    @property
    def port(self) -> int:
        return self.server.port

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back with every new directory, on the loop; return the way to end that."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    async def start(self) -> None:
        """Serve the last good zone, or the first that is to be had; NoZone if there is none."""
        await self.server.start()
        try:
            await self._first_zone()
        except BaseException:
            await self.stop()
            raise
        if self._live:
            self._tasks.append(asyncio.create_task(self._live.watch(self.settings.poll_seconds, self._reload)))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._telling] if self._telling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self.server.stop()

    async def reload(self) -> tuple[Problem, ...]:
        """Read the live file now (primary) or ask the primary (secondary); return what is wrong with the result."""
        if self._live:
            await self._reload(await asyncio.to_thread(self._live.content))
        else:
            await self._refresh()
        return self.problems

    # --- where zones come from

    async def _first_zone(self) -> None:
        kept = await asyncio.to_thread(copy.load, self.settings.copy, self.settings.domain)
        if self._live:
            self._kept = kept  # whatever becomes of it: a primary's serial never goes back
        if kept:
            await self._start_from(kept)
        if self._live:
            await self.reload()
        else:
            self._tasks.append(asyncio.create_task(self._follower.run()))
            if self._current is None:
                await self._wait_for_primary()
        if self._current is None:
            shown = "\n".join(problem.shown(str(self.settings.live)) for problem in self.problems)
            raise NoZone(f"no zone to start from\n{shown}")

    async def _start_from(self, kept: Kept) -> None:
        """Serve the copy, as it stands, until something newer is known."""
        result = await asyncio.to_thread(accept, kept.zone, self.settings.buckets, None)
        if isinstance(result, Edition):
            self._kept = kept
            self._show(result)
        else:
            self._report(result, str(self.settings.copy))

    async def _wait_for_primary(self) -> None:
        try:
            async with asyncio.timeout(self.settings.first_zone_seconds):
                await self._follower.first.wait()
        except TimeoutError:
            where = f"{self.settings.primary_address} port {self.settings.primary_port or self.port}"
            raise NoZone(f"the DNS primary at {where} gave no zone, and there is no copy: start it first") from None

    async def _reload(self, content: bytes | OSError) -> None:
        async with self._lock:
            shown = str(self.settings.live)
            if isinstance(content, OSError):
                problem = Problem(0, f"cannot be read: {content.strerror}", "Put the zone file back.")
                return self._report((problem,), shown)
            arguments = (content, self.settings.domain, self.settings.buckets, self._kept)
            return await self._take(await asyncio.to_thread(edit, *arguments), shown)

    async def _refresh(self) -> bool:
        """Ask the primary; return whether it could be asked."""
        async with self._lock:
            settings = self.settings
            shown = f"the zone of {settings.primary_address}"
            primary = Primary(settings.primary_address, settings.primary_port or self.port, settings.address)
            serial = self._kept.zone.serial if self._kept else None
            try:
                zone = await fetch(primary, wire.name_of(settings.domain), serial)
            except TransferFailed as failed:
                log.info("dns: %s: %s", shown, failed)
                return False
            if zone is not None:
                await self._take(await asyncio.to_thread(accept, zone, settings.buckets, self._kept), shown)
            return True

    # --- where they go

    async def _take(self, result: Edition | tuple[Problem, ...], shown: str) -> None:
        """Keep an edition, then serve it; or report why not."""
        if not isinstance(result, Edition):
            return self._report(result, shown)
        if result.changed or self._kept is None or self._kept.file_serial != result.kept.file_serial:
            try:
                await asyncio.to_thread(copy.keep, self.settings.copy, result.kept)
            except OSError as wrong:
                if self._live:
                    asyncio.get_running_loop().call_later(RETRY_SECONDS, self._live.forget)
                problem = Problem(0, f"no copy can be kept: {wrong.strerror}", "Make room on the disk.")
                return self._report((problem,), str(self.settings.copy))
        self._kept, self.problems = result.kept, ()
        for warning in result.warnings if result.changed else ():
            log.warning("dns: %s", warning.shown(shown))
        if result.changed or self._current is None:
            self._show(result)
        return None

    def _show(self, edition: Edition) -> None:
        self._current, self.warnings = edition.directory, edition.warnings
        self.server.serve(Answers(edition.kept.zone))
        self._follower.served(edition.kept.zone)
        log.info("dns: serving %s, serial %d", self.settings.domain, edition.kept.zone.serial)
        if self._live:
            self._tell_others()
        for callback in tuple(self._callbacks):
            try:
                callback(edition.directory)
            except Exception:  # one listener's fault is not the directory's
                log.exception("dns: a listener failed")

    def _report(self, problems: tuple[Problem, ...], shown: str) -> None:
        if problems != self.problems:
            for problem in problems:
                log.error("dns: %s", problem.shown(shown))
        self.problems = problems

    def _tell_others(self) -> None:
        if self._telling:
            self._telling.cancel()
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        hosts = [(host.address, self.port) for host in self.current.hosts.values()]
        targets = [target for target in hosts if target[0] != self.settings.address]
        silent = await self.server.notifier.tell(
            wire.name_of(self.settings.domain), [*targets, *self.settings.notify_to]
        )
        if silent:
            log.warning("dns: not reached by NOTIFY: %s", ", ".join(address for address, _ in silent))

    # --- what others may

    def _may_transfer(self, source: str) -> bool:
        if self._current and source in {host.address for host in self._current.hosts.values()}:
            return True
        return source == self.settings.address or any(
            ipaddress.ip_address(source) in network for network in self._networks
        )

    def _notified(self, source: str) -> bool:
        if self._live or source != self.settings.primary_address:
            return False
        self._follower.wake()
        return True
