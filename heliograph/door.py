"""Who may send what to whom through this host: the answers behind the SMTP, submission and LMTP servers.

Law: mail for somebody who does not exist is refused at the door, on any host; mail for somebody whose host is away or
moving is taken and queued. What a stranger sends is stripped of the fabric's own fields before anything reads it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from directory.names import Follow, Foreign, Name, Reflector, Timeline
from heliograph.flow import Flow
from mail.address import Address
from mail.envelope import Recipient
from mail.headers import Headers, add_headers, drop_headers, first_addr_spec, header_line, split_message
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields, is_proven, sign, signer
from spool.door import Envelope, RcptTo, Session
from spool.queue import Queue
from spool.route import Here, Via
from store import Bodies, Reader, Store, Transaction, events

log = logging.getLogger("heliograph.door")


class Ask(Protocol):
    """Ask the host that owns a recipient by RCPT."""

    async def ask(self, via: Via) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Doormen:
    """Whom the door asks: `knows` of this host's rooms, `callout` of another host, `login` for a password."""

    knows: Callable[[Reader, Name], bool]
    callout: Ask
    login: Callable[[str, bytes, str], Awaitable[Outcome]]


class HostDoor:
    """Implements `spool.door.Door`."""

    def __init__(self, store: Store, flow: Flow, queue: Queue, ask: Doormen, clock: Callable[[], float] = time.time):
        self._store = store
        self._flow = flow
        self._queue = queue
        self._ask = ask
        self._clock = clock

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        entity = self._entity_of(username)
        outcome = await self._ask.login(entity, password, session.peer) if entity else _bad_credentials()
        if isinstance(outcome, Delivered):
            session.entity = entity
        return outcome

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        key = self._flow.directory().key_of(host)
        if key is None or not is_proven(key, proof, nonce=nonce, client=host, server=self._flow.me.host):
            return Refused("5.7.8 this is not the proof of a host of this fabric", 535)
        session.host = host
        return Delivered("2.7.0 welcome")

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        """A signed-in user sends as herself: `alice@D`, `alice+detail@D`, or without a return path."""
        if session.role != "submission" or sender is None:
            return Delivered("2.1.0 Ok")
        if self._is_own(session.entity, sender):
            return Delivered("2.1.0 Ok")
        mine = self._flow.directory().names.person(session.entity)
        return Refused(f"5.7.1 you are signed in as {mine}: send from that address", 553)

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        name = self._flow.name_of(address)
        if isinstance(name, Foreign):
            return Delivered("2.1.5 Ok") if session.entity else Refused("5.7.1 relaying denied: sign in first", 554)
        route = self._flow.route_of(address, name)
        match route:
            case Here():
                return self._known_here(address, name)
            case Via():
                return self._known_there(route)
            case Deferred():
                return Delivered("2.1.5 Ok, queued until its host is found")
            case Refused():
                return route
        return Delivered("2.1.5 Ok")

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        refusal = self._own_from(session, content) if session.role == "submission" else None
        if refusal is not None:
            return refusal
        parts = self._submitted(session, envelope, content) if session.entity else self._arrived(envelope, content)
        envid = envelope.envid if session.host and envelope.envid else hashlib.sha256(content).hexdigest()
        trace = self._trace(session, envelope)
        now = self._clock()
        ids = await self._store.write(
            lambda tx: [self._spool(tx, envelope, trace + part.content, part, envid, now) for part in parts]
        )
        return Delivered(f"2.0.0 Ok: queued as {' '.join(str(i) for i in ids)}")

    def _known_here(self, address: Address, name: Name) -> Outcome:
        if self._ask.knows(self._store.reader, name):
            return Delivered("2.1.5 Ok")
        return Refused(f"5.1.1 <{address}>: no such {'source' if isinstance(name, Reflector) else 'user'} here")

    async def _known_there(self, via: Via) -> Outcome:
        """The owner refuses: so do we. It is away, or moving: never 5xx; the queue waits for it."""
        outcome = await self._ask.callout.ask(via)
        return outcome if isinstance(outcome, Refused) else Delivered("2.1.5 Ok")

    def _entity_of(self, username: str) -> str:
        """A login name is `alice` or `alice@D`."""
        names = self._flow.directory().names
        local, _, domain = username.strip().lower().partition("@")
        name = names.classify(Address(local, domain or names.domain))
        return name.entity if isinstance(name, Timeline) and not name.detail else ""

    def _is_own(self, entity: str, address: Address) -> bool:
        return bool(entity) and self._flow.directory().names.local_entity(str(address)) == entity

    def _own_from(self, session: Session, content: bytes) -> Refused | None:
        """Submission refuses a foreign From: what our users send is signed as our word (RFC 6409 6.1)."""
        fields = Headers.parse(split_message(content)[0]).all("from")
        names = self._flow.directory().names
        found = first_addr_spec(fields[0]) if len(fields) == 1 else ""
        if found and names.local_entity(found) == session.entity:
            return None
        mine = names.person(session.entity)
        return Refused(f"5.7.1 the From field must be one address, {mine}; it is {found or 'missing'!r}")

    def _submitted(self, session: Session, envelope: Envelope, content: bytes) -> list[_Part]:
        """Complete a user's mail (RFC 6409 8) and vouch for her, but only to rooms: a copy that readers could see
        would let them use our word again."""
        content = _completed(_stripped(content), self._flow.directory().names.domain, self._clock())
        to_rooms = [r for r in envelope.recipients if self._is_room(r)]
        others = [r for r in envelope.recipients if r not in to_rooms]
        parts = [_Part(content, others, "")] if others else []
        if to_rooms:
            vouched = add_headers(content, [("Heliograph-Authenticated", session.entity)])
            if any(isinstance(self._flow.route(r.address), Via) for r in to_rooms):
                domain = self._flow.directory().names.domain
                vouched = sign(vouched, domain=domain, host=self._flow.me.host, key=self._flow.me.key)
            parts.append(_Part(vouched, to_rooms, self._flow.me.host))
        return parts

    def _is_room(self, recipient: RcptTo) -> bool:
        local, _, domain = recipient.address.rpartition("@")
        return isinstance(self._flow.name_of(Address(local, domain)), Reflector | Follow)

    def _arrived(self, envelope: Envelope, content: bytes) -> list[_Part]:
        if not carries_fabric_fields(content):
            return [_Part(content, envelope.recipients, "")]
        directory = self._flow.directory()
        host = signer(content, domain=directory.names.domain, key_of=directory.key_of)
        return [_Part(content if host else _stripped(content), envelope.recipients, host)]

    def _spool(self, tx: Transaction, envelope: Envelope, content: bytes, part: _Part, envid: str, now: float) -> int:
        number = self._queue.put(
            tx,
            sender=envelope.sender,
            recipients=[Recipient(r.address) for r in part.recipients],
            body=Bodies.keep(tx, content),
            envid=envid,
            signed_by=part.signed_by,
            accepted_at=now,
            now=now,
        )
        events.append(tx, now, "accepted", message=number, sender=envelope.sender, recipients=len(part.recipients))
        return number

    def _trace(self, session: Session, envelope: Envelope) -> bytes:
        """The Received field (RFC 5321 4.4); it names no user who signed in."""
        me = f"{self._flow.me.host}.{self._flow.directory().names.domain}"
        kind = {"lmtp": "LMTP"}.get(session.role, "UTF8SMTP" if envelope.smtputf8 else "ESMTP")
        kind += ("S" if session.tls else "") + ("A" if session.entity else "")
        helo = "".join(c for c in session.helo if c.isalnum() or c in ".-:[]")[:255] or "unknown"
        value = f"from {helo} ([{session.peer}])\r\n\tby {me} with {kind} id {secrets.token_hex(8)};\r\n\t"
        return f"Received: {value}{formatdate(self._clock())}\r\n".encode()


@dataclass(frozen=True, slots=True)
class _Part:
    content: bytes
    recipients: list[RcptTo]
    signed_by: str


def _bad_credentials() -> Refused:
    return Refused("5.7.8 authentication failed", 535)


def _stripped(content: bytes) -> bytes:
    return drop_headers(content, prefix=TRUSTED_PREFIX) if carries_fabric_fields(content) else content


def _completed(content: bytes, domain: str, now: float) -> bytes:
    """Add the Date and Message-ID that a submitted message lacks (RFC 6409 8.2, 8.3)."""
    headers = Headers.parse(split_message(content)[0])
    missing = b""
    if not headers.has("date"):
        missing += header_line("Date", formatdate(now))
    if not headers.has("message-id"):
        missing += header_line("Message-ID", f"<{secrets.token_hex(16)}@{domain}>")
    return missing + content
