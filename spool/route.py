"""Where a recipient's mail goes next, as the spool sees it.

Law: the spool never guesses; it asks `Fabric.route` at every attempt, so that a changed zone is followed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mail.envelope import Arrival
from mail.outcome import Deferred, Outcome, Refused
from store import Transaction

SHELF = "lmtp:"


@dataclass(frozen=True, slots=True)
class Here:
    """A room of this very host takes it."""


@dataclass(frozen=True, slots=True)
class Via:
    """Another host of the fabric, known by name, at an address of the transferred zone; `mailbox` is for RCPT TO."""

    host: str
    address: str
    port: int
    mailbox: str


@dataclass(frozen=True, slots=True)
class Abroad:
    """A foreign domain: MX of `domain` (RFC 5321 5.1), or `relay` ("host:port") if the operator set one for it."""

    domain: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The server that keeps this host's mailboxes, over LMTP: at `place`, "host:port" or the path of a Unix socket;
    `mailbox` is for RCPT TO. In the queue `SHELF` stands before it, which is in no address that anybody sends."""

    place: str
    mailbox: str


Route = Here | Via | Abroad | Shelf | Deferred | Refused


class Fabric(Protocol):
    """Implemented above the spool."""

    def route(self, recipient: str) -> Route:
        """Tell where a recipient's mail goes now. Costs microseconds."""

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        """Hand an arrival to the room of this host that claims the recipient, and spool what the room returns, in
        this transaction. Deferred: nothing was done."""

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        """Return (this host's name, its proof) for XHELIOGRAPH with the fabric host `server`."""
