"""The callbacks of hubs, over a real socket."""

from __future__ import annotations

import aiohttp

from gateway.server import HttpsServer
from gateway.settings import Settings
from gateway.websub import BODY_OCTETS_MAX, websub_routes


class Desk:
    """Knows one callback, t0, of one topic."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, str]] = []

    async def verify(self, token: str, mode: str, topic: str, lease: str) -> bool:
        return (token, mode, topic, lease) == ("t0", "subscribe", "http://a.example/?x=1&y", "60")

    async def news(self, token: str, body: bytes, signature: str) -> bool:
        self.heard.append((token, body, signature))
        return token == "t0"


async def test_a_hub_asks_back_and_rings():
    desk = Desk()
    server = HttpsServer(websub_routes(desk), Settings())
    place = f"http://127.0.0.1:{await server.serve('127.0.0.1', 0)}/websub/"
    asked = {
        "hub.mode": "subscribe",
        "hub.topic": "http://a.example/?x=1&y",
        "hub.challenge": "<b>1&2",
        "hub.lease_seconds": "60",
    }
    try:
        async with aiohttp.ClientSession() as web:
            async with web.get(place + "t0", params=asked) as reply:
                assert (reply.status, await reply.text()) == (200, "<b>1&2")
                assert reply.headers["Content-Type"].startswith("text/plain")
                assert reply.headers["X-Content-Type-Options"] == "nosniff"  # a challenge is nobody's page
            for token, said in (("t1", {}), ("t0", {"hub.topic": "x"}), ("t0", {"hub.mode": "unsubscribe"})):
                async with web.get(place + token, params=asked | said) as reply:
                    assert reply.status == 404 and "1&2" not in await reply.text()
            async with web.get(place + "t0", params=asked | {"hub.challenge": "x" * 1_001}) as reply:
                assert reply.status == 400
            async with web.post(place + "t0", data=b"<feed/>", headers={"X-Hub-Signature": "sha1=0"}) as reply:
                assert reply.status == 202
            async with web.post(place + "t1", data=b"") as reply:
                assert reply.status == 410
            async with web.post(place + "t0", data=b"x" * (BODY_OCTETS_MAX + 1)) as reply:
                assert reply.status == 413
    finally:
        await server.close()
    assert desk.heard == [("t0", b"<feed/>", "sha1=0"), ("t1", b"", "")]
