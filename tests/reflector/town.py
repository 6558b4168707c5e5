"""A small town for the reflectors' room: two hosts in the zone, the room of host-1, and everybody's letter-boxes.

What the room returns is delivered at once: to the room again where it is addressed to it, into `sent` otherwise.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from directory.names import FabricNames, Reflector
from directory.snapshot import Directory, HostRecord
from mail.address import parse_address
from mail.control import Control, add_controls, read_controls
from mail.envelope import Arrival, Outgoing, Receipt
from mail.headers import Headers, split_message
from mail.outcome import Refused
from reflector import MIGRATIONS, ReflectorRoom, Settings
from store import Transaction
from store.bodies import MIGRATION as BODIES

NAMES = FabricNames("fabric.test", 64)
DELIVERIES_MAX = 5_000  # more from one letter is a loop
KEY = b"k" * 32
LOCAL, REMOTE = "alice", "carol"  # their timelines: on host-1, on host-2


def zone(*remote: str) -> Directory:
    """Host-1 owns everything but the timelines of `remote`."""
    away = {NAMES.bucket(entity) for entity in remote}
    timeline = tuple("host-2" if bucket in away else "host-1" for bucket in range(64))
    hosts = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in ("host-1", "host-2")}
    return Directory(NAMES, 1, hosts, timeline, ("host-1",) * 64)


@dataclass(frozen=True)
class Sent:
    """One mail for one recipient, gone out of the room."""

    to: str
    sender: str
    content: bytes
    signed: bool

    @property
    def headers(self) -> Headers:
        return Headers.parse(split_message(self.content)[0])

    @property
    def text(self) -> str:
        return split_message(self.content)[1].decode()

    @property
    def post(self) -> int:
        return int(self.headers.get("heliograph-post", "0"))

    @property
    def controls(self) -> list[Control]:
        return read_controls(self.headers)


@dataclass
class Town:
    settings: Settings = field(default_factory=Settings)
    directory: Directory = field(default_factory=lambda: zone(REMOTE))
    now: float = 1_800_000_000.0
    sent: list[Sent] = field(default_factory=list)
    letters: int = 0

    def __post_init__(self) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        for step in (BODIES, *MIGRATIONS):
            connection.executescript(step.sql)
        self.tx = Transaction(connection)
        self.room = ReflectorRoom("host-1", lambda: self.directory, KEY, self.settings)

    def write(
        self,
        to: str,
        *,
        by: str = "",
        sender: str | None = None,
        subject: str = "",
        text: str = "",
        fields: dict[str, str] | None = None,
        host: str = "",
        repeat: bool = False,
    ) -> Receipt:
        """Somebody writes a letter. `by`: who signed in (an entity) or whom From names (an address)."""
        self.letters += not repeat
        entity = by if by and "@" not in by else ""
        mailbox = NAMES.person(entity) if entity else by
        lines = {
            "From": mailbox,
            "To": to,
            "Subject": subject,
            "Message-ID": f"<letter-{self.letters}@pen.test>",
            **({"Heliograph-Authenticated": entity} if entity else {}),
            **(fields or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        content = f"{head}\r\n{text}".encode()
        return self.deliver(to, content, mailbox if sender is None else sender, host or ("host-1" if entity else ""))

    def control(self, source: str, *controls: Control, host: str = "host-2", repeat: bool = False) -> Receipt:
        """A host of the fabric speaks to a source."""
        self.letters += not repeat
        letter = f"Message-ID: <control-{self.letters}@pen.test>\r\n\r\n".encode()
        return self.deliver(NAMES.reflector_inside(source, "control"), add_controls(letter, *controls), "", host)

    def deliver(self, to: str, content: bytes, sender: str = "x@pen.test", host: str = "") -> Receipt:
        """Hand a message to the room, then everything that follows from it to whom it is for."""
        receipt = self.hand(to, content, sender, host)
        waiting = deque(receipt.outgoing)
        for _ in range(DELIVERIES_MAX):
            if not waiting:
                return receipt
            waiting.extend(self._send(waiting.popleft()))
        raise AssertionError("this letter never ends")

    def hand(self, to: str, content: bytes, sender: str, host: str) -> Receipt:
        name = NAMES.classify(parse_address(to))
        assert isinstance(name, Reflector), to
        envid = hashlib.sha256(content).hexdigest()
        arrival = Arrival(sender, content, 0, envid, host, self.now, self.now)
        return self.room.receive(self.tx, arrival, name)

    def _send(self, mail: Outgoing) -> list[Outgoing]:
        more: list[Outgoing] = []
        for recipient in mail.recipients:
            sender = mail.sender if recipient.sender is None else recipient.sender
            if isinstance(NAMES.classify(parse_address(recipient.address)), Reflector):
                host = "host-1" if mail.signed else ""
                more.extend(self.hand(recipient.address, mail.content, sender, host).outgoing)
            else:
                self.sent.append(Sent(recipient.address, sender, mail.content, mail.signed))
        return more

    def fetch(self, address: str = "") -> list[Sent]:
        """Empty a letter-box (or all)."""
        mine = [mail for mail in self.sent if address in ("", mail.to)]
        self.sent = [mail for mail in self.sent if mail not in mine]
        return mine

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        rows = self.tx.all("SELECT kind, detail FROM event ORDER BY seq")
        return [json.loads(detail) | {"kind": name} for name, detail in rows if kind in ("", name)]

    def confirm(self, address: str) -> Receipt:
        """The address says yes to the newest question in its letter-box."""
        question = [mail for mail in self.fetch(address) if mail.headers.has("reply-to")][-1]
        return self.write(question.headers.get("reply-to"), by=address, text="yes")

    def bodies(self) -> int:
        row = self.tx.one("SELECT count(*) FROM body")
        assert row
        return int(row[0])


def is_refused(receipt: Receipt, *words: str) -> bool:
    return isinstance(receipt.outcome, Refused) and all(word in receipt.outcome.text for word in words)
