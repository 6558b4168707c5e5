"""The doors opened and closed: listening sockets, and the sessions that came in through them.

Law: closing loses no message: idle clients are told 421, a commit in progress is finished and answered first.
"""

from __future__ import annotations

import asyncio
import ssl

from spool.door import Door, Role
from spool.lmtp_server import LmtpServer
from spool.lobby import Entrance, Lobby
from spool.smtp_server import SmtpServer
from spool.smtp_settings import Settings

BACKLOG = 1024  # connections that may wait while the loop is busy; the kernel bounds it by somaxconn


class Listener:
    """One listening socket and its sessions."""

    def __init__(self, server: asyncio.Server, entrance: Entrance) -> None:
        self._server, self._entrance = server, entrance
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, say good-bye to everybody, let commits finish."""
        self._server.close()
        await self._entrance.empty()


async def serve(
    door: Door,
    settings: Settings,
    role: Role,
    bind: tuple[str, int],
    tls: ssl.SSLContext | None = None,
    implicit_tls: bool = False,
    lobby: Lobby | None = None,
) -> Listener:
    """Open a door. `tls` is offered by STARTTLS, or spoken from the first octet (`implicit_tls`, RFC 8314). Give the
    doors of one host one `lobby`, and they share its limits."""
    entrance = Entrance(door, settings, role, tls, lobby or Lobby(settings))
    session = LmtpServer if role == "lmtp" else SmtpServer
    server = await asyncio.get_running_loop().create_server(
        lambda: session(entrance),
        *bind,
        ssl=tls if implicit_tls else None,
        ssl_handshake_timeout=settings.handshake_seconds_max if implicit_tls else None,
        backlog=BACKLOG,
    )
    return Listener(server, entrance)
