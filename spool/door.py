"""What the servers at the door ask of the house behind them.

Law: the door knows SMTP; who exists, who may, and where mail goes is answered by what implements `Door`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mail.address import Address
from mail.outcome import Outcome

Role = Literal["mx", "submission", "lmtp", "https"]


@dataclass(slots=True)
class Session:
    """What is known of a connection's other end. `entity`: who signed in; `keeps_sent`: she wants copies of what she
    sends; `source`: an application of hers signed in, which posts there and nowhere else; `host`: a fabric host that
    proved itself; `front`: a server of the operator's, which has told of its client (`client`, its `client_helo`)."""

    role: Role
    peer: str  # its IP address
    helo: str = ""
    tls: bool = False
    entity: str = ""
    keeps_sent: bool = False
    source: str = ""
    host: str = ""
    front: bool = False
    client: str = ""
    client_helo: str = ""


@dataclass(slots=True)
class Envelope:
    """One mail transaction so far (RFC 5321 4.1.1; DSN parameters RFC 3461; 8BITMIME 6152; SMTPUTF8 6531).

    `envid`: as the client gave it, decoded from xtext; only a fabric host's is what the fabric knows the mail by.
    """

    sender: str
    recipients: list[RcptTo] = field(default_factory=list)
    envid: str = ""
    ret: str = ""
    eightbit: bool = False
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class RcptTo:
    """A recipient that was answered 250."""

    address: str
    notify: str = ""
    orcpt: str = ""


class Door(Protocol):
    """Implemented above the spool. Nothing here may raise for bad input; StoreFull is answered 451 4.3.1 and OSError
    451 4.3.0."""

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        """Check a password (AUTH PLAIN, LOGIN). Delivered: `session.entity` was set. Refused 535, Deferred 454."""

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        """Check XHELIOGRAPH. Delivered: `session.host` was set."""

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        """Judge MAIL FROM (None: the null path)."""

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        """Judge RCPT TO. Answers at once where it can; awaitable where another host must be asked."""

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        """Take a message, for all its recipients. Delivered means durable. `content`: CRLF, dots unstuffed, without
        a Received field (the Door adds it)."""
