"""What this host answers over HTTPS.

Law: the table of routes is made here, and nowhere else; the gateway knows paths and octets, rooms know neither.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.autoconfig import autoconfig_routes
from gateway.metrics import Measure, metrics_routes
from gateway.posts import post_routes
from gateway.route import Request, Response, Route
from gateway.server import HttpsServer
from gateway.settings import Settings
from gateway.unsubscribe import unsubscribe_routes
from gateway.websub import websub_routes
from heliograph.configuration.settings import Config
from heliograph.door.clients import Clients
from heliograph.door.door import HostDoor
from heliograph.door.publishing import HttpPublisher
from heliograph.outside.one_click import OneClick
from heliograph.rooms import HostRooms
from ingest.hub import HubDesk
from spool.callout import Callout
from store import Store


def routes(
    config: Config,
    store: Store,
    rooms: HostRooms,
    clients: Clients,
    door: HostDoor,
    callout: Callout,
    poll: Callable[[], None],
    measure: Measure,
    clock: Callable[[], float],
) -> tuple[Route, ...]:
    """Every route of a running host. `poll`: look which feeds are due; `measure`: the host's figures."""
    octets_max = config.smtp.message_octets_max
    publisher = HttpPublisher(clients.applications, door, lambda: rooms.now().names, octets_max, clock)
    click = OneClick(rooms.flow, store, rooms.knows, callout.ask, rooms.now, clock)
    return (
        Route("GET", "/healthz", _is_up),
        *metrics_routes(measure, config.metrics_networks),
        *autoconfig_routes(rooms.now),
        *post_routes(publisher),
        *unsubscribe_routes(click.could_be, click.leave),
        *websub_routes(HubDesk(store, poll, clock)),
    )


async def open_https(
    config: Config, name: str, table: tuple[Route, ...], tls: ssl.SSLContext, running: AsyncExitStack
) -> None:
    """Answer at the host's address; `running` closes the door."""
    https = HttpsServer(table, Settings(), tls)
    running.push_async_callback(https.close)
    await https.serve(config.host(name).address, config.ports.https)


async def _is_up(_: Request) -> Response:
    """A host that answers runs: all its doors open together. For load balancers, which shall learn no more."""
    return Response(200, b"ok\n")
