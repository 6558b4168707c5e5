"""The HTTPS door over real sockets: what it answers, and what it does not let a stranger do."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from gateway.route import Found, Request, Response, Route, find
from gateway.server import HttpsServer
from gateway.settings import Settings
from heliograph.founding.certificates import make_ca, make_server


async def echo(request: Request) -> Response:
    place = ",".join(f"{name}={value}" for name, value in request.place.items())
    return Response(200, f"{request.method} {place} ".encode() + request.body)


async def broken(request: Request) -> Response:
    raise ValueError("a secret of ours")


async def slow(request: Request) -> Response:
    await asyncio.sleep(60)
    return Response(200)


ROUTES = (
    Route("GET", "/things/{id}", echo),
    Route("POST", "/things/{id}/parts", echo, body_octets_max=100),
    Route("GET", "/broken", broken),
    Route("GET", "/slow", slow),
)

USUAL = Settings()
CLOSE_SECONDS = 2.0  # less than the 5 that the door gives who is being answered


@contextlib.asynccontextmanager
async def door(
    settings: Settings = USUAL, tls: ssl.SSLContext | None = None, more: Sequence[Route] = ()
) -> AsyncIterator[int]:
    server = HttpsServer((*ROUTES, *more), settings, tls)
    port = await server.serve("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.close()


async def say(port: int, octets: bytes) -> bytes:
    """Everything that comes back for these very octets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_over_tls_with_the_hosts_certificate(tmp_path: Path) -> None:
    ca = make_ca("fabric.test", time.time())
    pair = make_server(ca, host="host-1", domain="fabric.test", address="127.0.0.1", now=time.time())
    (tmp_path / "c.pem").write_bytes(pair.certificate_pem() + pair.key_pem())
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "c.pem")
    trust = ssl.create_default_context(cadata=ca.certificate_pem().decode())
    async with door(tls=tls) as port, aiohttp.ClientSession() as client:
        async with client.get(f"https://127.0.0.1:{port}/things/7", ssl=trust) as answer:
            assert (answer.status, await answer.text()) == (200, "GET id=7 ")
            assert answer.headers["Server"] == "heliograph"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-store"
        with pytest.raises(aiohttp.ClientError):  # plain HTTP is not spoken
            await client.get(f"http://127.0.0.1:{port}/things/7")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/things/7", 200),
        ("HEAD", "/things/7", 200),
        ("POST", "/things/7", 405),
        ("DELETE", "/things/7", 405),
        ("GET", "/things/7/parts", 405),
        ("GET", "/things", 404),
        ("GET", "/things/7/", 404),
        ("GET", "/Things/7", 404),
        ("GET", "/" + "x/" * 1000, 404),
        ("GET", "/slow/../things/7", 404),
        ("GET", "/v1/things", 404),
    ],
)
async def test_which_method_and_path_are_answered(method: str, path: str, status: int) -> None:
    async with door() as port:
        answer = await say(port, f"{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert bool(body) is (method != "HEAD")
    assert (b"application/problem+json" in head) is path.startswith("/v1/")
    if status == 405:
        assert b"\r\nAllow: " + (b"POST" if path.endswith("parts") else b"GET, HEAD") in head


def test_an_escaped_slash_is_a_letter() -> None:
    found = find(ROUTES, "GET", "/things/a%2Fb%00%C3%A9")
    assert isinstance(found, Found) and found.place == {"id": "a/b\0é"}


async def test_a_body_is_taken_up_to_what_the_route_says() -> None:
    post = b"POST /things/7/parts HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"
    async with door() as port:
        full = await say(port, post + b"Content-Length: 100\r\n\r\n" + b"x" * 100)
        assert full.startswith(b"HTTP/1.1 200 ") and full.endswith(b"POST id=7 " + b"x" * 100)
        announced = await say(port, post + b"Content-Length: 101\r\n\r\n")  # answered without waiting for it
        assert announced.startswith(b"HTTP/1.1 413 ")
        chunks = (b"32\r\n" + b"x" * 50 + b"\r\n") * 3
        assert (await say(port, post + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)).startswith(b"HTTP/1.1 413 ")
        torn = await say(port, post + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert b" 400 Bad Request" in torn
        packed = await say(port, post + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        assert packed.startswith(b"HTTP/1.1 415 ")
        unwanted = await say(port, b"GET /things/7 HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nhello")
        assert unwanted.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_asks_first_is_told_to_go_on_or_not() -> None:
    async with door() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /things/7/parts HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.write(b"POST /things/7/parts HTTP/1.1\r\nHost: d\r\nContent-Length: 999\r\nExpect: 100-continue\r\n\r\n")
        assert b"HTTP/1.1 413 " in await reader.readuntil(b"}\n")
        writer.close()


async def test_closing_waits_for_answers_and_not_for_idlers() -> None:
    asked = asyncio.Event()

    async def soon(request: Request) -> Response:
        asked.set()
        await asyncio.sleep(0.2)
        return Response(200, b"done")

    async with door(more=(Route("GET", "/soon", soon),)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /things/7 HTTP/1.1\r\nHost: d\r\n\r\n")
        await reader.readuntil(b"id=7 ")
        busy, asking = await asyncio.open_connection("127.0.0.1", port)
        asking.write(b"GET /soon HTTP/1.1\r\nHost: d\r\n\r\n")
        await asked.wait()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < CLOSE_SECONDS
    assert await reader.read() == b""
    assert (await busy.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    asking.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n",
        b"GET /things/7 HTTP/1.1\r\nHost: d\r\nA: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /things/7 HTTP/1.1\r\nHost: d\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n",
        b"GET /things/7 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /things/7 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["version", "noise", "line", "field", "fields", "smuggling", "length"],
)
async def test_nonsense_is_refused_in_a_word(octets: bytes) -> None:
    async with door() as port:
        answer = await say(port, octets)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ", b"HTTP/1.1 505 ")), answer
    assert answer.endswith(b"bad request\n") and b"ython" not in answer


async def test_a_fault_of_ours_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as port:
        answer = await say(port, b"GET /broken HTTP/1.1\r\nHost: d\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ") and answer.endswith(b"\r\n\r\ninternal server error\n")
    assert b"secret" not in answer and b"ython" not in answer
    assert "a secret of ours" in caplog.text


async def test_a_client_that_leaves_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /things/7/parts HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)
    assert caplog.text == ""


async def test_what_takes_too_long_is_ended() -> None:
    async with door(replace(USUAL, answer_seconds_max=0.05, idle_seconds_max=0.2)) as port:
        answer = await say(port, b"GET /slow HTTP/1.1\r\nHost: d\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in answer
        post = b"POST /things/7/parts HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nhalf"
        assert (await say(port, post)).startswith(b"HTTP/1.1 503 ")
        assert await say(port, b"") == b""  # who says nothing
        assert await say(port, b"GET /things/7 HTTP/1.1\r\nHost:") == b""  # or half of a header


async def test_connections_are_counted() -> None:
    request = b"GET /things/7 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
    async with door(replace(USUAL, connections_max=2)) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        with contextlib.suppress(ConnectionError):
            assert await say(port, request) == b""
        kept[0][1].close()
        await kept[0][1].wait_closed()
        await asyncio.sleep(0.05)
        assert (await say(port, request)).startswith(b"HTTP/1.1 200 ")
        kept[1][1].close()
