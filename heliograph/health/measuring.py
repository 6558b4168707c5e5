"""Takes a host's figures, whenever somebody asks for them.

Law: cheap, whoever asks and how often: sums are read in a reader's thread; events are counted from where the last look
ended; one look at a time, and who comes meanwhile, or a moment later, gets the same figures.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.metrics import Metric
from heliograph.health.figures import Live, Machine, Stored, metrics
from ingest import listing as feed_listing
from ingest.mailboxes import rows as mailboxes
from spool import listing as queue_listing
from store import Reader, Store, events
from store.events import Tally

SAME_SECONDS = 1.0  # several scrapers, or somebody who asks in a loop
LATE_SECONDS = 300.0  # a feed or a mailbox that is due may wait that long for its turn, and nobody need wonder
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a host's figures are. `live`: what only the running host knows; `zone_copy`: written when a zone came."""

    store: Store
    zone_copy: Path
    live: Callable[[], Live]


class Measuring:
    """Call it for the metrics of this moment."""

    def __init__(self, places: Places, clock: Callable[[], float]) -> None:
        self._places, self._clock = places, clock
        self._started_at = clock()
        self._seen = events.last(places.store.reader)
        self._events: dict[str, Tally] = {}
        self._turn = asyncio.Lock()
        self._last: list[Metric] = []
        self._last_at = -SAME_SECONDS

    async def __call__(self) -> list[Metric]:
        async with self._turn:
            now = self._clock()
            if not 0 <= now - self._last_at < SAME_SECONDS:
                stored = await self._places.store.read(lambda reader: self._stored(reader, now))
                self._last = metrics(self._places.live(), stored, self._machine(), now)
                self._last_at = now
            return self._last

    def _stored(self, reader: Reader, now: float) -> Stored:
        self._count_events(reader)
        queue = queue_listing.lanes(reader)
        feeds, due, late = feed_listing.due(reader, now, now - LATE_SECONDS)
        held = sum(queue_listing.put_off(reader, queue_listing.HELD_HERE).values())
        return Stored(
            messages=queue.messages,
            fresh=queue.fresh,
            deferred=queue.deferred,
            held=held,
            oldest_at=queue.oldest_at,
            feeds=feeds,
            feeds_due=due,
            feeds_late=late,
            mailboxes=mailboxes.counts(reader),
            mailboxes_late=mailboxes.late(reader, now - LATE_SECONDS),
            events=dict(self._events),
        )

    def _count_events(self, reader: Reader) -> None:
        upto = events.last(reader)
        for kind, tally in events.tally(reader, self._seen, upto).items():
            self._events[kind] = self._events.get(kind, Tally()) + tally
        self._seen = upto

    def _machine(self) -> Machine:
        store, path = self._places.store, self._places.store.path
        disk = os.statvfs(path.parent)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Machine(
            commits=store.commits,
            commit_seconds=store.commit_seconds,
            database_octets=_octets(path),
            wal_octets=_octets(path.with_name(path.name + "-wal")),
            disk_free_octets=disk.f_bavail * disk.f_frsize,
            zone_taken_at=_changed_at(self._places.zone_copy),
            started_at=self._started_at,
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory_octets=int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE,
        )


def _octets(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
