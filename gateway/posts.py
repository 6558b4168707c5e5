"""``POST /v1/sources/ID/posts``: a post by an application that cannot send mail.

Law: 201 is said when the post is durable, by the same path as mail. Who has no token learns nothing, not even whether
the source is there; whatever else is wrong is said field by field.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Protocol

from gateway.problem import Problem, response_of
from gateway.route import Request, Response, Route

POST_OCTETS_MAX = 2 << 20  # words and a few pictures; what is larger can be submitted as mail
SUBJECT_CHARACTERS_MAX = 300  # with its name, encoded, it stays a few lines (RFC 5322 2.1.1)
LINK_CHARACTERS_MAX = 900
LINE_OCTETS_MAX = 998  # RFC 5322 2.1.1: beyond it other servers refuse the mail
LONGEST = {"subject": SUBJECT_CHARACTERS_MAX, "link": LINK_CHARACTERS_MAX}

UNKNOWN = Problem(
    401, "send the source's own token: Authorization: Bearer hga_...", {"WWW-Authenticate": 'Bearer realm="posts"'}
)  # RFC 6750 3

_BEARER = re.compile(r"Bearer +([!-~]{1,200})\Z", re.IGNORECASE)
_KEY = re.compile(r'"?([!#-~]{1,64})"?\Z')  # a string of RFC 8941 in the draft, bare as everybody sends it
_LINK = re.compile(r"https?://[!-~]+\Z", re.IGNORECASE)
_LONG_LINE = re.compile(rb"[^\n]{%d}" % (LINE_OCTETS_MAX + 1))


@dataclass(frozen=True, slots=True)
class Words:
    """A post that we make a message of."""

    subject: str
    text: str
    html: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A post that is a message (RFC 5322), with CRLF."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants to post where. `key`: the Idempotency-Key or ""; `digest`: of what was sent."""

    source: str
    token: str
    client: str
    key: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """A durable post: its Message-ID, and the address of its source."""

    id: str
    source: str


class Publisher(Protocol):
    """What is behind the door."""

    async def check(self, asked: Asked) -> Problem | None: ...

    async def publish(self, asked: Asked, post: Words | Message) -> Posted | Problem: ...


def post_routes(publisher: Publisher) -> tuple[Route, ...]:
    async def answer(request: Request) -> Response:
        told = await _take(publisher, request)
        if isinstance(told, Problem):
            return response_of(told)
        body = json.dumps({"id": told.id, "source": told.source}).encode() + b"\n"
        return Response(201, body, "application/json")

    return (Route("POST", "/v1/sources/{id}/posts", answer, POST_OCTETS_MAX),)


async def _take(publisher: Publisher, request: Request) -> Posted | Problem:
    bearer = _BEARER.match(request.headers.get("Authorization", ""))
    if not bearer:
        return UNKNOWN
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    key, post = _key_of(request), read_post(kind, request.body)
    digest = hashlib.sha256(kind.encode() + b"\0" + request.body).hexdigest()
    asked = Asked(request.place["id"].lower(), bearer[1], request.peer, key or "", digest)
    if key is None:
        post = Problem(400, "Idempotency-Key: 1 to 64 printable characters, without a space")
    if isinstance(post, Problem):
        return await publisher.check(asked) or post
    return await publisher.publish(asked, post)


def _key_of(request: Request) -> str | None:
    """Return the key, "" where there is none, None where it cannot be one."""
    said = request.headers.get("Idempotency-Key")
    if said is None:
        return ""
    match = _KEY.match(said.strip())  # an empty one was meant to be one: without it, a post sent again comes twice
    return match[1] if match else None


def read_post(kind: str, body: bytes) -> Words | Message | Problem:
    """Read a request's body. `kind`: its media type, without parameters."""
    if kind == "application/json":
        return _read_json(body)
    if kind == "message/rfc822":
        return _read_message(body)
    return Problem(415, "send application/json or message/rfc822", {"Accept-Post": "application/json, message/rfc822"})


def _read_json(body: bytes) -> Words | Problem:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Problem(400, "this is no JSON")
    if not isinstance(said, dict):
        return Problem(422, 'send an object: {"subject": "...", "text": "..."}')
    wrong = [fault for name, value in said.items() if (fault := _fault(name, value))]
    wrong += [f"{name}: is missing" for name in ("subject", "text") if not said.get(name)]
    return Problem(422, "; ".join(wrong[:10])) if wrong else Words(**said)


def _fault(name: str, value: object) -> str:
    """Say what is wrong with a field, or ""."""
    if name not in Words.__slots__:
        return f"{name[:40]!a}: no such field"
    if not isinstance(value, str):
        return f"{name}: is no string"
    if any(0xD800 <= ord(c) <= 0xDFFF or c == "\0" for c in value):
        return f"{name}: holds half a character, or a NUL"
    if len(value) > LONGEST.get(name, POST_OCTETS_MAX):
        return f"{name}: is longer than {LONGEST[name]} characters"
    if name == "text" and not value.strip():
        return "text: has no words"
    return "link: is no web address" if name == "link" and value and not _LINK.match(value) else ""


def _read_message(body: bytes) -> Message | Problem:
    content = body.replace(b"\r\n", b"\n")
    if b"\r" in content or b"\0" in content:
        return Problem(422, "the message holds a CR that ends no line, or a NUL")
    if _LONG_LINE.search(content):
        return Problem(422, f"the message has a line of more than {LINE_OCTETS_MAX} octets")
    if b"\n\n" not in content:
        return Problem(422, "the message has no empty line between header and text")
    return Message(content.replace(b"\n", b"\r\n"))
