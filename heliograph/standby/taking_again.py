"""A host that takes mail again says so: with `standby = required` it refused all of it while its standby was away.

Law: a word of courtesy. Others have put its mail off with its 451s, ever longer; who does not hear this tries again in
its time, as ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from heliograph.moving.line import Opens

log = logging.getLogger("heliograph.standby")

PURPOSE = "again"
LOOK_SECONDS = 0.5
TELL_SECONDS_MAX = 3.0  # of one host, connecting included
TOLD_AT_ONCE = 64


class TakingAgain:
    """`refuses`: whether nothing is taken now; `refusals`: how often that began; `others`: whom to tell; `hurry`: have
    mail for a host tried now."""

    def __init__(
        self,
        streams: Opens,
        refuses: Callable[[], bool],
        refusals: Callable[[], int],
        others: Callable[[], Iterable[str]],
        hurry: Callable[[str], None],
    ) -> None:
        self._streams, self._refuses, self._refusals = streams, refuses, refusals
        self._others, self._hurry = others, hurry

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Another host says so of itself."""
        self._hurry(peer)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look out for the moment as long as this is open."""
        task = asyncio.create_task(self._run(), name="taking again")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        told = self._refusals()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            refusals = self._refusals()
            if refusals != told and not self._refuses():
                told = refusals
                try:
                    await self._tell_all()
                except Exception:  # a fault of ours: who was not told tries again in its time
                    log.exception("others are told that mail is taken again")

    async def _tell_all(self) -> None:
        turns = asyncio.Semaphore(TOLD_AT_ONCE)
        await asyncio.gather(*(self._tell(host, turns) for host in self._others()))

    async def _tell(self, host: str, turns: asyncio.Semaphore) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with turns, asyncio.timeout(TELL_SECONDS_MAX):
                reader, writer = await self._streams.open(host, PURPOSE)
                with contextlib.closing(writer):
                    await reader.read(1)  # until it has heard
