"""Our SMTP client: one session, pipelined (RFC 2920), kept open and used again.

Law: what a peer says is an outcome per recipient, never an exception; a session that is not `is_usable` is thrown away.

Why not aiosmtplib here: it sends a command and waits, so a transaction costs a round trip per recipient; it drops
replies that come with no command pending, so pipelining cannot be put on top; it keeps no connections, walks no MX
and takes ENVID, NOTIFY and XHELIOGRAPH only through such single commands. With 50 recipients a transaction it sent a
fifth of what a pipelining session does. Our tests send with it, as strangers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from mail.outcome import Deferred, Delivered, Outcome
from spool.client_greeting import Greeting, Manners
from spool.letter import (
    Letter,
    Offer,
    judge,
    judge_each,
    judge_lost,
    mail_command,
    misfit,
    prepare,
    rcpt_block,
    rcpt_commands,
)
from spool.peer import Peer
from spool.reply_reader import Reply
from spool.wire import TIMED_OUT, Lost, Wire

__all__ = ["Client", "Peer", "Session"]

TLS_FAILED = 454  # RFC 3207 4: what a server says of itself in this case


class Client(Manners):
    """Opens sessions."""

    async def connect(self, peer: Peer) -> Session | Deferred:
        """Open a session, under TLS where it is offered. A peer that offers TLS and fails at it gets its mail in clear
        on another connection (RFC 7435: some protection most of the time)."""
        session = await self._open(peer, self.starttls or peer.strict)
        if isinstance(session, Deferred) and session.code == TLS_FAILED and not peer.strict:
            session = await self._open(peer, False)
        return session

    async def _open(self, peer: Peer, tls: bool) -> Session | Deferred:
        try:
            async with asyncio.timeout(self.timeouts.connect):
                wire = await self._reach(peer)
        except OSError as error:  # TimeoutError is one
            return Deferred(f"4.4.1 {peer}: {error.strerror or 'connection timed out'}")
        session = Session(wire, peer, self)
        try:
            return await session.greet(tls) or session
        except Lost as lost:
            code = TLS_FAILED if session.in_handshake else 451
            return Deferred(f"4.4.2 {peer}: {lost}", code)
        finally:
            if not session.is_ready:
                wire.close()

    async def _reach(self, peer: Peer) -> Wire:
        loop = asyncio.get_running_loop()
        if peer.address.startswith("/"):
            return (await loop.create_unix_connection(Wire, peer.address))[1]
        source = (self.source_address, 0) if self.source_address and not peer.lmtp else None
        return (await loop.create_connection(Wire, peer.address, peer.port, local_addr=source))[1]


class Session(Greeting):
    """One connection to one peer, greeted; `deliver` as often as it `is_usable`."""

    @property
    def is_usable(self) -> bool:
        return self.is_ready and not self._dismissed and self._wire.is_quiet

    @property
    def is_stale(self) -> bool:
        """The last letter met a connection that was gone: not a word came back, so none of it was taken."""
        return not self._answered

    async def deliver(self, letter: Letter) -> list[Outcome]:
        """Send a letter; return the outcome of each recipient, in their order."""
        refusal = misfit(letter, self.offer)
        if refusal is not None:
            return [refusal] * len(letter.recipients)
        self._answered = False
        said: list[Reply] = []  # to one command after the other; what is pipelined is fetched together
        try:
            if self.offer.pipelining:
                return await self._deliver_pipelined(letter)
            return await self._deliver_by_turns(letter, said)
        except Lost as lost:
            self._answered = self._answered or bool(self._wire.heard) or str(lost) == TIMED_OUT
            said += self._wire.heard[self._ahead :]
            mail = said[0] if said else None
            return judge_lost(len(letter.recipients), mail, said[1:], f"{self.peer}: {lost}")

    async def verify(self, recipients: Sequence[str], seconds: float) -> list[Outcome]:
        """Ask whether recipients would be taken, and take it back: MAIL FROM:<>, RCPT ..., RSET."""
        question = Letter("", recipients, EMPTY)
        if question.needs_smtputf8 and not self.offer.smtputf8:
            return [Deferred("4.6.7 cannot be asked: no SMTPUTF8")] * len(recipients)
        commands = [mail_command(question, Offer()), *rcpt_commands(question, Offer()), b"RSET\r\n"]
        replies: list[Reply] = []
        missing = ""
        try:
            if self.offer.pipelining:
                replies = await self._ask(b"".join(commands), len(commands), seconds)
            for command in commands if not self.offer.pipelining else ():
                replies += await self._ask(command, 1, seconds)
        except Lost as lost:
            replies, missing = [*replies, *self._wire.heard[self._ahead :]], str(lost)
        if not replies or replies[0].code >= 300:  # no word on any recipient
            why = missing or f"said: {replies[0]}"
            return [Deferred(f"4.4.2 {self.peer} {why}")] * len(recipients)
        return judge_lost(len(recipients), replies[0], replies[1 : 1 + len(recipients)], missing, TAKEN)

    async def quit(self) -> None:
        """Leave politely, and at once where that does not help."""
        try:
            await self._ask(b"QUIT\r\n", 1, self._times.quit)
        except Lost:
            pass
        finally:
            self._wire.close()

    def close(self) -> None:
        self._wire.close()

    # one transaction

    async def _deliver_pipelined(self, letter: Letter) -> list[Outcome]:
        """MAIL, every RCPT and DATA in one write (RFC 2920 3.1: DATA is the last of a group), replies together."""
        opening = mail_command(letter, self.offer) + rcpt_block(letter, self.offer) + b"DATA\r\n"
        mail, *answers, data = await self._ask(opening, len(letter.recipients) + 2, self._times.command)
        return await self._finish(letter, mail, answers, data)

    async def _deliver_by_turns(self, letter: Letter, said: list[Reply]) -> list[Outcome]:
        """A command at a time, for a peer that does not offer PIPELINING. `said`: gets the replies as they come."""
        said += await self._ask(mail_command(letter, self.offer), 1, self._times.command)
        if said[0].code < 300:
            for command in rcpt_commands(letter, self.offer):
                said += await self._ask(command, 1, self._times.command)
        mail, *answers = said
        if not any(answer.code < 300 for answer in answers):
            self._start_over()
            return judge(mail, answers or [mail] * len(letter.recipients), mail)
        (data,) = await self._ask(b"DATA\r\n", 1, self._times.data)
        return await self._finish(letter, mail, answers, data)

    async def _finish(self, letter: Letter, mail: Reply, answers: list[Reply], data: Reply) -> list[Outcome]:
        """After DATA's reply: the message, or the way back."""
        if data.code != 354:
            self._start_over()
            return judge(mail, answers, data if data.code >= 400 else NO_SENSE)
        taken = sum(answer.code < 300 for answer in answers)
        if self.peer.lmtp and not taken:  # RFC 2033 4.2 forbids it, and it would owe us no reply to the dot
            self._wire.close("the message was awaited for nobody")
            return judge(mail, answers, mail)
        if mail.code >= 300 or not taken:
            # RFC 2920 3.1: DATA may be taken though nobody is; then the dot alone, and no message is sent.
            with suppress(Lost):  # what was said before stands
                self._wire.say(b".\r\n", 1)
                await self._wire.hear(1, self._times.dot)
            self._start_over()
            return judge(mail, answers, mail)
        if self.peer.lmtp:
            return await self._finish_each(letter, answers, taken)
        try:
            await self._say_message(letter, 1)
            (end,) = await self._wire.hear(1, self._times.dot)
        except Lost as lost:
            early = next((reply for reply in self._wire.heard if reply.code >= 400), None)
            if early is None:  # it may have it or not: again (RFC 1047), and our own hosts drop the repeat by ENVID
                return judge_lost(len(answers), mail, answers, f"{self.peer}: {lost} after the message")
            end = early
        self._note(end)
        return judge(mail, answers, end if end.code < 300 or end.code >= 400 else NO_SENSE)

    async def _finish_each(self, letter: Letter, answers: list[Reply], taken: int) -> list[Outcome]:
        """RFC 2033 4.2: a reply for each recipient that was taken, in their order. What was heard stands, whatever
        becomes of the rest."""
        reason = ""
        try:
            await self._say_message(letter, taken)
            ends = await self._wire.hear(taken, self._times.dot, self._times.group)
        except Lost as lost:
            ends, reason = self._wire.heard[:taken], f"{self.peer}: {lost} after the message"
        if ends:
            self._note(ends[-1])
        return judge_each(answers, ends, reason)

    async def _say_message(self, letter: Letter, replies: int) -> None:
        times = self._times
        await self._wire.say_long(letter.front, letter.content.wire, letter.end, times.block, times.message, replies)

    def _start_over(self) -> None:
        """The next transaction begins with RSET, in the same write."""
        self._first, self._first_replies = b"RSET\r\n", 1


NO_SENSE = Reply(451, "4.5.0 the peer's reply made no sense")

TAKEN = Delivered("2.1.5 Ok")
EMPTY = prepare(b"")
