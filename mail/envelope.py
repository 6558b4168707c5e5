"""A message and its envelope, on the way in and on the way out.

Law: content stays bytes, exactly as it came, with CRLF line ends; an Arrival is read by rooms and never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from mail.headers import Headers
from mail.outcome import Delivered, Outcome

PROVEN_FIELD = "Heliograph-Proven"


@dataclass(frozen=True)
class Arrival:
    """A message at a room's door. One object serves all its recipients, so its headers are parsed once.

    `sender` is the reverse-path ("" is the null sender). `envid` is the SHA-256 in hex of the bytes as the fabric
    first received them. `signed_by` is the fabric host whose valid signature it carries, or this host's own name for
    what it made or took from a signed-in session; only then may its ``Heliograph-*`` headers be believed. `body` is the
    reference that the store gave for `content`. Times are seconds since 1970.
    """

    sender: str
    content: bytes
    body: int
    envid: str = ""
    signed_by: str = ""
    accepted_at: float = 0.0
    now: float = 0.0

    @cached_property
    def headers(self) -> Headers:
        return Headers.of(self.content)

    @property
    def authenticated(self) -> str:
        """The entity whose signed-in session submitted this, as a trusted host says, or ""."""
        return self.headers.get("heliograph-authenticated") if self.signed_by else ""

    @property
    def proven(self) -> str:
        """The address elsewhere that wrote this, as its domain's seal proved to a trusted host; or ""."""
        return "" if self.authenticated or not self.signed_by else self.headers.get(PROVEN_FIELD)

    @property
    def fabric(self) -> str:
        """The domain of another fabric that sealed this, as a trusted host found (`authenticated` is ``@domain``: no
        entity's name), or ""."""
        return self.authenticated[1:] if self.authenticated.startswith("@") else ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward-path. `sender`, where set, is this recipient's own return path (RFC 5321 4.4)."""

    address: str
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a room wants sent. The caller spools it in the transaction that it was returned in.

    `signed` asks for this host's fabric signature when it leaves for another host, so that its ``Heliograph-*``
    headers are believed there. `signed_by` names the host whose word it is and whose signature is in it already: it is
    passed on as it stands.
    """

    sender: str
    recipients: tuple[Recipient, ...]
    content: bytes
    signed: bool = False
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A room's answer for one recipient: the outcome, and what is to be sent because of it."""

    outcome: Outcome = field(default_factory=Delivered)
    outgoing: tuple[Outgoing, ...] = ()
