"""The HTTPS server of a host: listens, admits, reads a request whole, has it answered, writes the answer.

Law: the only file that knows aiohttp. What a handler does wrong is logged here, and told to nobody.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway.connection import Connection, plain
from gateway.problem import Problem, response_of
from gateway.route import Found, Request, Response, Route, find
from gateway.settings import Settings
from spool.crowd import Crowd

log = logging.getLogger(__name__)

BACKLOG = 128
PROGRAMS = "/v1/"  # what begins so is asked by programs
# Whatever a browser makes of an answer, it runs nothing, frames nothing and guesses no type.
HARMLESS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
CACHED = {"Cache-Control": "no-store"}  # unless a response says otherwise


class HttpsServer:
    """Serves a table of routes, at any number of addresses."""

    def __init__(self, routes: Sequence[Route], settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._routes, self._settings, self._tls = tuple(routes), settings, tls
        self._crowd = Crowd(settings.connections_max, settings.connections_per_address_max)
        self._server: _Server | None = None
        self._listeners: list[asyncio.Server] = []

    async def serve(self, address: str, port: int) -> int:
        """Listen; return the port."""
        loop = asyncio.get_running_loop()
        if self._server is None:
            self._server = _Server(self._answer, self._settings, self._crowd)
        listener = await loop.create_server(
            self._server,
            address,
            port,
            ssl=self._tls,
            ssl_handshake_timeout=self._settings.handshake_seconds_max if self._tls else None,
            backlog=BACKLOG,
        )
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening; let what is being answered be answered."""
        for listener in self._listeners:
            listener.close()
        if self._server:
            self._server.pre_shutdown()  # who waits for a next request is not waited for
            await self._server.shutdown(self._settings.close_seconds_max)

    async def _answer(self, asked: web.BaseRequest) -> web.StreamResponse:
        found = find(self._routes, asked.method, asked.rel_url.raw_path)
        if isinstance(found, Response):
            return _written(_for_programs(found) if asked.path.startswith(PROGRAMS) else found)
        try:
            async with asyncio.timeout(self._settings.answer_seconds_max):
                body = await _body(asked, found.route.body_octets_max)
                if isinstance(body, Response):
                    return _written(body, last=True)  # RFC 9110 15.5.14: the rest of the body is not waited for
                return _written(await found.route.handler(_request(asked, found, body)))
        except TimeoutError:
            log.warning("%s %s took too long", asked.method, found.route.path)
            return _written(Response(503, b"try again later\n", headers={"Retry-After": "60"}), last=True)


class _Server(web.Server):
    """Makes a connection for every client."""

    def __init__(self, handler: Any, settings: Settings, crowd: Crowd) -> None:
        super().__init__(handler, request_factory=_asked)
        self._crowd, self._limits = crowd, settings

    def __call__(self) -> Connection:
        limits = self._limits
        return Connection(
            self,
            self._crowd,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=limits.idle_seconds_max,
            max_line_size=limits.line_octets_max,
            max_field_size=limits.field_octets_max,
            max_headers=limits.fields_max,
            lingering_time=1.0,
            auto_decompress=False,  # a body that unpacks to more than it is never reaches memory
        )


def _asked(
    message: Any, payload: Any, protocol: Any, writer: AbstractStreamWriter, task: asyncio.Task[None]
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())


async def _body(asked: web.BaseRequest, octets_max: int) -> bytes | Response:
    """Read the body, no more of it than the route takes."""
    if asked.headers.get("Content-Encoding", "identity").lower() != "identity":
        return response_of(Problem(415, "send the body as it is", {"Accept-Encoding": "identity"}))
    if (asked.content_length or 0) > octets_max:
        return response_of(Problem(413, f"at most {octets_max} octets"))
    if asked.headers.get("Expect", "").lower() == "100-continue":  # RFC 9110 10.1.1: it waits before it sends
        await asked.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        async for chunk in asked.content.iter_any():
            body += chunk
            if len(body) > octets_max:
                return response_of(Problem(413, f"at most {octets_max} octets"))
    except (web.RequestPayloadError, ConnectionError):  # chunks that are none; a client that is gone
        return Response(400, b"bad request\n")
    return bytes(body)


def _for_programs(nobody: Response) -> Response:
    """Say as a problem (RFC 9457) that there is nothing, to who reads nothing else."""
    return response_of(Problem(nobody.status, nobody.body.decode().strip(), nobody.headers))


def _request(asked: web.BaseRequest, found: Found, body: bytes) -> Request:
    url = asked.rel_url
    return Request(found.route.method, url.raw_path, found.place, url.query, asked.headers, body, asked.remote or "")


def _written(response: Response, *, last: bool = False) -> web.Response:
    headers = {**HARMLESS, **CACHED, **response.headers, "Content-Type": response.content_type}
    return plain(response.status, response.body, headers, last=last)
