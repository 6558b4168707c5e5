"""Opens the doors through which mail comes in: SMTP, submission, LMTP.

Law: all of them ask one door, and share one lobby: who fills it by one port fills it for the others. A port of 0 is
a door that stays closed: another server has it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack

from heliograph.configuration.settings import Config
from heliograph.door.clients import Clients
from heliograph.door.door import HostDoor
from heliograph.door.doormen import Doormen
from heliograph.rooms import HostRooms
from spool.callout import Callout
from spool.door import Door
from spool.listeners import serve
from spool.lobby import Lobby
from spool.smtp_settings import Settings as SmtpSettings
from store import Store


def door_of(store: Store, rooms: HostRooms, callout: Callout, clients: Clients, clock: Callable[[], float]) -> HostDoor:
    """Who decides at all of them: what the rooms, the other hosts and the passwords say."""
    doormen = Doormen(
        rooms.knows,
        rooms.is_full,
        rooms.reflector.refuses,
        callout,
        clients.login.check,
        clients.applications.check,
        clients.applications.wait,
        rooms.shelf,
    )
    return HostDoor(store, rooms.flow, rooms.queue, doormen, clock)


async def open_mail_doors(config: Config, name: str, door: Door, tls: ssl.SSLContext, running: AsyncExitStack) -> None:
    """Open them at the host's address; `running` closes them, the last one first."""
    ports = config.ports
    settings = SmtpSettings(
        hostname=f"{name}.{config.domain}",
        domain=config.domain,
        fronts=config.smtp.fronts,
        message_octets_max=config.smtp.message_octets_max,
        recipients_max=config.smtp.recipients_max,
    )
    lobby = Lobby(settings)
    for role, port, implicit in (
        ("mx", ports.smtp, False),
        ("submission", ports.submission, False),
        ("submission", ports.submissions, True),
        ("lmtp", ports.lmtp, False),
    ):
        if not port:
            continue
        listener = await serve(door, settings, role, (config.host(name).address, port), tls, implicit, lobby)  # type: ignore[arg-type]
        running.push_async_callback(listener.close)
