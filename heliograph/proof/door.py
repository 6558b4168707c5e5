"""The mail door, towards people elsewhere: whose From is proven is heard by lists.

Law: what is proven is said in a field that this host signs (``Heliograph-Proven``), of the sealed part of the mail, for
the lists that it names, and known by what the seal covers: a list takes it once. All else passes as it is: a command is
confirmed by mail, a post refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from directory.names import Reflector
from heliograph.federation.door import Taker
from heliograph.federation.flood import Allowances, of_wishes
from heliograph.flow import Flow
from heliograph.intake import meaning
from heliograph.proof.posters import Posters
from heliograph.proof.prover import Prover
from heliograph.proof.saying import Saying, known_by, proven_part, read_saying
from mail.address import Address, mirrored
from mail.envelope import PROVEN_FIELD, Arrival
from mail.headers import add_headers, drop_headers
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.signature import TRUSTED_PREFIX, sign
from mail.unsealing import Claim
from reflector.automatic import why_automatic
from reflector.command_words import read_line, subject_of
from reflector.senders import BY
from spool.door import Envelope, RcptTo, Session

log = logging.getLogger("heliograph.proof")

COMMAND_OCTETS_MAX = 65_536  # a command has one word; what is larger is confirmed by mail
LISTS_MAX = 10  # of one mail: each may be a question to another host
AWAY = Deferred("4.4.1 the host of this list cannot be asked now who posts to it, try again later")


@dataclass(slots=True)
class Wanted:
    """Recipients that a proof would open: for a command, or for a post (`unsure`: if the owner posts from there)."""

    commands: list[RcptTo] = field(default_factory=list)
    posts: list[RcptTo] = field(default_factory=list)
    unsure: bool = False

    def __bool__(self) -> bool:
        return bool(self.commands or self.posts)


class ProofDoor:
    """Implements `spool.door.Door` by another."""

    def __init__(self, door: Taker, flow: Flow, prover: Prover, posters: Posters, clock: Callable[[], float]) -> None:
        self._door, self._flow, self._prover, self._posters, self._clock = door, flow, prover, posters, clock
        self._allowances = Allowances()

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        return await self._door.authenticate(session, username, password)

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        return self._door.prove(session, host, nonce, proof)

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return self._door.sender(session, sender)

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        name = self._flow.name_of(address)
        if not session.host and isinstance(name, Reflector) and name.detail.startswith(BY):
            return Refused(f"5.1.1 <{address}>: no such address here")  # from where an owner posts is her own affair
        return self._door.recipient(session, envelope, address)

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        """`known_by`: it was proven in another way."""
        stranger = not (session.entity or session.host or known_by)
        saying = read_saying(content, self._clock()) if stranger and envelope.sender else None
        wanted = await self._wanted(envelope, content, saying) if saying else Wanted()
        if not saying or not wanted:
            return await self._door.accept(session, envelope, content, known_by)
        claim = await self._prover.prove(content, saying)
        if wanted.posts and (isinstance(claim, Deferred) or (claim and wanted.unsure)):
            return claim if isinstance(claim, Deferred) else AWAY
        if not isinstance(claim, Claim) or not self._may(wanted, saying, content):
            return await self._door.accept(session, envelope, content)
        return await self._proven(session, envelope, content, saying, claim, wanted)

    async def _wanted(self, envelope: Envelope, content: bytes, saying: Saying) -> Wanted:
        """Lists do not hear machines; and a command that answers something was perhaps put into somebody's mouth."""
        wanted, arrival = Wanted(), Arrival(envelope.sender, content, 0)
        if why_automatic(arrival, self._flow.directory().names):
            return wanted
        command = read_line(subject_of(arrival)) is not None
        for recipient in envelope.recipients:
            name = meaning(self._flow, recipient)
            if not isinstance(name, Reflector) or mirrored(name.entity) or not _is_named(recipient, saying):
                continue
            if len(wanted.commands) + len(wanted.posts) == LISTS_MAX:
                break
            if name.detail in ("subscribe", "unsubscribe") or (command and name.detail in ("", "request")):
                if is_fresh_word(arrival):
                    wanted.commands.append(recipient)
            elif not name.detail:
                has = await self._posters.has(name, saying.author)
                wanted.posts += [] if has is False else [recipient]
                wanted.unsure |= has is None
        return wanted

    def _may(self, wanted: Wanted, saying: Saying, content: bytes) -> bool:
        """How many commands of one organization a list takes without asking: it may have any number of addresses."""
        lists = {name.entity for to in wanted.commands if isinstance(name := meaning(self._flow, to), Reflector)}
        domain = saying.author.rpartition("@")[2]
        return all(self._allowances.take(of_wishes(domain, one), len(content), self._clock()) for one in lists)

    async def _proven(
        self, session: Session, envelope: Envelope, content: bytes, saying: Saying, claim: Claim, wanted: Wanted
    ) -> Outcome:
        lists = [*wanted.commands, *wanted.posts]
        if others := [recipient for recipient in envelope.recipients if recipient not in lists]:
            outcome = await self._door.accept(session, replace(envelope, recipients=others), content)
            if not isinstance(outcome, Delivered):
                return outcome
        number = await asyncio.to_thread(known_by, content)
        log.info("proven author=%s lists=%d by=%s", saying.author, len(lists), claim.key_name)
        # What cannot be delivered goes back to who wrote it, not to whom somebody who sends it again may name.
        part = replace(envelope, sender=saying.author, recipients=lists)
        return await self._door.accept(session, part, self._vouched(content, saying, claim), number)

    def _vouched(self, content: bytes, saying: Saying, claim: Claim) -> bytes:
        me, ours = self._flow.me, self._flow.directory().names.domain
        part = drop_headers(proven_part(content, claim), prefix=TRUSTED_PREFIX)
        return sign(add_headers(part, [(PROVEN_FIELD, saying.author)]), domain=ours, host=me.host, key=me.key)


def is_fresh_word(arrival: Arrival) -> bool:
    """Tell whether a mail is short, answers nothing, and reports nothing: what a program writes by itself to whoever
    wrote to it (vacations, receipts) does, and is sealed like any mail of its domain."""
    headers = arrival.headers
    answers = headers.has("in-reply-to") or headers.has("references")
    report = headers.get("content-type").lower().startswith("multipart/report")
    return not answers and not report and len(arrival.content) <= COMMAND_OCTETS_MAX


def _is_named(recipient: RcptTo, saying: Saying) -> bool:
    return recipient.address.lower() in saying.named
