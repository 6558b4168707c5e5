"""Whom a host's door asks before it answers.

Law: callables alone: the door knows no room, and a test puts in what it likes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from directory.names import Name, Reflector, Timeline
from heliograph.door.applications import Judged
from mail.envelope import Arrival
from mail.outcome import Outcome, Refused
from spool.route import Shelf, Via
from store import Reader


class Ask(Protocol):
    """Ask the host that owns a recipient by RCPT."""

    async def ask(self, via: Via | Shelf) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Doormen:
    """Whom the door asks: `knows` of this host's rooms, `is_full` of its mailboxes, `refuses` of the reflectors what
    is no post (the letter, who signed in), `callout` of another host, `login` for a password (entity, password, the
    client's address), `application` for a token (source, token, the client's address), `too_soon`
    by how many seconds its next post comes too early, `shelf` where another server keeps a mailbox of this host."""

    knows: Callable[[Reader, Name], bool]
    is_full: Callable[[Reader, Timeline], bool]
    refuses: Callable[[Reader, Reflector, Arrival, str], Refused | None]
    callout: Ask
    login: Callable[[str, bytes, str], Awaitable[Outcome]]
    application: Callable[[str, str, str], Awaitable[Judged]]
    too_soon: Callable[[str], float]
    shelf: Callable[[Name], Shelf | None] = lambda name: None
