"""Our SMTP client: one session, pipelined (RFC 2920), kept open and used again.

Law: what a peer says is an outcome per recipient, never an exception; a session that is not `is_usable` is thrown away.

Why not aiosmtplib here: it sends a command and waits, so a transaction costs a round trip per recipient; it drops
replies that come with no command pending, so pipelining cannot be put on top; it keeps no connections, walks no MX
and takes ENVID, NOTIFY and XHELIOGRAPH only through such single commands. With 50 recipients a transaction it sent a
fifth of what a pipelining session does. Our tests send with it, as strangers do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from mail.outcome import Deferred, Delivered, Outcome
from spool.letter import (
    Letter,
    Offer,
    Prove,
    judge,
    judge_lost,
    mail_command,
    misfit,
    prepare,
    rcpt_block,
    rcpt_commands,
    read_offer,
)
from spool.reply_reader import Reply
from spool.runner_settings import Timeouts
from spool.wire import TIMED_OUT, Lost, Wire


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect to. `name`: the MX's name, or the fabric host's (for its proof), or "" for a bare address.
    `strict`: only under TLS with a certificate for that name (RFC 8461)."""

    address: str
    port: int
    name: str = ""
    in_fabric: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """How we present ourselves to peers. `trust`: who vouches for strict ones; None for the system's authorities."""

    hostname: str
    timeouts: Timeouts
    source_address: str = ""
    starttls: bool = True
    prove: Prove | None = None
    trust: ssl.SSLContext | None = None

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
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire,
                    peer.address,
                    peer.port,
                    local_addr=(self.source_address, 0) if self.source_address else None,
                )
        except OSError as error:  # TimeoutError is one
            return Deferred(f"4.4.1 {_place(peer)}: {error.strerror or 'connection timed out'}")
        session = Session(wire, peer, self)
        try:
            return await session.greet(tls)
        except Lost as lost:
            code = TLS_FAILED if session.in_handshake else 451
            return Deferred(f"4.4.2 {_place(peer)}: {lost}", code)
        finally:
            if not session.is_ready:
                wire.close()


TLS_FAILED = 454  # RFC 3207 4: what a server says of itself in this case


def _place(peer: Peer) -> str:
    return f"{peer.name or 'host'}[{peer.address}]:{peer.port}"


class Session:
    """One connection to one peer, greeted; `deliver` as often as it `is_usable`."""

    def __init__(self, wire: Wire, peer: Peer, client: Client) -> None:
        self.peer = peer
        self.offer = Offer()
        self.is_ready = False
        self.in_handshake = False
        self._wire = wire
        self._client = client
        self._times = client.timeouts
        self._first = b""  # commands that go before the next MAIL, in the same write
        self._first_replies = 0
        self._ahead = 0  # replies that come before those of the running transaction
        self._dismissed = False  # it said 421
        self._answered = True

    @property
    def is_usable(self) -> bool:
        return self.is_ready and not self._dismissed and self._wire.is_quiet

    @property
    def is_stale(self) -> bool:
        """The last letter met a connection that was gone: not a word came back, so none of it was taken."""
        return not self._answered

    async def greet(self, tls: bool) -> Session | Deferred:
        """Go through greeting, EHLO and STARTTLS. Raises Lost."""
        (greeting,) = await self._wire.hear(1, self._times.greeting)
        if greeting.code >= 300:  # RFC 5321 3.1: 554 here means no SMTP service; that is no word on a recipient
            return Deferred(f"4.3.2 {_place(self.peer)} said: {greeting}")
        refusal = await self._hello()
        if refusal is None and tls and self.offer.starttls:
            refusal = await self._encrypt()
        elif refusal is None and self.peer.strict:
            refusal = Deferred(f"4.7.5 {_place(self.peer)} offers no TLS, which its domain demands (MTA-STS)")
        if refusal is not None:
            return refusal
        self._introduce()
        self.is_ready = True
        return self

    async def deliver(self, letter: Letter) -> list[Outcome]:
        """Send a letter; return the outcome of each recipient, in their order."""
        refusal = misfit(letter, self.offer)
        if refusal is not None:
            return [refusal] * len(letter.recipients)
        self._answered = False
        try:
            if self.offer.pipelining:
                return await self._deliver_pipelined(letter)
            return await self._deliver_by_turns(letter)
        except Lost as lost:
            self._answered = self._answered or bool(self._wire.heard) or str(lost) == TIMED_OUT
            return self._known(letter, str(lost))

    async def verify(self, recipients: Sequence[str], seconds: float) -> list[Outcome]:
        """Ask whether recipients would be taken, and take it back: MAIL FROM:<>, RCPT ..., RSET."""
        question = Letter("", recipients, EMPTY)
        if question.needs_smtputf8 and not self.offer.smtputf8:
            return [Deferred("4.6.7 cannot be asked: no SMTPUTF8")] * len(recipients)
        commands = [mail_command(question, Offer()), *rcpt_commands(question, Offer()), b"RSET\r\n"]
        try:
            if self.offer.pipelining:
                replies = await self._ask(b"".join(commands), len(commands), seconds)
            else:
                replies = [(await self._ask(command, 1, seconds))[0] for command in commands]
        except Lost as lost:
            replies, missing = self._wire.heard[self._ahead :], str(lost)
        else:
            missing = ""
        if not replies or replies[0].code >= 300:  # no word on any recipient
            why = missing or f"said: {replies[0]}"
            return [Deferred(f"4.4.2 {_place(self.peer)} {why}")] * len(recipients)
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

    # greeting

    async def _hello(self) -> Deferred | None:
        (reply,) = await self._ask(f"EHLO {self._client.hostname}\r\n".encode(), 1, self._times.command)
        if reply.code >= 500:  # RFC 5321 3.2: then HELO
            (reply,) = await self._ask(f"HELO {self._client.hostname}\r\n".encode(), 1, self._times.command)
        self.offer = read_offer(reply.lines[1:])
        return None if reply.code < 300 else Deferred(f"4.3.2 {_place(self.peer)} said: {reply}")

    async def _encrypt(self) -> Deferred | None:
        (reply,) = await self._ask(b"STARTTLS\r\n", 1, self._times.command)
        if reply.code != 220 and self.peer.strict:
            return Deferred(f"4.7.5 {_place(self.peer)} refuses TLS, which its domain demands (MTA-STS): {reply}")
        if reply.code != 220:
            return None  # it offered and would not: go on in clear
        self.in_handshake = True
        context = (self._client.trust or _strict_context()) if self.peer.strict else _context()
        await self._wire.start_tls(context, self.peer.name, self._times.connect)
        refusal = await self._hello()  # RFC 3207 4.2: what was said in clear is forgotten
        self.in_handshake = False
        return refusal

    def _introduce(self) -> None:
        """Prove ourselves to a host of the fabric, together with the first MAIL: it costs no round trip."""
        if self.peer.in_fabric and self.offer.nonce and self._client.prove is not None:
            proof = self._client.prove(self.offer.nonce, self.peer.name)
            if proof is not None:
                self._first, self._first_replies = f"XHELIOGRAPH {proof[0]} {proof[1]}\r\n".encode(), 1

    # one transaction

    async def _deliver_pipelined(self, letter: Letter) -> list[Outcome]:
        """MAIL, every RCPT and DATA in one write (RFC 2920 3.1: DATA is the last of a group), replies together."""
        opening = mail_command(letter, self.offer) + rcpt_block(letter, self.offer) + b"DATA\r\n"
        mail, *answers, data = await self._ask(opening, len(letter.recipients) + 2, self._times.command)
        return await self._finish(letter, mail, answers, data)

    async def _deliver_by_turns(self, letter: Letter) -> list[Outcome]:
        """A command at a time, for a peer that does not offer PIPELINING."""
        (mail,) = await self._ask(mail_command(letter, self.offer), 1, self._times.command)
        answers: list[Reply] = []
        if mail.code < 300:
            for command in rcpt_commands(letter, self.offer):
                answers += await self._ask(command, 1, self._times.command)
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
        if mail.code >= 300 or not any(answer.code < 300 for answer in answers):
            # RFC 2920 3.1: DATA may be taken though nobody is; then the dot alone, and no message is sent.
            with suppress(Lost):  # what was said before stands
                self._wire.say(b".\r\n", 1)
                await self._wire.hear(1, self._times.dot)
            self._start_over()
            return judge(mail, answers, mail)
        try:
            await self._wire.say_long(letter.front, letter.content.wire, b".\r\n", self._times.block)
            (end,) = await self._wire.hear(1, self._times.dot)
        except Lost as lost:
            early = next((reply for reply in self._wire.heard if reply.code >= 400), None)
            if early is None:  # it may have it or not: again (RFC 1047), and our own hosts drop the repeat by ENVID
                return judge_lost(len(answers), mail, answers, f"{_place(self.peer)}: {lost} after the message")
            end = early
        self._note(end)
        return judge(mail, answers, end if end.code < 300 or end.code >= 400 else NO_SENSE)

    async def _ask(self, commands: bytes, count: int, seconds: float) -> list[Reply]:
        """Send commands behind those that were kept for now; return the replies to `commands`."""
        extra, first = self._first_replies, self._first
        self._ahead = extra
        self._first, self._first_replies = b"", 0
        self._wire.say(first + commands if first else commands, extra + count)
        replies = await self._wire.hear(extra + count, seconds, self._times.group)
        self._answered = True
        self._note(replies[-1])  # nothing follows a 421, or the connection is lost anyway
        return replies[extra:] if extra else replies

    def _note(self, reply: Reply) -> None:
        self._dismissed = self._dismissed or reply.code == 421  # RFC 5321 3.8: it is about to close

    def _start_over(self) -> None:
        """The next transaction begins with RSET, in the same write."""
        self._first, self._first_replies = b"RSET\r\n", 1

    def _known(self, letter: Letter, reason: str) -> list[Outcome]:
        """Judge a transaction that broke off before the message, by the replies that came."""
        heard = self._wire.heard[self._ahead :]
        mail = heard[0] if heard and self.offer.pipelining else None
        rcpts = heard[1:] if mail is not None else []
        return judge_lost(len(letter.recipients), mail, rcpts, f"{_place(self.peer)}: {reason}")


NO_SENSE = Reply(451, "4.5.0 the peer's reply made no sense")

TAKEN = Delivered("2.1.5 Ok")
EMPTY = prepare(b"")


@cache
def _strict_context() -> ssl.SSLContext:
    """RFC 8461 4.2: a certificate for the MX's name, from an authority that the system trusts."""
    return ssl.create_default_context()


@cache
def _context() -> ssl.SSLContext:
    """Opportunistic: any certificate will do, for the alternative is no TLS at all (RFC 7435 3)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
