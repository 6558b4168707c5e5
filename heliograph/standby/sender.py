"""Keeps this host's standby: whom the zone names, a stream to it, and what is told while it is away.

Law: no second MX in the zone, no standby and no cost. What the zone says now counts now: the terms are agreed with the
store before anything is sent, and end when the zone names nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from directory.snapshot import Directory
from heliograph.moving.frames import Broken
from heliograph.standby.passage import Passage
from heliograph.standby.progress import Progress
from heliograph.standby.words import PURPOSE
from heliograph.streams import Streams
from store import StandbyBehind, Store
from store.identity import identity
from store.telling import Terms

log = logging.getLogger("heliograph.standby")

REQUIRED = "required"
# A client waits longer than this for a 250. A standby that starts again is back by then.
REQUIRED_PATIENCE_SECONDS = 10.0
PREFERRED_PATIENCE_SECONDS = 2.0
AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
LOOK_SECONDS = 0.25
STOP_SECONDS_MAX = 3.0  # for the last commits to be held


@dataclass(frozen=True, slots=True)
class StandbyState:
    """This host's standby. `phase`: away, copying, catching up, in step; `behind`: nothing is acknowledged (required),
    or it goes on without (preferred); `why`: what the last stream ended with; `as_of`: when the newest commit that is
    held was made, 0 where that is not known; `pages_done` of `pages`: of a copy; `octets`: sent since the start."""

    standby: str
    mode: str
    phase: str
    behind: bool
    why: str
    as_of: float
    waiting_octets: int
    pages_done: int
    pages: int
    octets: int


class Sender:
    """Keeps the standby from `start` to `stop`."""

    def __init__(
        self,
        host: str,
        store: Store,
        streams: Streams,
        zone: Callable[[], Directory],
        mode: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._store, self._streams, self._zone = host, store, streams, zone
        self._clock, self._mode = clock, mode
        patience = REQUIRED_PATIENCE_SECONDS if mode == REQUIRED else PREFERRED_PATIENCE_SECONDS
        self._terms = Terms(mode == REQUIRED, patience)
        self._standby = ""
        self._passage: Passage | None = None
        self._progress = Progress()
        self._refusals = 0
        self._keeping: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()
        self._end: Callable[[], None] = lambda: None

    async def start(self, subscribe: Callable[[Callable[[Directory], None]], Callable[[], None]]) -> None:
        """From here on nothing is acknowledged but under the terms."""
        self._end = subscribe(lambda _: self._soon())
        await self._settle()

    async def stop(self) -> None:
        """Let the last commits be held, if they can; then end."""
        self._end()
        await asyncio.gather(*self._changes, return_exceptions=True)
        if self._standby:
            with contextlib.suppress(TimeoutError, StandbyBehind):
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self._store.write(lambda tx: None)  # is told after all before it
        await self._end_stream()
        self._store.shipping.end()

    def state(self) -> StandbyState | None:
        """None where the zone names no standby."""
        if not self._standby:
            return None
        progress, passage = self._progress, self._passage
        return StandbyState(
            self._standby,
            self._mode,
            progress.phase,
            self._store.shipping.is_behind,
            progress.why,
            progress.as_of,
            passage.octets_waiting if passage else 0,
            progress.pages_done,
            progress.pages,
            progress.octets,
        )

    def refuses(self) -> bool:
        """Tell whether nothing is acknowledged now, for the standby does not hold it."""
        return self._store.shipping.is_behind and self._mode == REQUIRED

    def refusals(self) -> int:
        """How often that began: one that was short is over before anybody looks."""
        return self._refusals

    def is_alone(self) -> bool | None:
        """Tell whether writes are acknowledged that the standby does not hold; None: there is none."""
        return self._store.shipping.is_behind and self._mode != REQUIRED if self._standby else None

    def _soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._settle())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _settle(self) -> None:
        """Do what the zone says now."""
        await self._keep(self._zone().standbys.get(self._host, ""))

    async def _keep(self, standby: str) -> None:
        async with self._changing:
            if standby == self._standby:
                return
            await self._end_stream()
            self._standby, self._progress = standby, Progress()
            self._store.shipping.agree(self._terms if standby else None)
            log.info("the standby is %s, %s", standby or "nobody", self._mode)
            if standby:
                self._keeping = asyncio.create_task(self._run(standby), name=f"standby {standby}")

    async def _end_stream(self) -> None:
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
            self._keeping = None

    async def _run(self, standby: str) -> None:
        looking = asyncio.create_task(self._look(standby))
        try:
            tries = 0
            while True:
                began = time.monotonic()
                await self._stream(standby)
                tries = 0 if time.monotonic() - began > AGAIN_SECONDS[-1] else tries  # it was there for a while
                await asyncio.sleep(AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)])
                tries += 1
        finally:
            looking.cancel()

    async def _stream(self, standby: str) -> None:
        """One stream, from its beginning to its end."""
        progress, shipping = self._progress, self._store.shipping
        try:
            reader, writer = await self._streams.open(standby, PURPOSE)
            with contextlib.closing(writer):
                database = await self._store.read(identity)
                self._passage = Passage(shipping, database, reader, writer, progress, self._tell_back, self._clock)
                await self._passage.run()
        except (Broken, OSError, ValueError, KeyError, TypeError) as error:
            if progress.why != str(error):
                log.warning("standby %s: %s", standby, error)
            progress.why = str(error)
        except Exception as error:  # a fault of ours: the host outlives it
            progress.why = repr(error)
            log.exception("standby %s", standby)
        finally:
            progress.phase, self._passage = "away", None
            await asyncio.shield(asyncio.wrap_future(shipping.stop()))

    async def _look(self, standby: str) -> None:
        """See whether it answers in time."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._store.shipping.look(time.monotonic()):
                self._refusals += self._terms.required
                what = "nothing is acknowledged" if self._terms.required else "it goes on without"
                log.warning("standby %s does not hold what is committed here: %s", standby, what)

    def _tell_back(self) -> None:
        self._progress.why = ""
        log.warning("standby %s holds everything again", self._standby)
