"""Connections that wait for more mail: most mail comes in bursts.

Law: as many as may be open at all, each for a short while; whoever ends a connection says QUIT if it still can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from spool.destination import Destination
from spool.runner_settings import Settings
from spool.smtp_client import Session

QUIT_SECONDS_MAX = 1.0  # at the end of all, for those that are still saying it


class Kept:
    """Of all destinations; each holds its own (`Destination.idle`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timers: dict[Session, asyncio.TimerHandle] = {}  # of all that wait
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    def put(self, destination: Destination, session: Session | None) -> None:
        """Hold a connection open for a while, if it is of any use."""
        if session is None:
            return
        if self._closed or len(self._timers) >= self._settings.connections_max or not session.is_usable:
            self._leave(session)
            return
        destination.idle.append(session)
        later = asyncio.get_running_loop().call_later
        self._timers[session] = later(self._settings.idle_seconds, self._expire, destination, session)

    def take(self, destination: Destination) -> Session | None:
        """Return one that can still be used."""
        while destination.idle:
            session = destination.idle.pop()
            self._timers.pop(session).cancel()
            if session.is_usable:
                return session
            session.close()
        return None

    async def close(self, destinations: Iterable[Destination]) -> None:
        """Hang up everywhere, and hold no more."""
        self._closed = True
        for destination in destinations:
            while session := self.take(destination):
                self._leave(session)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=QUIT_SECONDS_MAX)

    def _expire(self, destination: Destination, session: Session) -> None:
        del self._timers[session]
        destination.idle.remove(session)
        self._leave(session)

    def _leave(self, session: Session) -> None:
        if not session.is_usable:
            session.close()
            return
        task = asyncio.get_running_loop().create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
