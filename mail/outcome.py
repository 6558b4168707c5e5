"""What became of one recipient, as a value: delivered, try again, or no.

Law: an expected result is a value; exceptions are for surprises. Every outcome carries the SMTP reply that
tells it to a peer (RFC 5321 4.2), with its enhanced status code (RFC 3463).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The responsibility was taken: 2xx."""

    text: str = "2.0.0 Ok"
    code: int = 250


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now; the sender keeps the mail and tries again: 4xx."""

    text: str
    code: int = 451


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: 5xx. The text says why and what to do."""

    text: str
    code: int = 550


Outcome = Delivered | Deferred | Refused


def reply_line(outcome: Outcome) -> str:
    """Return the reply as one line, without CRLF: ``550 5.1.1 No such user``."""
    return f"{outcome.code} {outcome.text}"


def outcome_of(code: int, text: str) -> Outcome:
    """Read a peer's reply: 2xx, 4xx or 5xx (RFC 5321 4.2.1); anything else is tried again."""
    if 200 <= code < 300:
        return Delivered(text, code)
    if 500 <= code < 600:
        return Refused(text, code)
    return Deferred(text, code)
