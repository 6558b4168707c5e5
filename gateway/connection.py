"""One connection to the HTTPS door.

Law: counted before anything is read. What is wrong with a request is said in a word, and never what runs here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from spool.crowd import Crowd

log = logging.getLogger(__name__)

NAME = "heliograph"  # instead of the library's name and version


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
