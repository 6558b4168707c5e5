"""The first words of a connection of ours: EHLO or LHLO, TLS, signing in, the proof of a fabric host.

Law: what was said in clear is forgotten under TLS (RFC 3207 4.2); a password is said under TLS alone, or to this very
machine.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mail.loopback import is_loopback
from mail.outcome import Deferred
from spool.letter import Offer, read_offer
from spool.peer import Login, Peer
from spool.reply_reader import Reply
from spool.runner_settings import Timeouts
from spool.wire import Wire

Prove = Callable[[str, str], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class Manners:
    """How we present ourselves to peers. `trust`: who vouches for strict ones; None for the system's authorities."""

    hostname: str
    timeouts: Timeouts
    source_address: str = ""
    starttls: bool = True
    prove: Prove | None = None
    trust: ssl.SSLContext | None = None


class Greeting:
    """A connection, until it is ready for mail. Its methods raise Lost."""

    def __init__(self, wire: Wire, peer: Peer, manners: Manners) -> None:
        self.peer = peer
        self.offer = Offer()
        self.is_ready = False
        self.in_handshake = False
        self._wire = wire
        self._manners = manners
        self._times = manners.timeouts
        self._first = b""  # commands that go before the next MAIL, in the same write
        self._first_replies = 0
        self._ahead = 0  # replies that come before those of the running transaction
        self._dismissed = False  # it said 421
        self._answered = True
        self._encrypted = False

    async def greet(self, tls: bool) -> Deferred | None:
        """Go through all of it; None: it is ready."""
        (greeting,) = await self._wire.hear(1, self._times.greeting)
        if greeting.code >= 300:  # RFC 5321 3.1: 554 here means no SMTP service; that is no word on a recipient
            return self._declined(greeting)
        refusal = await self._hello()
        if refusal is None and tls and self.offer.starttls:
            refusal = await self._encrypt()
        elif refusal is None and self.peer.strict:
            refusal = Deferred(f"4.7.5 {self.peer} offers no TLS, which it must")
        if refusal is None and self.peer.login is not None:
            refusal = await self._sign_in(self.peer.login)
        if refusal is not None:
            return refusal
        self._introduce()
        self.is_ready = True
        return None

    async def _hello(self) -> Deferred | None:
        verb = "LHLO" if self.peer.lmtp else "EHLO"  # RFC 2033 4.1
        (reply,) = await self._ask(f"{verb} {self._manners.hostname}\r\n".encode(), 1, self._times.command)
        if reply.code >= 500 and not self.peer.lmtp:  # RFC 5321 3.2: then HELO
            (reply,) = await self._ask(f"HELO {self._manners.hostname}\r\n".encode(), 1, self._times.command)
        self.offer = read_offer(reply.lines[1:])
        return None if reply.code < 300 else self._declined(reply)

    async def _encrypt(self) -> Deferred | None:
        self.in_handshake = True  # from the word on: some close at it, or say what is no reply
        (reply,) = await self._ask(b"STARTTLS\r\n", 1, self._times.command)
        if reply.code != 220 and self.peer.strict:
            return Deferred(f"4.7.5 {self.peer} refuses TLS, which it must offer: {reply}")
        if reply.code != 220:
            self.in_handshake = False
            return None  # it offered and would not: go on in clear
        context = (self._manners.trust or _strict_context()) if self.peer.strict else _context()
        await self._wire.start_tls(context, self.peer.name, self._times.connect)
        refusal = await self._hello()  # RFC 3207 4.2: what was said in clear is forgotten
        self.in_handshake = False
        self._encrypted = True
        return refusal

    async def _sign_in(self, login: Login) -> Deferred | None:
        """RFC 4954. A relay that does not know us is the operator's to mend: nothing is refused for that."""
        if not self._encrypted and not is_loopback(self.peer.address):
            return Deferred(f"4.7.11 {self.peer} offers no TLS, and a password is not said in clear")
        if "PLAIN" in self.offer.auth:
            secret = b64encode(f"\0{login.user}\0{login.password}".encode())
            (reply,) = await self._ask(b"AUTH PLAIN " + secret + b"\r\n", 1, self._times.command)
        elif "LOGIN" in self.offer.auth:
            reply = await self._sign_in_by_turns(login)
        else:
            return Deferred(f"4.7.0 {self.peer} offers neither AUTH PLAIN nor LOGIN")
        return None if reply.code == 235 else self._declined(reply)

    async def _sign_in_by_turns(self, login: Login) -> Reply:
        for word in (b"AUTH LOGIN", b64encode(login.user.encode()), b64encode(login.password.encode())):
            (reply,) = await self._ask(word + b"\r\n", 1, self._times.command)
            if reply.code != 334:
                break
        return reply

    def _introduce(self) -> None:
        """Prove ourselves to a host of the fabric, together with the first MAIL: it costs no round trip."""
        if self.peer.in_fabric and self.offer.nonce and self._manners.prove is not None:
            proof = self._manners.prove(self.offer.nonce, self.peer.name)
            if proof is not None:
                self._first, self._first_replies = f"XHELIOGRAPH {proof[0]} {proof[1]}\r\n".encode(), 1

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

    def _declined(self, reply: Reply) -> Deferred:
        return Deferred(f"4.3.2 {self.peer} said: {reply}")


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
