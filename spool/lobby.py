"""Who is inside, and whether one more may come in.

Law: connections are counted in total and by address; loopback is exempt from the count by address, for proxies and
this host's own tools come from there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import Counter
from typing import Protocol

from spool import replies
from spool.data_reader import Room
from spool.door import Door, Role
from spool.smtp_settings import Settings


class Lobby:
    """One for all the doors of a host, or one for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._present: Counter[str] = Counter()
        self._count = 0
        self.room = Room(settings.octets_in_flight_max)

    def enter(self, address: str) -> bytes | None:
        """Count a connection; return the reply that sends it away again, or None. `leave` must follow in any case."""
        self._count += 1
        self._present[address] += 1
        if self._count > self._settings.connections_max:
            return replies.BUSY
        if self._present[address] > self._settings.connections_per_address_max and not is_loopback(address):
            return replies.TOO_MANY_CONNECTIONS
        return None

    def leave(self, address: str) -> None:
        self._count -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]


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


def is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
