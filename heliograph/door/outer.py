"""A mail door in front of another one: strangers meet it first.

Law: what it does not judge itself is for the next one to say; who stands in front changes no answer by being there.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from mail.address import Address
from mail.outcome import Outcome
from spool.door import Door, Envelope, Session


class InnerDoor(Door, Protocol):
    """The host's own door, or one in front of that."""

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        """As every door's. `known_by`: what the mail is known by, instead of its octets, should it come again."""


class OuterDoor:
    """Passes on what the doors of strangers have nothing to say about; `accept` is each one's own."""

    def __init__(self, door: InnerDoor) -> None:
        self._door = door

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        return await self._door.authenticate(session, username, password)

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        return self._door.prove(session, host, nonce, proof)

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return self._door.sender(session, sender)

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        return self._door.recipient(session, envelope, address)
