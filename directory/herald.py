"""Tells every host, and the operator's own secondaries, that there is a newer zone.

Law: only the newest version is worth telling: it ends the telling of the one before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from directory import wire
from directory.notify import Notifier, Target
from directory.settings import Settings
from directory.snapshot import HostRecord
from directory.zone import Zone

log = logging.getLogger(__name__)


class Herald:
    """One telling at a time."""

    def __init__(self, settings: Settings, notifier: Notifier) -> None:
        self._settings, self._notifier = settings, notifier
        self._telling: asyncio.Task[None] | None = None

    def tell(self, zone: Zone, hosts: Iterable[HostRecord], port: int) -> None:
        """Begin to tell of a zone; `port` is where hosts serve DNS."""
        targets = [(host.address, port) for host in hosts if host.address != self._settings.address]
        if self._telling:
            self._telling.cancel()
        self._telling = asyncio.create_task(self._tell(zone, [*targets, *self._settings.notify_to]))

    async def stop(self) -> None:
        if self._telling:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self, zone: Zone, targets: Iterable[Target]) -> None:
        rdata = zone.soa.rdatas[0]
        soa = zone.origin + wire.FIXED.pack(wire.SOA, wire.CLASS_IN, zone.soa.ttl, len(rdata)) + rdata
        silent = await self._notifier.tell(zone.origin, targets, soa)
        if silent:
            log.warning("dns: not reached by NOTIFY: %s", ", ".join(address for address, _ in silent))
