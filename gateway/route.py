"""What is behind a path: a table of routes, and requests and responses as values.

Law: pure. A route says how large a body it takes, so that nobody sends one where none is wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

Method = Literal["GET", "POST"]

PATH_PARTS_MAX = 16  # no path of ours has more than five


@dataclass(frozen=True, slots=True)
class Request:
    """One request whose body has arrived. `place`: what stood in the path for ``{id}``; `peer`: the client's address.
    Names of header fields are found in any case."""

    method: Method
    path: str
    place: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `content_type` has its charset where it is text."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, as ``/v1/sources/{id}/posts``, and who answers. A handler of GET changes nothing: mail
    scanners and link previews ask for whatever stands in a message. HEAD is answered as GET is, without the body."""

    method: Method
    path: str
    handler: Handler
    body_octets_max: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request, and what stood in its path."""

    route: Route
    place: Mapping[str, str]


def find(routes: Iterable[Route], method: str, path: str) -> Found | Response:
    """Return who answers, or the answer where nobody does. `path`: as it was sent, percent signs and all."""
    method = "GET" if method == "HEAD" else method
    allowed: list[str] = []
    for route in routes:
        place = _matched(route.path, path)
        if place is None:
            continue
        if route.method == method:
            return Found(route, place)
        allowed += ["GET", "HEAD"] if route.method == "GET" else [route.method]
    if allowed:
        return Response(405, b"method not allowed\n", headers={"Allow": ", ".join(allowed)})  # RFC 9110 15.5.6
    return Response(404, b"not found\n")


def _matched(pattern: str, path: str) -> dict[str, str] | None:
    """Compare part by part: an escaped slash (%2F) is a letter of its part."""
    wanted, parts = pattern.split("/"), path.split("/", PATH_PARTS_MAX)
    if len(wanted) != len(parts):
        return None
    place = {}
    for want, part in zip(wanted, parts, strict=True):
        if want.startswith("{"):
            place[want[1:-1]] = unquote(part)
        elif want != part:
            return None
    return place
