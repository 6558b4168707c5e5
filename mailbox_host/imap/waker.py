"""One sleeper, woken by whoever has something for it.

Law: a wake that comes while nobody sleeps is not lost: the next wait returns at once.
"""

from __future__ import annotations

import asyncio


class Waker:
    """Cheaper than an asyncio.Event with a task around it: thousands of idle connections wait in one of these."""

    __slots__ = ("_awake", "_sleeper")

    def __init__(self) -> None:
        self._awake = False
        self._sleeper: asyncio.Future[bool] | None = None

    def wake(self) -> None:
        self._awake = True
        if self._sleeper and not self._sleeper.done():
            self._sleeper.set_result(True)

    async def wait(self, seconds: float | None) -> bool:
        """Sleep until woken (True), or for so long (False)."""
        if not self._awake:
            loop = asyncio.get_running_loop()
            sleeper = self._sleeper = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, self._give_up, sleeper)
            try:
                await sleeper
            finally:
                self._sleeper = None
                if timer:
                    timer.cancel()
        awake, self._awake = self._awake, False
        return awake

    @staticmethod
    def _give_up(sleeper: asyncio.Future[bool]) -> None:
        if not sleeper.done():
            sleeper.set_result(False)
