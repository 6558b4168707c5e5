"""Mail that comes twice is taken once.

Law: SMTP repeats what it is not sure of (RFC 1047). A post is known by its envid; a command only if it has a
Message-ID, for two bare mails with the same bytes may be meant twice. What was refused or deferred leaves no trace.
"""

from __future__ import annotations

from mail.envelope import Outgoing, Receipt
from mail.outcome import Delivered
from reflector.letter import Letter, drop


def drop_repeats(letter: Letter) -> Receipt | None:
    if letter.door and not letter.arrival.headers.has("message-id"):
        return None
    row = letter.tx.one("SELECT 1 FROM posted WHERE source = ? AND envid = ? AND door = ?", _key(letter))
    return drop(letter, "repeat") if row else None


def taken(letter: Letter, outgoing: tuple[Outgoing, ...] = (), text: str = "2.0.0 Ok") -> Receipt:
    """Take a letter, and note that it was taken."""
    letter.tx.execute("INSERT OR REPLACE INTO posted VALUES (?, ?, ?, ?)", (*_key(letter), letter.arrival.now))
    return Receipt(Delivered(text), outgoing)


def _key(letter: Letter) -> tuple[str, str, str]:
    return letter.source.list, letter.envid, letter.door
