"""The mail door, towards other fabrics: our users' wishes go to mirrors here, what other fabrics say comes in proven.

Law: what is proven is said in a field that this host signs (``Heliograph-Authenticated: @other.example``), and goes to
lists only, never into a mailbox. Whatever else passes this door passes as it is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Protocol

from directory.names import Foreign, Reflector
from heliograph.federation.fabrics import Fabrics
from heliograph.federation.flood import Allowances, of_posts, of_wishes
from heliograph.federation.seals import unseal
from heliograph.federation.wishes import WORDS, Said, Wish, own_wish, read_wish
from heliograph.flow import Flow
from mail.address import Address, mirrored
from mail.headers import add_headers, drop_headers
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.signature import TRUSTED_PREFIX, sign
from reflector.fabric_wishes import is_mirror_of
from reflector.mirrors import NO
from spool.door import Door, Envelope, RcptTo, Session

Clock = Callable[[], float]

WISH_OCTETS_MAX = 65_536  # ours have one thousand: whoever sends more has something else in mind
WISHES_MAX = 20  # recipients of one letter that may be wishes: each can cost a question to the DNS

OPEN_TO_ALL = (f"{NO}.", "bounce")  # of a mirror's details: a host of the other fabric may send back what it took
FLOOD = Deferred("4.7.1 more posts than a mirror takes at once, try again later", 450)


class Taker(Door, Protocol):
    """The host's own door."""

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome: ...


class FederatedDoor:
    """Implements `spool.door.Door` by the host's own. `refuse`: domains of fabrics with which there is no traffic."""

    def __init__(
        self, door: Taker, flow: Flow, fabrics: Callable[[], Fabrics], refuse: Collection[str], clock: Clock
    ) -> None:
        self._door, self._flow, self._refuse, self._clock = door, flow, refuse, clock
        self._fabrics, self._strangers = fabrics(), fabrics()
        self._allowances = Allowances()

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        return await self._door.authenticate(session, username, password)

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        return self._door.prove(session, host, nonce, proof)

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return self._door.sender(session, sender)

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        name = self._flow.name_of(address)
        source = mirrored(name.entity) if isinstance(name, Reflector) and name.detail else None
        stranger = not (session.entity or session.host)
        if stranger and source and isinstance(name, Reflector) and not name.detail.startswith(OPEN_TO_ALL):
            there = f"{source[0]}+subscribe@reflectors.{source[1]}"
            return Refused(f"5.7.1 only people of {self._flow.directory().names.domain} follow here; try {there}")
        return self._door.recipient(session, envelope, address)

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        if session.source or session.host:
            return await self._door.accept(session, envelope, content)
        if session.entity:
            return await self._submitted(session, envelope, content)
        return await self._arrived(session, envelope, content)

    # our users

    async def _submitted(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        """Turn wishes for sources of other fabrics to mirrors here. Where nobody can say now whether there is a fabric,
        a mirror finds out if the address names one; else it goes there like any letter, and a list asks her itself."""
        wishes = self._wishes(envelope, Said(content))
        domains = sorted({wish.domain for wish in wishes.values()})
        if refused := next((domain for domain in domains if domain in self._refuse), ""):
            return Refused(f"5.7.1 this fabric has no traffic with {refused}")
        found = dict(zip(domains, await asyncio.gather(*map(self._fabrics.is_fabric, domains)), strict=True))
        names, recipients = self._flow.directory().names, list[RcptTo]()
        for recipient in envelope.recipients:
            wish = wishes.get(recipient)
            is_there = found[wish.domain] if wish else False
            if wish and (is_there or (is_there is None and wish.explicit)):
                recipient = replace(recipient, address=names.reflector_inside(wish.mirror, wish.word))
            elif wish and not _is_foreign(self._flow, recipient):
                return Refused(f"5.1.2 {wish.domain} is no fabric; write to {wish.mirror.replace('=', '@')} itself")
            recipients.append(recipient)
        envelope.recipients = recipients
        return await self._door.accept(session, envelope, content)

    def _wishes(self, envelope: Envelope, said: Said) -> dict[RcptTo, Wish]:
        found: dict[RcptTo, Wish] = {}
        for recipient in envelope.recipients:
            name = self._flow.name_of(address := _address(recipient))
            if isinstance(name, Foreign):
                wish = read_wish(address, said)
            else:  # a mirror's own address
                wish = own_wish(name, said) if isinstance(name, Reflector) else None
            if wish:
                found[recipient] = wish
            if len(found) == WISHES_MAX:
                break
        return found

    # other fabrics

    async def _arrived(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        """What is for mirrors, or from them, is proven or not taken at all."""
        groups: dict[str, list[RcptTo]] = {}
        said = Said(content)
        for recipient in envelope.recipients:
            groups.setdefault(self._sealer(recipient, said), []).append(recipient)
        outcome: Outcome = Delivered()
        for domain, recipients in sorted(groups.items(), reverse=True):
            part = replace(envelope, recipients=recipients)
            if domain:
                outcome = await self._sealed(session, part, content, domain)
            else:
                outcome = await self._door.accept(session, part, content)
            if not isinstance(outcome, Delivered):
                return outcome
        return outcome

    def _sealer(self, recipient: RcptTo, said: Said) -> str:
        """Return the fabric that must have sealed this if it is to be taken; "" for mail of any other kind."""
        name = self._flow.name_of(_address(recipient))
        if not isinstance(name, Reflector):
            return ""
        if source := mirrored(name.entity):
            return source[1] if not name.detail else ""
        if name.detail not in WORDS:
            return ""
        return is_mirror_of(self._flow.directory().names.domain, name.entity, said.sender)

    async def _sealed(self, session: Session, envelope: Envelope, content: bytes, domain: str) -> Outcome:
        if domain in self._refuse:
            return Refused(f"5.7.1 this fabric has no traffic with {domain}")
        name = self._flow.name_of(_address(envelope.recipients[0]))
        entity = name.entity if isinstance(name, Reflector) else ""
        ours = mirrored(entity) is not None
        if not ours and len(content) > WISH_OCTETS_MAX:
            return Refused(f"5.3.4 a wish of a mirror's has {WISH_OCTETS_MAX} octets at most", 552)
        known_by = hashlib.sha256(content).hexdigest()
        # A stranger may name any domain: what he has us look up waits for nobody's turn but his own kind's.
        part = await unseal(self._fabrics if ours else self._strangers, content, domain)
        if isinstance(part, Deferred | Refused):
            return part
        whose = of_posts(domain, entity) if ours else of_wishes(domain, entity)
        if not self._allowances.take(whose, len(content), self._clock()):
            return FLOOD
        return await self._door.accept(session, envelope, self._vouched(part, domain), known_by)

    def _vouched(self, content: bytes, domain: str) -> bytes:
        me, ours = self._flow.me, self._flow.directory().names.domain
        content = drop_headers(content, prefix=TRUSTED_PREFIX)
        vouched = add_headers(content, [("Heliograph-Authenticated", f"@{domain}")])
        return sign(vouched, domain=ours, host=me.host, key=me.key)


def _is_foreign(flow: Flow, recipient: RcptTo) -> bool:
    return isinstance(flow.name_of(_address(recipient)), Foreign)


def _address(recipient: RcptTo) -> Address:
    local, _, domain = recipient.address.rpartition("@")
    return Address(local, domain)
