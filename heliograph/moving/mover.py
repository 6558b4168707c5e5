"""What a host does about its buckets by itself: whatever the zone gives to another host goes there.

Law: it is driven by the zone and the tables alone; whoever comes after a crash goes on from there. One stream to each
host at a time, and few buckets in one hand-over, so that none of them is nobody's for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

from directory.snapshot import Directory
from heliograph.moving.clearing import clear
from heliograph.moving.frames import PURPOSE, Broken
from heliograph.moving.giver import Giver
from heliograph.moving.inquiry import Inquiry
from heliograph.moving.line import Line
from heliograph.moving.line import Opens as Opens
from heliograph.moving.parties import Party, count_units
from heliograph.moving.progress import Progress, Run
from heliograph.moving.taker import Taker
from heliograph.ownership.holding import DEMOTED, GIVEN_UP, OWNER, SEALED, TOMBSTONE, Holding, is_to_go
from heliograph.ownership.ownership import find
from store import Transaction

log = logging.getLogger("heliograph.moving")

# In one hand-over: they are sealed together, and compared before the other host owns them.
BUCKETS_AT_ONCE, UNITS_AT_ONCE = 32, 300
LOOK_SECONDS = 60.0  # if no zone and nobody rings
AGAIN_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # after an answer "not now", or a broken stream
SEALED_SECONDS_MAX = 0.5  # the same for what is nobody's: its mail waits, and its people
KEPT_SECONDS = 14 * 86_400.0  # a copy that was handed over: as long as mail for it may still be on its way here


class Mover:
    """Hands over and takes, from `start` to `stop`."""

    def __init__(
        self,
        party: Party,
        streams: Opens,
        subscribe: Callable[[Callable[[Directory], None]], Callable[[], None]],
    ) -> None:
        self.party, self._streams, self._subscribe = party, streams, subscribe
        self.inquiry = Inquiry(party, streams)
        self.taker = Taker(party, self.inquiry, self.wake)
        self.progress: dict[str, Progress] = {}
        self.runs: dict[str, Run] = {}
        self._bell = asyncio.Event()
        self._runs: asyncio.Task[None] | None = None
        self._going: dict[str, asyncio.Task[None]] = {}
        self._end: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin with what the last run left."""
        self._end = self._subscribe(lambda _: self.wake())
        self._runs = asyncio.create_task(self._run(), name="moves")

    async def stop(self) -> None:
        self._end()
        tasks = [task for task in (self._runs, *self._going.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look again: the zone may be another."""
        self._bell.set()

    async def _run(self) -> None:
        seen: Directory | None = None
        while True:
            self._bell.clear()
            try:
                if (zone := self.party.zone()) is not seen:
                    await self._note(zone)
                    seen = zone  # not what it is by now: a newer one is to be noted as well
                self._begin()
                await self.taker.tidy()
                await self._forget_old()
            except Exception:  # a full disk, or a fault of ours: moves outlive it
                log.exception("moves: trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._bell.wait()

    async def _note(self, zone: Directory) -> None:
        """Whom the zone names now, and named before."""
        party, now = self.party, self.party.clock()
        party.ownership.doubles.clear()  # who owns one too says so again
        await party.store.write(lambda tx: party.ownership.note_named(tx, zone, now))

    def _begin(self) -> None:
        for peer in {self.goes_to(one) for one in self.party.ownership.held()} - {""}:
            if peer not in self._going or self._going[peer].done():
                self._going[peer] = asyncio.create_task(self._give(peer), name=f"move to {peer}")

    def goes_to(self, one: Holding) -> str:
        """Whom a bucket is to be given to; "": nobody."""
        if one.map not in self.party.cargo:
            return ""
        if one.state == SEALED:  # whoever is lost has an heir; where that is this host, it finds out by itself
            peer = self.party.zone().stands_for(one.peer)
            return "" if peer == self.party.host else peer
        view = self.party.view(one.map, one.bucket)
        if one.state == DEMOTED:  # where the zone gives it back already, it is the heir that has it
            there = view.named if view.named not in ("", self.party.host) else one.peer
            return there if self.party.may_return() else ""
        return view.named if is_to_go(self.party.host, one, view) else ""

    async def _give(self, peer: str) -> None:
        """Hand over all that goes to a host, some at a time, until nothing does."""
        tries = 0
        self.runs[peer] = Run(self.party.clock())
        while group := self._group(peer):
            if await self._give_some(peer):
                tries = 0
                continue
            seconds = AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)]
            await asyncio.sleep(min(seconds, SEALED_SECONDS_MAX) if group[0].state == SEALED else seconds)
            tries += 1
        self.progress.pop(peer, None)
        self.runs.pop(peer, None)

    def _group(self, peer: str) -> list[Holding]:
        """What was sealed goes first, for that is nobody's."""
        found = [one for one in self.party.ownership.held() if self.goes_to(one) == peer]
        sealed = [one for one in found if one.state in GIVEN_UP]
        return (sealed or [one for one in found if one.state == OWNER])[:BUCKETS_AT_ONCE]

    async def _give_some(self, peer: str) -> bool:
        """Hand over one group after the other in one stream; tell whether anything was taken."""
        progress, given = Progress(peer, [], "waiting"), False
        self.progress.setdefault(peer, progress)
        try:
            reader, writer = await self._streams.open(peer, PURPOSE)
            with contextlib.closing(writer):
                line = Line(reader, writer)
                while group := await self._little(self._group(peer)):
                    progress = Progress(peer, [(one.map, one.bucket) for one in group], begun=self.party.clock())
                    self.progress[peer] = progress
                    taken = await Giver(self.party, line, progress).give(group)
                    if not taken:
                        progress.phase = "waiting"
                        break
                    self.runs[peer].handed += len(taken)
                    given = True
        except (Broken, OSError) as error:
            self._wait_for(progress, str(error))
            log.info("hand-over to %s: %s", peer, error)
        except Exception as error:
            self._wait_for(progress, repr(error))
            log.exception("hand-over to %s", peer)
        return given

    def _wait_for(self, progress: Progress, why: str) -> None:
        progress.phase, progress.why = "waiting", why
        self.progress[progress.peer] = progress

    async def _little(self, group: list[Holding]) -> list[Holding]:
        """As many of these buckets as have few units together, but one at least: all of them wait for the last."""
        units = await self.party.store.read(lambda reader: count_units(self.party, reader, group))
        upto = list(accumulate(units[one.map, one.bucket] for one in group))
        return [one for one, sum_ in zip(group, upto, strict=True) if sum_ <= max(UNITS_AT_ONCE, upto[0])]

    async def _forget_old(self) -> None:
        """Let go of copies that have been kept long enough."""
        before = self.party.clock() - KEPT_SECONDS
        held = self.party.ownership.held()
        await self.forget([one for one in held if one.state == TOMBSTONE and one.kept and one.since < before])

    async def forget(self, buried: list[Holding]) -> None:
        """Let go of the rows of buckets that were handed over; that they were stays known."""
        if buried:
            await clear(self.party, [(one.map, one.bucket) for one in buried])
            await self.party.store.write(lambda tx: self._note_gone(tx, buried))

    def _note_gone(self, tx: Transaction, buried: list[Holding]) -> None:
        there = [one for one in buried if find(tx, one.map, one.bucket) == one]  # or it comes back already
        self.party.ownership.put(tx, *(replace(one, kept=False) for one in there))
