"""Where hubs tell us that a feed has news (W3C WebSub 5.3, 7).

Law: whoever knows a callback's address is its hub; nobody else learns which there are. This is the one GET that changes
something, since WebSub has it so: it acts only for who knows the address, and says the same when repeated.
"""

from __future__ import annotations

from typing import Protocol

from gateway.route import Request, Response, Route

PATH = "/websub/{token}"
BODY_OCTETS_MAX = 1 << 20  # hubs send the whole feed; larger ones are found by polling
CHALLENGE_CHARACTERS_MAX = 1_000
TEXT = "text/plain; charset=utf-8"


class Subscriber(Protocol):
    """What is behind the door."""

    async def verify(self, token: str, mode: str, topic: str, lease: str) -> bool: ...

    async def news(self, token: str, body: bytes, signature: str) -> bool: ...


def websub_routes(subscriber: Subscriber) -> tuple[Route, ...]:
    async def verify(request: Request) -> Response:
        said = {name: request.query.get(f"hub.{name}", "") for name in ("mode", "topic", "challenge", "lease_seconds")}
        if len(said["challenge"]) > CHALLENGE_CHARACTERS_MAX:
            return Response(400, b"too long a challenge\n")
        wanted = await subscriber.verify(request.place["token"], said["mode"], said["topic"], said["lease_seconds"])
        return Response(200, said["challenge"].encode(), TEXT) if wanted else Response(404, b"not found\n")

    async def take(request: Request) -> Response:
        signature = request.headers.get("X-Hub-Signature", "")
        known = await subscriber.news(request.place["token"], request.body, signature)
        return Response(202) if known else Response(410, b"not subscribed\n")  # 7: 410 ends the subscription

    return Route("GET", PATH, verify), Route("POST", PATH, take, BODY_OCTETS_MAX)
