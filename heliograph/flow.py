"""The step that joins the rooms: where a recipient's mail goes, and what a room's answer leads to.

Law: everything here happens inside the caller's transaction. A room that fails on mail from another room fails
alone: that mail then waits in the queue like any other.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from directory.names import Follow, Foreign, Leaf, Name, Reflector, Role, Timeline, Unknown
from directory.snapshot import Directory
from heliograph.identity import Identity
from heliograph.shelves.place import shelf_of
from mail.address import Address, BadAddress, parse_address
from mail.envelope import Arrival, Outgoing, Receipt, Recipient
from mail.headers import drop_headers
from mail.outcome import Deferred, Outcome, Refused
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields, claimed_hosts, prove, sign
from spool.queue import Queue
from spool.route import Abroad, Here, Route, Via
from store import Bodies, Reader, Transaction
from store.writer import is_full

log = logging.getLogger("heliograph.flow")

Claimed = TypeVar("Claimed", contravariant=True)

# One step may hand mail from room to room this often before the rest goes through the queue: a command to follow a
# feed takes three. It bounds recursion and the length of one transaction.
HANDS_MAX = 8


class Room(Protocol[Claimed]):
    """What every room offers (see reflector, mailbox_host, ingest)."""

    def receive(self, tx: Transaction, arrival: Arrival, name: Claimed, /) -> Receipt: ...


class Owned(Protocol):
    """What this host owns (see `ownership/`). `awaits`: on its way here; `owns_now`: in the transaction that files."""

    def owns(self, name: Name, /) -> bool: ...

    def awaits(self, name: Name, /) -> bool: ...

    def owns_now(self, tx: Reader | Transaction, name: Name, /) -> bool: ...


class News(Room[Timeline], Protocol):
    """A room for some addresses of people: those that they gave to newsletters."""

    def claims(self, name: Name, arrival: Arrival | None = None, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """Who claims what."""

    reflector: Room[Reflector]
    mailbox: Room[Timeline | Leaf]
    ingest: Room[Follow]
    news: News | None = None

    def receive(self, tx: Transaction, arrival: Arrival, name: Name) -> Receipt:
        match name:
            case Timeline() if self.news and self.news.claims(name, arrival):
                return self.news.receive(tx, arrival, name)
            case Timeline() | Leaf():
                return self.mailbox.receive(tx, arrival, name)
            case Reflector():
                return self.reflector.receive(tx, arrival, name)
            case Follow():
                return self.ingest.receive(tx, arrival, name)
        raise LookupError(f"no room for {name}")


class Flow:
    """Implements `spool.route.Fabric` for this host."""

    def __init__(
        self,
        me: Identity,
        directory: Callable[[], Directory],
        queue: Queue,
        rooms: Rooms,
        owned: Owned,
    ) -> None:
        self.me = me
        self.directory = directory
        self._owned = owned
        self._queue = queue
        self._rooms = rooms
        self._relays = dict(me.relays)

    def name_of(self, address: Address) -> Name:
        """Tell what an address means; the operator's role names mean the operator's mailbox."""
        names = self.directory().names
        name = names.classify(address)
        if isinstance(name, Role):
            if not self.me.postmaster:
                return Unknown(f"no operator's mailbox: set postmaster in the configuration of {names.domain}")
            return Timeline(self.me.postmaster, "", names.bucket(self.me.postmaster))
        return name

    def route_of(self, address: Address, name: Name) -> Route:
        """Tell where mail for an address goes now: to a room here if this host owns its bucket, otherwise to the owner
        that the zone names. Where that is this host, the bucket is on its way here, and its mail waits."""
        match name:
            case Foreign(domain):
                return Abroad(domain, self._relays.get(domain, self.me.smarthost))
            case Unknown(reason):
                return Refused(f"5.1.1 {reason}")
            case Follow(None):
                return Here()
            case Leaf(_, host) if self.directory().stands_for(host) == self.me.host:
                return Here()
        if self._owned.owns(name):
            return Here()
        directory = self.directory()
        owner = directory.host_of(name)
        if not owner or self._owned.awaits(name):
            return Deferred("4.3.2 the zone names this host for its bucket, which was not handed over to it")
        record = directory.hosts.get(owner)
        if record is None:  # a zone never refuses mail: it may be about to be mended
            return Deferred(f"4.4.4 the zone names no host {owner}")
        return Via(owner, record.address, self.me.smtp_port, _inside(directory, address, name))

    def owns_now(self, reader: Reader, name: Name) -> bool:
        """Tell whether this host files mail for a name, by what is on disk: the loop hears of it a moment later."""
        return self._owned.owns_now(reader, name)

    def route(self, recipient: str) -> Route:
        shelf = shelf_of(recipient, self.me.shelf)
        if shelf is not None:
            return shelf if shelf.place else Deferred("4.3.5 no server that keeps mailboxes is configured any more")
        try:
            address = parse_address(recipient)
        except BadAddress as bad:
            return Refused(f"5.1.3 {bad}", 553)
        return self.route_of(address, self.name_of(address))

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        return self.me.host, prove(self.me.key, nonce=nonce, client=self.me.host, server=server)

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        return self._receive(tx, arrival, recipient, hands=0)

    def dispatch(self, tx: Transaction, outgoing: Outgoing, now: float) -> None:
        """Send a room's mail: to rooms of this host at once, to everyone else through the queue."""
        self._dispatch(tx, outgoing, now, hands=0)

    def _receive(self, tx: Transaction, arrival: Arrival, recipient: str, hands: int) -> Outcome:
        name = self.name_of(parse_address(recipient))
        if not self._owned.owns_now(tx, name):  # it may have been given up since the route was found
            return Deferred("4.3.2 the bucket was handed over a moment ago")
        receipt = self._rooms.receive(tx, arrival, name)
        if not isinstance(receipt.outcome, Deferred):
            for outgoing in receipt.outgoing:
                self._dispatch(tx, outgoing, arrival.now, hands + 1)
        return receipt.outcome

    def _dispatch(self, tx: Transaction, outgoing: Outgoing, now: float, hands: int) -> None:
        here: list[Recipient] = []
        away: list[Recipient] = []
        for recipient in outgoing.recipients:
            stays = hands < HANDS_MAX and isinstance(self.route(recipient.address), Here)
            (here if stays else away).append(recipient)
        content = self._sealed(outgoing, bool(away))
        body = Bodies.keep(tx, content)
        envid = hashlib.sha256(outgoing.content).hexdigest()
        signed_by = outgoing.signed_by or (self.me.host if outgoing.signed else "")
        arrival = Arrival(outgoing.sender, content, body, envid, signed_by, now, now)
        waiting = [r for r in here if not self._hand_over(tx, arrival, r, hands)]
        if away:
            self._enqueue(tx, arrival, away)
        if waiting:  # its bucket may move meanwhile: then it goes elsewhere
            content = self._sealed(outgoing, leaves=True)
            leaving = Bodies.keep(tx, content)
            self._enqueue(tx, replace(arrival, content=content, body=leaving), waiting)
            Bodies.release(tx, leaving)
        Bodies.release(tx, body)

    def _sealed(self, outgoing: Outgoing, leaves: bool) -> bytes:
        """Sign what is to be believed elsewhere; let nothing else carry what looks like our word.

        A reader who was sent a signed command of somebody else's could use it again: see docs/decisions.
        """
        if outgoing.signed_by and self._carries_signature(outgoing):
            return outgoing.content
        if not outgoing.signed and outgoing.signed_by != self.me.host:
            fields = carries_fabric_fields(outgoing.content)
            return drop_headers(outgoing.content, prefix=TRUSTED_PREFIX) if fields else outgoing.content
        if not leaves:
            return outgoing.content
        domain = self.directory().names.domain
        return sign(outgoing.content, domain=domain, host=self.me.host, key=self.me.key)

    def _carries_signature(self, outgoing: Outgoing) -> bool:
        """What this host made and never sent has none yet; what came from another came with it."""
        domain = self.directory().names.domain
        return outgoing.signed_by != self.me.host or self.me.host in claimed_hosts(outgoing.content, domain)

    def _hand_over(self, tx: Transaction, arrival: Arrival, recipient: Recipient, hands: int) -> bool:
        """Let a room of this host take it now; False: it goes through the queue, which asks again and tells why."""
        if recipient.sender is not None:
            arrival = replace(arrival, sender=recipient.sender)
        try:
            outcome = tx.nested(lambda part: self._receive(part, arrival, recipient.address, hands))
        except Exception as error:
            if is_full(error) or not tx.connection.in_transaction:  # nothing can be queued either: undo the whole step
                raise
            log.exception("room failed on mail for %r; it waits in the queue", recipient.address)
            return False
        return not isinstance(outcome, Deferred | Refused)

    def _enqueue(self, tx: Transaction, arrival: Arrival, recipients: list[Recipient]) -> None:
        Bodies.share(tx, arrival.body)  # the queue's own reference
        self._queue.put(
            tx,
            sender=arrival.sender,
            recipients=recipients,
            body=arrival.body,
            envid=arrival.envid,
            signed_by=arrival.signed_by,
            accepted_at=arrival.accepted_at,
            now=arrival.now,
        )


def _inside(directory: Directory, address: Address, name: Name) -> str:
    """The address in its bucket: what a host calls a mailbox of another host."""
    names = directory.names
    match name:
        case Timeline(entity, detail, bucket):
            return f"{entity}{'+' if detail else ''}{detail}@b{bucket}.timeline.{names.domain}"
        case Reflector(entity, detail, bucket):
            return f"{entity}{'+' if detail else ''}{detail}@b{bucket}.reflectors.{names.domain}"
    return str(address)
