"""Posts that come over HTTPS become mail: the same door, the same queue, the same owner.

Law: nothing is answered before the mail is durable. A key makes a post's octets not matter to whoever knows repeats:
the reflector takes what is known by one key once, whichever hosts it came through.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from email.utils import formatdate

from directory.names import FabricNames
from gateway.posts import UNKNOWN, Asked, Message, Posted, Words
from gateway.problem import Problem
from heliograph.door.applications import AWAY, NO, USED, Applications, Key
from heliograph.door.door import SLOW, HostDoor
from ingest.applications import Application
from ingest.header_text import line_of, phrase, unstructured, web_link
from ingest.post import alternative, part
from mail.headers import HEADER_BLOCK_OCTETS_MAX, Headers, header_block, header_line
from mail.outcome import Deferred, Outcome, Refused
from spool.door import Envelope, RcptTo, Session
from store import StoreFull

TITLE_OCTETS_MAX = 120
LATER = {"Retry-After": "60"}
_PROBLEMS = {
    NO: UNKNOWN,
    USED: Problem(422, "this Idempotency-Key was used for another post"),
    AWAY: Problem(503, "the host of this source cannot be reached; try again later", LATER),
    SLOW: Problem(429, "too many posts at once; try again later", {"Retry-After": "5"}),
}


class HttpPublisher:
    """Implements `gateway.posts.Publisher`."""

    def __init__(
        self,
        applications: Applications,
        door: HostDoor,
        names: Callable[[], FabricNames],
        message_octets_max: int,
        clock: Callable[[], float],
    ) -> None:
        self._applications, self._door, self._names = applications, door, names
        self._octets_max, self._clock = message_octets_max, clock

    async def check(self, asked: Asked) -> Problem | None:
        judged = await self._applications.check(asked.source, asked.token, asked.client)
        return None if isinstance(judged, Application) else problem_of(judged)

    async def publish(self, asked: Asked, post: Words | Message) -> Posted | Problem:
        try:
            return await self._publish(asked, post)
        except StoreFull:
            return Problem(503, "nothing can be stored at this host now; try again later", LATER)

    async def _publish(self, asked: Asked, post: Words | Message) -> Posted | Problem:
        key = Key(asked.key, asked.digest) if asked.key else None
        judged = await self._applications.check(asked.source, asked.token, asked.client, key)
        if not isinstance(judged, Application):
            return problem_of(judged)
        known_by = hashlib.sha256(f"{judged.name}\0{asked.key or secrets.token_hex(16)}".encode()).hexdigest()
        names, now = self._names(), self._clock()
        content = write(post, judged, names, known_by, now) if isinstance(post, Words) else post.content
        content = _with_from(content, judged, names)
        head = header_block(content)
        if len(content) > self._octets_max or len(head) > HEADER_BLOCK_OCTETS_MAX:
            return Problem(413, "the message, or its header, is too large")
        source = names.reflector(judged.name)
        session = Session("https", asked.client, tls=True, entity=judged.owner, source=judged.name)
        outcome = await self._door.accept(session, Envelope("", [RcptTo(source)]), content, known_by)
        if isinstance(outcome, Deferred | Refused):
            return problem_of(outcome)
        message_id = Headers.parse(head).get("message-id") or _message_id(known_by, judged, names)
        return Posted(message_id, source)


def problem_of(outcome: Outcome) -> Problem:
    """Say in HTTP what SMTP says in a reply; its enhanced status code is SMTP's."""
    if known := _PROBLEMS.get(outcome):
        return known
    reason = outcome.text.partition(" ")[2]
    return Problem(503, reason, LATER) if isinstance(outcome, Deferred) else Problem(422, reason)


def write(post: Words, application: Application, names: FabricNames, known_by: str, now: float) -> bytes:
    """Make a message of words."""
    link = web_link(post.link)
    text = f"{post.text.rstrip()}\n\n{link}\n" if link else post.text
    fields = [
        ("From", _from(application, names)),
        ("To", names.reflector(application.name)),
        ("Subject", unstructured(line_of(post.subject, 1_200))),
        ("Date", formatdate(now)),
        ("Message-ID", _message_id(known_by, application, names)),
        *([("Archived-At", f"<{link}>")] if link else []),
    ]
    if post.html:
        return alternative(fields, text, post.html, boundary=f"=_{known_by[:24]}")
    lines = [*fields, ("MIME-Version", "1.0")]
    return b"".join(header_line(*field) for field in lines) + part("text/plain", text)


def _with_from(content: bytes, application: Application, names: FabricNames) -> bytes:
    """A message without From is the application's; one with a wrong From is refused at the door."""
    fields = Headers.of(content)
    lines = [] if fields.has("from") else [header_line("From", _from(application, names))]
    return b"".join([*lines, content])


def _from(application: Application, names: FabricNames) -> str:
    title = line_of(application.title, TITLE_OCTETS_MAX) or application.name
    return f"{phrase(title)} <{names.reflector(application.name)}>"


def _message_id(known_by: str, application: Application, names: FabricNames) -> str:
    return f"<{known_by[:32]}.{application.name}@reflectors.{names.domain}>"
