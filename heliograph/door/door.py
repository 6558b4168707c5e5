"""Who may send what to whom through this host: the answers behind the SMTP, submission and LMTP servers.

Law: mail for somebody who does not exist is refused at the door, on any host; mail for somebody whose host is away or
moving is taken and queued. 250 after DATA is said when the queue is on disk.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable

from directory.names import Foreign, Leaf, Name, Reflector, Timeline
from heliograph.door.doormen import Doormen
from heliograph.door.intake import Part, arrived, foreign_from, meaning, published, received_field, submitted
from heliograph.flow import Flow
from ingest.applications import Application, is_token
from mail.address import Address
from mail.envelope import Arrival
from mail.headers import header_block
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.signature import is_proven
from mailbox_host.sent import WELCOME_KEEPING_SENT
from spool.door import Envelope, Session
from spool.queue import Queue
from spool.route import Here, Shelf, Via
from store import Bodies, Store, Transaction, events

OK = Delivered("2.1.5 Ok")
FULL = Deferred("4.2.2 the mailbox is full, try again later", 452)  # RFC 5321 4.2.3; RFC 3463 3.3

SLOW = Deferred("4.7.1 too many posts at once, try again later", 450)
ELSEWHERE = Deferred("4.3.2 by the zone here, this address lives on another host")
AGAIN = Deferred("4.4.6 it was here before: the zones of two hosts differ, and it waits until they do not")
PASSES_MAX = 2  # of one mail through one host: once by an old zone and back again is nothing strange

# People who were there a moment ago need no look into the database: a fan-out names the same ones with every post. Who
# is removed meanwhile gets a notice instead of a refusal, as from another host that asked before (spool.callout).
KNOWN_SECONDS = 10.0
KNOWN_MAX = 16_384


class HostDoor:
    """Implements `spool.door.Door`."""

    def __init__(
        self, store: Store, flow: Flow, queue: Queue, ask: Doormen, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._flow = flow
        self._queue = queue
        self._ask = ask
        self._clock = clock
        self._known: dict[Address, float] = {}

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        entity = entity_of(username, self._flow)
        if is_token(token := password.decode("ascii", "replace")):
            return await self._sign_in_application(session, entity, token)
        outcome = await self._ask.login(entity, password, session.peer)
        if isinstance(outcome, Delivered):
            session.entity, session.keeps_sent = entity, outcome == WELCOME_KEEPING_SENT
        return outcome

    async def _sign_in_application(self, session: Session, name: str, token: str) -> Outcome:
        judged = await self._ask.application(name, token, session.peer)
        if not isinstance(judged, Application):
            return judged
        session.entity, session.source = judged.owner, name
        return Delivered("2.7.0 Welcome")

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        key = self._flow.directory().key_of(host)
        if key is None or not is_proven(key, proof, nonce=nonce, client=host, server=self._flow.me.host):
            return Refused("5.7.8 this is not the proof of a host of this fabric", 535)
        session.host = host
        return Delivered("2.7.0 Welcome")

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        """A signed-in user sends as herself: `alice@D`, `alice+detail@D`, or without a return path."""
        if session.role != "submission" or sender is None:
            return Delivered("2.1.0 Ok")
        names = self._flow.directory().names
        if session.source:
            own = names.reflector(session.source)
            return OK if str(sender) == own else Refused(f"5.7.1 send as yourself: you are signed in as {own}", 553)
        if names.local_entity(str(sender)) == session.entity:
            return Delivered("2.1.0 Ok")
        return Refused(f"5.7.1 send as yourself: you are signed in as {names.person(session.entity)}", 553)

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        name = self._flow.name_of(address)
        if session.source and str(address) != self._flow.directory().names.reflector(session.source):
            return Refused("5.7.1 this token is for posts to its own source alone")
        if isinstance(name, Foreign):
            return OK if session.entity else Refused("5.7.1 relaying denied: sign in first", 554)
        if _is_between_hosts(name) and not session.host:  # 451: a new host may be ahead of the zone here
            return Deferred("4.7.1 only hosts of this fabric write to leaves and sub-reflectors")
        route = self._flow.route_of(address, name)
        match route:
            case Here():
                known = self._known_here(session, envelope, address, name)
                shelf = self._ask.shelf(name) if known is OK and not _delivers(session, envelope) else None
                return self._known_there(shelf) if shelf else known
            case Via():  # who asks believes this host to be the owner: only an owner says that somebody is unknown
                return self._known_there(route) if _delivers(session, envelope) or not session.host else ELSEWHERE
            case Refused():
                return route
            case Deferred() if _is_between_hosts(name):
                return route  # hosts keep what they send: no junk in our queue
            case _:
                return OK  # the zone does not say where: the queue waits until it does

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        """`known_by`: what a post is known by, instead of its octets, should it come again (64 hex digits)."""
        now = self._clock()
        directory = self._flow.directory()
        if session.source:  # what cannot be delivered is for the person who answers for the application
            envelope.sender = directory.names.person(session.entity)
        parts = self._parts(session, envelope, content, now)
        if isinstance(parts, Deferred | Refused):
            return parts
        if session.host and self._comes_again(envelope, content):
            return AGAIN
        given = envelope.envid if session.host else known_by
        envid = given or hashlib.sha256(content).hexdigest()
        me = f"{self._flow.me.host}.{directory.names.domain}"
        trace = received_field(session, envelope, me, envid[:16], now)
        ids = await self._store.write(lambda tx: [self._spool(tx, envelope, trace, part, envid, now) for part in parts])
        return Delivered(f"2.0.0 Ok: queued as {' '.join(str(number) for number in ids)}")

    def _comes_again(self, envelope: Envelope, content: bytes) -> bool:
        """Tell whether mail goes round between hosts whose zones differ: it was here twice, and is not for this host
        yet. It waits where it is; that is no mail loop (RFC 5321 6.3), which would be bounced."""
        me = f"by {self._flow.me.host}.{self._flow.directory().names.domain} with ".encode()
        if header_block(content).count(me) < PASSES_MAX:
            return False
        return any(isinstance(self._flow.route(to.address), Via) for to in envelope.recipients)

    def _parts(
        self, session: Session, envelope: Envelope, content: bytes, now: float
    ) -> list[Part] | Deferred | Refused:
        """Make what is queued, or refuse it: here only the client need be told, later it would be a notice to
        whatever sender a stranger names."""
        directory = self._flow.directory()
        parts: list[Part] | Deferred | Refused
        if session.source:
            if self._ask.too_soon(session.source):
                return SLOW
            return published(content, session, self._flow, now, secrets.token_hex(16))
        if session.entity:
            wrong = foreign_from(content, session.entity, directory.names)
            parts = wrong or submitted(envelope, content, session, self._flow, now, secrets.token_hex(16))
        else:
            parts = arrived(envelope, content, directory)
        if isinstance(parts, Deferred | Refused) or any(part.signed_by and not session.entity for part in parts):
            return parts
        names = [meaning(self._flow, recipient) for recipient in envelope.recipients]
        letter = Arrival(envelope.sender, content, 0)  # one, whose header is read once, however many lists it names
        refused: dict[Name, Refused | None] = {
            name: self._ask.refuses(self._store.reader, name, letter, session.entity)
            for name in dict.fromkeys(names)
            if isinstance(name, Reflector)
        }
        refusals = [refusal for name in names if (refusal := refused.get(name))]
        if session.entity and len(refusals) < len(names):
            return parts  # her "reply to all" reaches the author; the notice of what is refused goes to herself
        return refusals[0] if refusals else parts

    def _known_here(self, session: Session, envelope: Envelope, address: Address, name: Name) -> Outcome:
        """A host that delivers (one that only asks has the null sender) may be quicker than the mail that creates a
        source: the reflector judges that."""
        delivers, now = _delivers(session, envelope), self._clock()
        if delivers and self._known.get(address, 0.0) > now:
            return OK
        if (delivers and isinstance(name, Reflector)) or self._ask.knows(self._store.reader, name):
            if isinstance(name, Timeline):
                if not delivers:  # else it may be a post, which a full mailbox takes
                    return FULL if self._ask.is_full(self._store.reader, name) else OK
                self._remember(address, now + KNOWN_SECONDS)
            return OK
        if not self._flow.owns_now(self._store.reader, name):  # it was given up a moment ago: the queue finds it
            return OK
        return Refused(
            f"5.1.1 <{address}>: no such {'source or confirmation' if isinstance(name, Reflector) else 'user'} here"
        )

    async def _known_there(self, via: Via | Shelf) -> Outcome:
        """Where the owner refuses, so do we, and where the mailbox is full. Where it is away or moving, never 5xx: the
        queue waits for it."""
        outcome = await self._ask.callout.ask(via)
        full = isinstance(outcome, Deferred) and outcome.text.startswith(FULL.text[:6])
        return outcome if full or isinstance(outcome, Refused) else OK

    def _remember(self, address: Address, until: float) -> None:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[address] = until

    def _spool(self, tx: Transaction, envelope: Envelope, trace: bytes, part: Part, envid: str, now: float) -> int:
        number = self._queue.put(
            tx,
            sender=envelope.sender,
            recipients=part.recipients,
            body=Bodies.keep(tx, trace + part.content),
            envid=envid,
            signed_by=part.signed_by,
            accepted_at=now,
            now=now,
            ret=envelope.ret,
            eightbit=envelope.eightbit,
            smtputf8=envelope.smtputf8,
            client_envid="" if envid == envelope.envid else envelope.envid,
        )
        events.append(tx, now, "accepted", message=number, sender=envelope.sender, recipients=len(part.recipients))
        return number


def _delivers(session: Session, envelope: Envelope) -> bool:
    """A host of the fabric brings mail; one that only asks has the null sender."""
    return bool(session.host and envelope.sender)


def _is_between_hosts(name: Name) -> bool:
    return isinstance(name, Leaf) or (isinstance(name, Reflector) and name.detail.startswith("sub."))


def entity_of(username: str, flow: Flow) -> str:
    """A login name is ``alice`` or ``alice@D``; anything else is nobody ("")."""
    names = flow.directory().names
    local, _, domain = username.strip().lower().partition("@")
    name = names.classify(Address(local, domain or names.domain))
    return name.entity if isinstance(name, Timeline) and not name.detail else ""
