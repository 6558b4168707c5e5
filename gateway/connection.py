"""One connection to the HTTPS door, and how many there may be.

Law: counted before anything is read. What is wrong with a request is said in a word, and never what runs here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from spool.lobby import is_loopback

log = logging.getLogger(__name__)

NAME = "heliograph"  # instead of the library's name and version


class Crowd:
    """Who is connected, by address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most, self._most_per_address = most, most_per_address
        self._present: Counter[str] = Counter()
        self._count = 0

    def enter(self, address: str) -> bool:
        """Count a connection; tell whether it may stay. `leave` must follow in any case."""
        self._count += 1
        self._present[address] += 1
        if self._count > self._most:
            return False
        return self._present[address] <= self._most_per_address or is_loopback(address)

    def leave(self, address: str) -> None:
        self._count -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]


class Connection(web.RequestHandler):
    """A connection that is admitted, and whose errors are ours."""

    __slots__ = ("_address", "_crowd")

    def __init__(self, server: web.Server, crowd: Crowd, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._crowd, self._address = crowd, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        super().connection_made(transport)
        if not self._crowd.enter(self._address):
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowd.leave(self._address)
        super().connection_lost(exc)

    def handle_error(
        self, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= 500:
            log.error("a request for %.200r failed", getattr(request, "path", ""), exc_info=exc)
        text = HTTPStatus(status).phrase.lower().encode() + b"\n"
        return plain(status, text, {"Content-Type": "text/plain; charset=utf-8"}, last=True)


def plain(status: int, body: bytes, headers: Mapping[str, str], *, last: bool) -> web.Response:
    """An answer of aiohttp's. `last`: the connection ends with it."""
    response = web.Response(status=status, body=body, headers={"Server": NAME, **headers})
    if last:
        response.force_close()
    return response
