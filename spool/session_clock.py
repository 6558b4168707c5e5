"""How long a client may take: until its next command, and altogether.

Law: only a whole command resets the idle time, so that dripping octets hold nothing open; and however busy a client
looks, a phase has an end. What takes long on our side is not the client's fault: the clock stands still.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class SessionClock:
    """Calls `expired` once the client has been idle, or in one phase, for too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle_seconds_max: float, expired: Callable[[], object]) -> None:
        self._loop, self._idle_seconds_max, self._expired = loop, idle_seconds_max, expired
        self._idle_until = self._phase_until = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self, phase_seconds_max: float) -> None:
        self.begin_phase(phase_seconds_max)
        self._tick()

    def begin_phase(self, seconds_max: float) -> None:
        """From now on the client has this long, unless it is idle before."""
        self._phase_until = self._loop.time() + seconds_max
        self.touch()
        if self._timer is not None and self._timer.when() > self._phase_until:
            self._timer.cancel()
            self._tick()

    def touch(self) -> None:
        """The client did something whole."""
        self._idle_until = self._loop.time() + self._idle_seconds_max

    def suspend(self) -> None:
        """Stand still until the next `begin_phase`."""
        self._idle_until = self._phase_until = math.inf

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        """One timer for all that `touch` does: moving a number is cheaper than moving a timer."""
        left = min(self._idle_until, self._phase_until) - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(min(left, self._idle_seconds_max), self._tick)
        else:
            self._expired()
