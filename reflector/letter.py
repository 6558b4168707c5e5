"""A mail at a source's door, with all that deciding about it needs; and how a flow of steps is walked.

Law: a step answers with a Receipt, which ends the walk, or with None, which passes the letter on. The last step of a
flow always answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from directory.names import FabricNames
from directory.snapshot import Directory
from mail.control import FIELD
from mail.envelope import Arrival, Receipt
from mail.outcome import Delivered
from reflector.settings import DAY_SECONDS, Settings
from reflector.sources import Source
from store import Reader, Transaction, events


@dataclass(frozen=True, slots=True)
class House:
    """This host as a reflector sees it: its name, one version of the zone, its token key, its limits."""

    host: str
    directory: Directory
    key: bytes
    settings: Settings
    local: Callable[[Reader | Transaction, str], int] = lambda place, source: 0  # followers with their timelines here
    holds_now: Callable[[Transaction, str], bool] = lambda tx, entity: True  # of a timeline here: by what is on disk

    @property
    def names(self) -> FabricNames:
        return self.directory.names

    def holds_timeline(self, entity: str) -> bool:
        """Tell whether an entity's timeline lives on this host, as the zone says now."""
        return self.home(entity) == self.host

    def home(self, entity: str) -> str:
        """Return the host where an entity's timeline lives, as the zone says now."""
        return self.directory.owner("timeline", self.names.bucket(entity))

    def has_moved(self, entity: str) -> bool:
        """Tell whether the zone lately named another host for an entity's timeline than it names now."""
        return ("timeline", self.names.bucket(entity)) in self.directory.former

    def serves(self, list_: str) -> str:
        """Return the host that serves a list, as the zone says now."""
        return self.directory.owner("reflectors", self.names.bucket(list_))


@dataclass(frozen=True, slots=True)
class Letter:
    """`source` as it stood when the letter came; `door`: the detail of the address ("" for posts, "subscribe" ...)."""

    house: House
    tx: Transaction
    arrival: Arrival
    source: Source
    door: str

    @property
    def envid(self) -> str:
        return self.arrival.envid or hashlib.sha256(self.arrival.content).hexdigest()

    @property
    def day(self) -> int:
        return int(self.arrival.now // DAY_SECONDS)

    @property
    def by_owner(self) -> bool:
        return self.arrival.authenticated == self.source.owner

    def tell(self, kind: str, **detail: str | int) -> None:
        """Write an event about this source."""
        events.append(self.tx, self.arrival.now, kind, source=self.source.list, envid=self.envid, **detail)


Step = Callable[[Letter], Receipt | None]


def is_control(arrival: Arrival) -> bool:
    """Tell whether a host of the fabric speaks. A user's letter never does, whatever stands in it."""
    return bool(arrival.signed_by) and not arrival.authenticated and arrival.headers.has(FIELD)


def untitled(letter: Letter) -> Letter:
    """The letter with its source's bare name: a title may be anybody's words (a feed's), and who has not proved who he
    is must not make us carry them to a third person."""
    return replace(letter, source=replace(letter.source, title=""))


def walk(steps: Sequence[Step], letter: Letter) -> Receipt:
    """Take a letter through a flow."""
    for step in steps:
        receipt = step(letter)
        if receipt is not None:
            return receipt
    raise AssertionError("a flow ended without an answer")


def drop(letter: Letter, reason: str) -> Receipt:
    """Take a letter and do nothing with it, but say so in the events: a refusal would come back as a bounce."""
    letter.tell("dropped", door=letter.door, reason=reason)
    return Receipt(Delivered("2.0.0 Ok"))
