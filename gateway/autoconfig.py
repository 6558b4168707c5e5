"""Thunderbird's autoconfig document: what a mail client must know, from an address alone.

Law: it says what the zone's SRV records say, so that there is one place to change. It is the same for everybody: nobody
learns from it who has an account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from xml.sax.saxutils import escape

from directory.snapshot import Directory, Service
from gateway.route import Request, Response, Route

# Both are asked for, the first at autoconfig.D and the second at D itself.
PATHS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")
CACHED = {"Cache-Control": "public, max-age=300"}  # as long as the zone's records are remembered, by default
EACH_MAX = 4  # of one kind; a client takes the first it can use

_KINDS = {  # the zone's word -> the document's words
    "imaps": ("incomingServer", "imap", "SSL"),
    "imap": ("incomingServer", "imap", "STARTTLS"),
    "submissions": ("outgoingServer", "smtp", "SSL"),
    "submission": ("outgoingServer", "smtp", "STARTTLS"),
}


def autoconfig_routes(now: Callable[[], Directory]) -> tuple[Route, ...]:
    """Where the document is asked for. `now`: the zone as it is."""

    async def answer(_: Request) -> Response:
        directory = now()
        text = document(directory.names.domain, directory.services)
        if not text:
            return Response(404, b"the zone names no services for mail clients\n")
        return Response(200, text.encode(), "application/xml; charset=utf-8", CACHED)

    return tuple(Route("GET", path, answer) for path in PATHS)


def document(domain: str, services: Sequence[Service]) -> str:
    """Write the document; "" where a client could not both read and write: it would refuse half of it."""
    if not all(any(service.name.startswith(start) for service in services) for start in ("imap", "submission")):
        return ""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<clientConfig version="1.1">',
        f'  <emailProvider id="{escape(domain)}">',
        f"    <domain>{escape(domain)}</domain>",
        f"    <displayName>{escape(domain)}</displayName>",
        f"    <displayShortName>{escape(domain)}</displayShortName>",
    ]
    for name in _KINDS:
        for service in islice((service for service in services if service.name == name), EACH_MAX):
            lines += _server(service)
    return "\n".join([*lines, "  </emailProvider>", "</clientConfig>", ""])


def _server(service: Service) -> Iterator[str]:
    element, kind, socket = _KINDS[service.name]
    yield f'    <{element} type="{kind}">'
    yield f"      <hostname>{escape(service.host)}</hostname>"
    yield f"      <port>{service.port}</port>"
    yield f"      <socketType>{socket}</socketType>"
    yield "      <authentication>password-cleartext</authentication>"  # inside TLS: no other kind is offered
    yield "      <username>%EMAILADDRESS%</username>"
    yield f"    </{element}>"
