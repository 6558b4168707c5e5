"""What this host answers over HTTPS.

Law: the table of routes is made here, and nowhere else; the gateway knows paths and octets, rooms know neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from directory.snapshot import Directory
from gateway.autoconfig import autoconfig_routes
from gateway.metrics import Measure, Network, metrics_routes
from gateway.posts import Publisher, post_routes
from gateway.route import Request, Response, Route


def routes(
    now: Callable[[], Directory], publisher: Publisher, measure: Measure, watchers: Sequence[Network]
) -> tuple[Route, ...]:
    """Every route of a running host. `now`: the zone as it is; `publisher`: who takes posts; `measure`: the host's
    figures, for `watchers`."""
    return (
        Route("GET", "/healthz", _is_up),
        *metrics_routes(measure, watchers),
        *autoconfig_routes(now),
        *post_routes(publisher),
    )


async def _is_up(_: Request) -> Response:
    """A host that answers runs: all its doors open together. For load balancers, which shall learn no more."""
    return Response(200, b"ok\n")
