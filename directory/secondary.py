"""When to ask the primary: at the start, on NOTIFY, and by the SOA's own times (RFC 1035 3.3.13, RFC 1996).

Law: it never gives up and never hurries: one question at a time, and the SOA's times are believed within limits. A zone
does not expire here: with the primary gone, the last good zone is what the fabric routes by.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from directory.zone import Zone, soa_numbers

FIRST_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # while there is no zone at all: hosts start in any order
REFRESH_SECONDS_MIN, REFRESH_SECONDS_MAX = 5.0, 3_600.0

GAP_SECONDS = 0.1  # between two questions, however fast (forged) NOTIFYs come

log = logging.getLogger(__name__)


class Follower:
    """`refresh` asks once and says whether the primary answered."""

    def __init__(self, refresh: Callable[[], Awaitable[bool]]) -> None:
        self.first = asyncio.Event()  # set once there is a zone
        self._refresh = refresh
        self._rung = asyncio.Event()
        self._refresh_seconds, self._retry_seconds = 0.0, 0.0

    def served(self, zone: Zone) -> None:
        """Note the times of the zone that is now served."""
        _, refresh, retry, _, _ = soa_numbers(zone.soa.rdatas[0])
        self._refresh_seconds, self._retry_seconds = _bounded(refresh), _bounded(retry)
        self.first.set()

    def wake(self) -> None:
        """NOTIFY came. Many at once are one question."""
        self._rung.set()

    async def run(self) -> None:
        tries = 0
        while True:
            self._rung.clear()
            answered = await self._ask()
            tries = 0 if answered else tries + 1
            await self._rest(answered, tries)

    async def _ask(self) -> bool:
        try:
            return await self._refresh()
        except Exception:  # a surprise in one version must not end the following of the next
            log.exception("dns: the primary's zone could not be taken")
            return False

    async def _rest(self, answered: bool, tries: int) -> None:
        await asyncio.sleep(GAP_SECONDS)
        wait = self._refresh_seconds if answered else self._retry_seconds
        if not self.first.is_set():
            wait = FIRST_SECONDS[min(tries, len(FIRST_SECONDS) - 1)]
        try:
            async with asyncio.timeout(wait):
                await self._rung.wait()
        except TimeoutError:
            pass


def _bounded(seconds: int) -> float:
    return min(max(float(seconds), REFRESH_SECONDS_MIN), REFRESH_SECONDS_MAX)
