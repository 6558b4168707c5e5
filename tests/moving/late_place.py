"""A host in a story of late mail: the real rooms, flow, cargo and ownership, over a database in memory.

Law: what it sends is handed to the world, which decides when it arrives; its clock is the world's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

from directory.names import FabricNames, Timeline
from directory.snapshot import Directory, Map
from heliograph.flow import Flow, Rooms
from heliograph.identity import Identity
from heliograph.moving.cargo import Cargo, Reflectors, Timelines, Wanted
from heliograph.moving.parties import View
from heliograph.ownership.ownership import claim
from heliograph.tables import MIGRATIONS
from mail.control import Goodbye, Welcome, read_controls
from mail.envelope import Arrival, Recipient
from mail.headers import Headers, split_message
from mail.outcome import Outcome
from mailbox_host import timeline
from mailbox_host.bell import Bell
from mailbox_host.room import MailboxRoom
from reflector import ReflectorRoom, Settings
from store import Bodies, Transaction

NAMES = FabricNames("fabric.test", 16)
HOSTS = ("host-1", "host-2", "host-3")
KEYS = {name: name.encode() * 5 + b"::" for name in HOSTS}


@dataclass(frozen=True, slots=True)
class Mail:
    """A message for one recipient, in the queue of a host. `hops`: since it was last at rest: hosts that see other
    zones send it to and fro."""

    at: str
    to: str
    sender: str
    content: bytes
    envid: str
    signed_by: str
    kind: str
    hops: int = 0


def kind_of(content: bytes) -> str:
    """What a schedule calls it: a control's word, ``welcome 2`` with its generation, ``post 3``."""
    headers = Headers.parse(split_message(content)[0])
    if number := headers.get("heliograph-post"):
        return f"post {number}"
    controls = read_controls(headers)
    if not controls:
        return "letter"
    word = type(controls[0]).__name__.lower()
    return f"{word} {controls[0].generation}" if isinstance(controls[0], Welcome | Goodbye) else word


class Surroundings(Protocol):
    """What a host sees of the world."""

    clock: float
    zones: list[Directory]
    queued: list[Mail]
    settings: Settings


@cache
def template() -> bytes:
    """A host's database before anything happened."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in MIGRATIONS:
        connection.executescript(step.sql)
    return connection.serialize()


class Queue:
    """In place of the spool's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.put_now: list[Mail] = []

    def put(self, tx: Transaction, *, sender: str, recipients: Sequence[Recipient], body: int, envid: str,
            signed_by: str, accepted_at: float, now: float) -> None:  # fmt: skip
        content = Bodies.read(tx, body)
        Bodies.release(tx, body)
        for one in recipients:
            back = sender if one.sender is None else one.sender
            self.put_now.append(Mail(self._name, one.address, back, content, envid, signed_by, kind_of(content)))


class Place:
    """A host."""

    def __init__(self, world: Surroundings, name: str) -> None:
        self.world, self.name, self.zone = world, name, world.zones[0]
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(template())
        self.tx = tx = Transaction(connection)
        self.ownership = claim(tx, name, self.zone)
        self.queue = Queue(name)
        self.reflector = ReflectorRoom(name, self.now, name.encode() * 4, world.settings, holds_now=self._holds_now)
        self.mailbox = MailboxRoom(name, self.now, Bell())
        rooms = Rooms(self.reflector, self.mailbox, cast(Any, None))
        self.flow = Flow(Identity(name, KEYS[name], 25), self.now, cast(Any, self.queue), rooms, self.ownership)
        self.cargo: dict[str, Cargo] = {"timeline": Timelines(tx), "reflectors": Reflectors(tx, name.encode() * 4)}
        self.step(lambda: self.ownership.note_named(tx, self.zone, world.clock))

    def now(self) -> Directory:
        return self.ownership.directory(self.zone)

    def hear(self, zone: Directory) -> None:
        """Learn of a zone, and of all before it."""
        for one in self.world.zones[self.zone.serial : zone.serial]:
            self.zone = one
            self.step(lambda: self.ownership.note_named(self.tx, self.zone, self.world.clock))

    def view(self, which: Map, bucket: int) -> View:
        return View(self.zone.owner(which, bucket), self.zone.serial)

    def units(self, which: Map, name: str) -> list[str]:
        """Everything in a name's bucket."""
        return self.cargo[which].units(self.tx, Wanted(frozenset({NAMES.bucket(name)}), NAMES.bucket))

    def step(self, work: Callable[[], Any]) -> Any:
        """One transaction."""
        self.queue.put_now = []
        self.tx.callbacks.clear()
        self.tx.execute("BEGIN")
        result = work()
        self.tx.execute("COMMIT")
        for callback in self.tx.callbacks:
            callback()
        self.world.queued += self.queue.put_now
        return result

    def take(self, mail: Mail) -> Outcome:
        def work() -> Outcome:
            body, at = Bodies.keep(self.tx, mail.content), self.world.clock
            arrival = Arrival(mail.sender, mail.content, body, mail.envid, mail.signed_by, at, at)
            outcome = self.flow.receive(self.tx, arrival, mail.to)
            Bodies.release(self.tx, body)
            return outcome

        return cast(Outcome, self.step(work))

    def rounds(self) -> bool:
        """Do what the rooms do by themselves; tell whether that was anything."""
        done = [self._round(room) for room in (self.mailbox, self.reflector)]
        return any(done)

    def posts_of(self, who: str) -> list[int]:
        """What somebody has who lives here, once she looks."""
        while self.step(lambda: timeline.catch_up(self.tx, who)):
            pass
        sql = "SELECT e.post FROM entry e JOIN account a ON a.id = e.account WHERE a.name = ? AND e.source = 'bob'"
        return sorted(post for (post,) in self.tx.all(sql, (who,)))

    def _round(self, room: MailboxRoom | ReflectorRoom) -> bool:
        now = self.world.clock
        if not room.is_due(self.tx, now):
            return False

        def work() -> None:
            for mail in room.work(self.tx, now):
                self.flow.dispatch(self.tx, mail, now)

        self.step(work)
        return True

    def _holds_now(self, tx: Transaction, entity: str) -> bool:
        return self.ownership.owns_now(tx, Timeline(entity, "", NAMES.bucket(entity)))
