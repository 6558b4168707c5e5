"""The mail door, towards people elsewhere: whose From is proven is heard by lists.

Law: what is proven is said in a field that this host signs (``Heliograph-Proven``), of the sealed part of the mail, for
the lists that it names, and known by what the seal covers: a list takes it once. All else passes as it is: a command is
confirmed by mail, a post refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from directory.names import Reflector
from heliograph.door.intake import meaning
from heliograph.door.outer import InnerDoor, OuterDoor
from heliograph.federation.flood import Allowances, of_wishes
from heliograph.flow import Flow
from heliograph.proof.posters import Posters
from heliograph.proof.prover import Prover
from heliograph.proof.saying import Saying, number_of, proven_part, read_saying
from heliograph.proof.taken import Taken
from heliograph.proof.wanting import Wanted, wanted_of
from mail.address import Address
from mail.envelope import PROVEN_FIELD
from mail.headers import add_headers, drop_headers
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.signature import TRUSTED_PREFIX, sign
from mail.unsealing import Claim
from reflector.senders import BY
from spool.door import Envelope, RcptTo, Session

log = logging.getLogger("heliograph.proof")

AGAIN = Delivered("2.0.0 Ok, it was here before")
AWAY = Deferred("4.4.1 the host of this list cannot be asked now who posts to it, try again later")


@dataclass(frozen=True, slots=True)
class Proof:
    """`number`: what the mail is known by."""

    author: str
    claim: Claim
    number: str


class ProofDoor(OuterDoor):
    """Implements `spool.door.Door` by another."""

    def __init__(
        self, door: InnerDoor, flow: Flow, prover: Prover, posters: Posters, clock: Callable[[], float]
    ) -> None:
        super().__init__(door)
        self._flow, self._prover, self._posters, self._clock = flow, prover, posters, clock
        self._allowances, self._taken = Allowances(), Taken()

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        name = self._flow.name_of(address)
        if not session.host and isinstance(name, Reflector) and name.detail.startswith(BY):
            return Refused(f"5.1.1 <{address}>: no such address here")  # from where an owner posts is her own affair
        return self._door.recipient(session, envelope, address)

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        """`known_by`: it was proven in another way."""
        stranger = not (session.entity or session.host or known_by)
        saying = read_saying(content, self._clock()) if stranger else None
        wanted = await wanted_of(self._flow, self._posters, envelope, content, saying) if saying else Wanted()
        if not saying or not wanted:
            return await self._door.accept(session, envelope, content, known_by)
        claim = await self._prover.prove(content, saying)
        if wanted.posts and (isinstance(claim, Deferred) or (claim and wanted.unsure)):
            return claim if isinstance(claim, Deferred) else AWAY
        if not isinstance(claim, Claim):
            return await self._door.accept(session, envelope, content)
        number = await asyncio.to_thread(number_of, content)
        wanted = wanted.without(lambda recipient: self._taken.has(number, recipient.address))
        if not self._may(wanted, saying, content):
            return await self._door.accept(session, envelope, content)
        return await self._proven(session, envelope, content, Proof(saying.author, claim, number), wanted)

    def _may(self, wanted: Wanted, saying: Saying, content: bytes) -> bool:
        """How many commands of one organization a list takes without asking: it may have any number of addresses."""
        lists = {name.entity for to in wanted.commands if isinstance(name := meaning(self._flow, to), Reflector)}
        domain = saying.author.rpartition("@")[2]
        return all(self._allowances.take(of_wishes(domain, one), len(content), self._clock()) for one in lists)

    async def _proven(
        self, session: Session, envelope: Envelope, content: bytes, proof: Proof, wanted: Wanted
    ) -> Outcome:
        outcome: Outcome = AGAIN
        if wanted.others:
            outcome = await self._door.accept(session, replace(envelope, recipients=wanted.others), content)
        if not isinstance(outcome, Delivered) or not wanted:
            return outcome
        log.info("proven author=%s lists=%d by=%s", proof.author, len(wanted.lists), proof.claim.key_name)
        # What cannot be delivered goes back to who wrote it, not to whom somebody who sends it again may name.
        part = replace(envelope, sender=proof.author, recipients=[RcptTo(to.address) for to in wanted.lists])
        outcome = await self._door.accept(session, part, self._vouched(content, proof), proof.number)
        if isinstance(outcome, Delivered):
            self._taken.note(proof.number, [to.address for to in wanted.lists])
        return outcome

    def _vouched(self, content: bytes, proof: Proof) -> bytes:
        me, ours = self._flow.me, self._flow.directory().names.domain
        part = drop_headers(proven_part(content, proof.claim), prefix=TRUSTED_PREFIX)
        return sign(add_headers(part, [(PROVEN_FIELD, proof.author)]), domain=ours, host=me.host, key=me.key)
