"""The mail door, towards strangers: what they bring is judged, and the verdict written in front of it.

Law: a verdict changes nothing of what is let in, with one exception: a server in front of us (LMTP) has taken the mail
already, and what we refuse now it would send back to whomever the mail names. So that is done only where the domain in
From stands behind it; the rest is dropped, and the log says so (backscatter). For the same reason nobody is told later
that what we took cannot be delivered (a mailbox that filled up) whose domain stands behind neither From nor the way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace

from heliograph.door.outer import InnerDoor, OuterDoor
from heliograph.judging.judge import Judge
from heliograph.judging.results import Verdict, told, without, written
from heliograph.judging.spf.asking import Came
from mail.loopback import is_loopback
from mail.organization import organization
from mail.outcome import Delivered, Outcome, Refused
from spool.door import Envelope, Session

log = logging.getLogger("heliograph.judging")

DROPPED = Delivered("2.0.0 Ok, not wanted here and not sent back")


class JudgingDoor(OuterDoor):
    """Implements `spool.door.Door` by another. `authserv`: under which name our verdicts stand; `front`: the name of
    the server in front, where the operator trusts one; `is_inside`: of an address, whether what comes from there has
    not come from outside."""

    def __init__(
        self,
        door: InnerDoor,
        judge: Judge,
        authserv: str,
        front: str = "",
        is_inside: Callable[[str], bool] = is_loopback,
    ) -> None:
        super().__init__(door)
        self._judge, self._authserv, self._front = judge, authserv, front
        self._is_inside = is_inside

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        """`known_by`: it was proven in another way."""
        if session.entity or session.host or known_by:
            return await self._door.accept(session, envelope, content, known_by)
        known_by = hashlib.sha256(content).hexdigest()  # a verdict may change from try to try, the mail does not
        verdict, content = await self._judged(session, envelope, content)
        if not _may_be_told(verdict, session, envelope.sender):
            envelope = replace(envelope, recipients=[replace(to, notify="NEVER") for to in envelope.recipients])
        outcome = await self._door.accept(session, envelope, content, known_by)
        if isinstance(outcome, Refused) and session.role == "lmtp" and not verdict.is_authentic:
            log.info("dropped peer=%s recipients=%d: %s", session.peer, len(envelope.recipients), outcome.text)
            return DROPPED
        return outcome

    async def _judged(self, session: Session, envelope: Envelope, content: bytes) -> tuple[Verdict, bytes]:
        if self._front and session.front:
            content = without(content, {self._authserv})
            verdict = told(content, self._front)
            if verdict is not None:
                return verdict, content
        content = without(content, {self._authserv, self._front})
        verdict = await self._judge.judge(content, self._came(session, envelope))
        return verdict, written(verdict, self._authserv) + content

    def _came(self, session: Session, envelope: Envelope) -> Came | None:
        """Who brought it from outside, if that is seen from here: a server in front has told (XFORWARD), or not."""
        client, helo = session.peer, session.helo
        if session.front or session.role == "lmtp":
            client, helo = session.client, session.client_helo
        return Came(client, helo, envelope.sender) if client and not self._is_inside(client) else None


def _may_be_told(verdict: Verdict, session: Session, sender: str) -> bool:
    """Tell whether the return path is its owner's word: by SPF, or a true seal of its domain. Where the client is not
    seen (this machine, a server in front that does not tell) only LMTP's mail is surely a stranger's."""
    if verdict.path is None:
        return session.role != "lmtp" or verdict.is_authentic
    if verdict.path.result == "pass" and verdict.path.identity == "mailfrom":
        return True
    whose = organization(sender.rpartition("@")[2].lower())
    return any(seal.result == "pass" and organization(seal.domain) == whose for seal in verdict.seals)
