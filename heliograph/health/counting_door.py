"""The mail door with a counter at it: what was not let in, by the kind of the answer.

Law: it decides nothing. What was let in is in the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable

from mail.address import Address
from mail.outcome import Deferred, Outcome, Refused
from spool.door import Door, Envelope, Session


class CountingDoor:
    """Implements `spool.door.Door` by another one. `declined`: how often it said 4yz and 5yz, since the start."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.declined = Counter({"4yz": 0, "5yz": 0})

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        return self._counted(await self._door.authenticate(session, username, password))

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        return self._counted(self._door.prove(session, host, nonce, proof))

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return self._counted(self._door.sender(session, sender))

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        outcome = self._door.recipient(session, envelope, address)
        return self._later(outcome) if isinstance(outcome, Awaitable) else self._counted(outcome)

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        return self._counted(await self._door.accept(session, envelope, content))

    async def _later(self, outcome: Awaitable[Outcome]) -> Outcome:
        return self._counted(await outcome)

    def _counted(self, outcome: Outcome) -> Outcome:
        match outcome:
            case Deferred():
                self.declined["4yz"] += 1
            case Refused():
                self.declined["5yz"] += 1
        return outcome
