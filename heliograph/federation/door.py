"""The mail door, towards other fabrics: our users' wishes go to mirrors here, what other fabrics say comes in proven.

Law: what is proven is said in a field that this host signs (``Heliograph-Authenticated: @other.example``), and goes to
lists only, never into a mailbox. Whatever else passes this door passes as it is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from directory.names import Foreign, Reflector
from heliograph.door.outer import InnerDoor, OuterDoor
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
from spool.door import Envelope, RcptTo, Session

Clock = Callable[[], float]

WISH_OCTETS_MAX = 65_536  # ours have one thousand: whoever sends more has something else in mind
WISHES_MAX = 20  # recipients of one letter that may be wishes: each can cost a question to the DNS

OPEN_TO_ALL = (f"{NO}.", "bounce")  # of a mirror's details: a host of the other fabric may send back what it took
FLOOD = Deferred("4.7.1 more posts than a mirror takes at once, try again later", 450)


@dataclass(frozen=True, slots=True)
class Matter:
    """What comes from another fabric: a post for its mirror here, or a wish of its mirror's about a source of ours."""

    domain: str
    list: str
    is_post: bool


class FederatedDoor(OuterDoor):
    """Implements `spool.door.Door` by the host's own. `refuse`: domains of fabrics with which there is no traffic."""

    def __init__(
        self, door: InnerDoor, flow: Flow, fabrics: Callable[[], Fabrics], refuse: Collection[str], clock: Clock
    ) -> None:
        super().__init__(door)
        self._flow, self._refuse, self._clock = flow, refuse, clock
        self._fabrics, self._strangers = fabrics(), fabrics()
        self._allowances = Allowances()

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
        if len(wishes) > WISHES_MAX:
            return Refused(f"5.5.3 this asks to follow {len(wishes)} sources elsewhere; {WISHES_MAX} at once are taken")
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
        return found

    # other fabrics

    async def _arrived(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        """What is for mirrors, or from them, is proven or not taken at all. All is judged before anything is taken: who
        hears "no" would send again, or tell its sender, what had been taken of it."""
        said = Said(content)
        sealed = {to: matter for to in envelope.recipients if (matter := self._matter(to, said))}
        if not sealed:
            return await self._door.accept(session, envelope, content)
        matter, *more = set(sealed.values())
        if more:  # ours write to one; each would be another check, another limit, another allowance
            return Refused("5.5.3 what a fabric has sealed is for one list here: send it to each by itself")
        vouched = await self._judged(content, matter)
        if isinstance(vouched, Deferred | Refused):
            return vouched
        if others := [to for to in envelope.recipients if to not in sealed]:
            outcome = await self._door.accept(session, replace(envelope, recipients=others), content)
            if not isinstance(outcome, Delivered):
                return outcome
        known_by = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        return await self._door.accept(session, replace(envelope, recipients=list(sealed)), vouched, known_by)

    def _matter(self, recipient: RcptTo, said: Said) -> Matter | None:
        """Return what must be sealed if it is to be taken; None for mail of any other kind."""
        name = self._flow.name_of(_address(recipient))
        if not isinstance(name, Reflector):
            return None
        if source := mirrored(name.entity):
            return None if name.detail else Matter(source[1], name.entity, is_post=True)
        if name.detail not in WORDS:
            return None
        domain = is_mirror_of(self._flow.directory().names.domain, name.entity, said.sender)
        return Matter(domain, name.entity, is_post=False) if domain else None

    async def _judged(self, content: bytes, matter: Matter) -> bytes | Deferred | Refused:
        """Return what its fabric has sealed, under this host's word."""
        if matter.domain in self._refuse:
            return Refused(f"5.7.1 this fabric has no traffic with {matter.domain}")
        if not matter.is_post and len(content) > WISH_OCTETS_MAX:
            return Refused(f"5.3.4 a wish of a mirror's has {WISH_OCTETS_MAX} octets at most", 552)
        # A stranger may name any domain: what he has us look up waits for nobody's turn but his own kind's.
        part = await unseal(self._fabrics if matter.is_post else self._strangers, content, matter.domain)
        if isinstance(part, Deferred | Refused):
            return part
        whose = (of_posts if matter.is_post else of_wishes)(matter.domain, matter.list)
        if not self._allowances.take(whose, len(content), self._clock()):
            return FLOOD
        return await asyncio.to_thread(self._vouched, part, matter.domain)  # large posts are hashed once more

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
