"""Who is inside, and whether one more may come in.

Law: who is sent away again hears why; who is inside when the host ends has what is under way committed first.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol

from spool import replies
from spool.crowd import Crowd
from spool.data_reader import Room
from spool.door import Door, Role
from spool.smtp_settings import Settings


class Lobby:
    """One for all the doors of a host, or one for each."""

    def __init__(self, settings: Settings) -> None:
        self.crowd = Crowd(settings.connections_max, settings.connections_per_address_max)
        self.room = Room(settings.octets_in_flight_max)

    def enter(self, address: str) -> bytes | None:
        """Count a connection; return the reply that sends it away again, or None. `leave` must follow in any case."""
        if self.crowd.enter(address):
            return None
        return replies.BUSY if self.crowd.is_too_large else replies.TOO_MANY_CONNECTIONS

    def leave(self, address: str) -> None:
        self.crowd.leave(address)


class Guest(Protocol):
    """A session, as the entrance sees it."""

    def dismiss(self, farewell: bytes) -> None: ...

    def abort(self) -> None: ...


class Entrance:
    """What the sessions of one listening socket share, and which there are."""

    def __init__(self, door: Door, settings: Settings, role: Role, tls: ssl.SSLContext | None, lobby: Lobby) -> None:
        self.door, self.settings, self.role, self.tls, self.lobby = door, settings, role, tls, lobby
        self._sessions: set[Guest] = set()
        self._left = asyncio.Event()

    def came(self, session: Guest) -> None:
        self._sessions.add(session)

    def gone(self, session: Guest) -> None:
        self._sessions.discard(session)
        self._left.set()

    async def empty(self) -> None:
        """Say good-bye to everybody and wait for commits; then cut off who is still there."""
        for session in tuple(self._sessions):
            session.dismiss(replies.CLOSING)
        try:
            async with asyncio.timeout(self.settings.close_seconds_max):
                while self._sessions:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            for session in tuple(self._sessions):
                session.abort()
