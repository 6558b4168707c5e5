"""What goes on while buckets move: posts, letters, commands, readers, drafts; folders renamed, letters expunged.

Law: it can be held, so that mailboxes are looked at while nothing happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import imaplib
import random
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from heliograph.configuration.settings import Config
from heliograph.demo.outside import Site
from heliograph.demo.stage import Stage
from tests.soak.traffic import PEOPLE, RESTLESS, SOURCES, STEADY, ZOE, Traffic, signed_in

BOXES = ("Box.one", "Box.two")  # one folder, whose name changes
PAUSE_SECONDS = 1.5  # at most, between two steps of one person
TRY_SECONDS_MAX = 240.0


@dataclass(slots=True)
class Habits:
    """What was said OK to: the folder's name, and marks that were expunged."""

    named: dict[str, str] = field(default_factory=dict)
    expunged: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class MovingTraffic(Traffic):
    """Everybody at once, at a walk; `hold` and `go_on`."""

    def __init__(self, stage: Stage, site: Site, seed: int) -> None:
        super().__init__(stage, site, seed)  # type: ignore[arg-type]
        self.habits = Habits()
        self._open = asyncio.Event()
        self._open.set()
        self._busy = 0

    async def run(self) -> None:
        work = [
            *(self._post(name) for name in SOURCES),
            *(self._write(name) for name in PEOPLE[::2]),
            *(self._wander(name) for name in RESTLESS),
            *(self._read(name) for name in STEADY),
            *(self._file(name) for name in STEADY),
            *(self._rename(name) for name in STEADY),
            *(self._expunge(name) for name in STEADY),
            self._write_from_outside(),
        ]
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
        for client in self.clients:
            await client.close()

    def stop(self) -> None:
        super().stop()
        self._open.set()

    async def hold(self, running: asyncio.Task[None]) -> None:
        """Return when everybody has finished what they were doing."""
        self._open.clear()
        give_up = time.monotonic() + TRY_SECONDS_MAX
        while self._busy:
            await asyncio.sleep(0.05)
            if running.done():
                await running  # somebody was refused
            assert time.monotonic() < give_up, f"{self._busy} people do not come to an end"

    def go_on(self) -> None:
        self._open.set()

    async def _again(self, who: str) -> AsyncIterator[random.Random]:  # type: ignore[override]
        chance = self._chance(who)
        while not self._stopping.is_set():
            await self._open.wait()
            self._busy += 1
            try:
                yield chance
            finally:
                self._busy -= 1
            await self._pause(chance.random() * PAUSE_SECONDS)

    async def _rename(self, name: str) -> None:
        async for chance in self._again(f"rename {name}"):
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                host = chance.choice(self._config.hosts).address
                await asyncio.to_thread(rename, host, self._config.ports.imap, name, self.habits)

    async def _expunge(self, name: str) -> None:
        async for chance in self._again(f"expunge {name}"):
            mark = self._mark("gone")
            content = self._letter(name, ZOE, mark)
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                host = chance.choice(self._config.hosts).address
                if await asyncio.to_thread(expunge, host, self._config.ports.imap, name, content):
                    self.habits.expunged[name].append(mark)


def rename(host: str, port: int, name: str, habits: Habits) -> None:
    """Give the folder its other name; a name is known once it was said OK to."""
    with signed_in(host, port, name) as client:
        if name not in habits.named:
            client.create(BOXES[0])  # it may be there: nobody heard the OK
            there = [box for box in BOXES if client.select(box, readonly=True)[0] == "OK"]
            habits.named[name] = there[0]
        now = habits.named.pop(name)  # until OK is heard it has one name or the other
        target = BOXES[1 - BOXES.index(now)]
        if client.rename(now, target)[0] == "OK":
            habits.named[name] = target


def expunge(host: str, port: int, name: str, content: bytes) -> bool:
    """A letter into the Trash, and out of it; True: all of it was said OK to."""
    with signed_in(host, port, name) as client:
        done, said = client.append("Trash", "", "", content)
        uid = re.search(rb"APPENDUID [0-9]+ ([0-9]+)", said[0])
        if done != "OK" or uid is None or client.select("Trash")[0] != "OK":
            return False
        client.uid("STORE", uid[1].decode(), "+FLAGS", "(\\Deleted)")
        return client.expunge()[0] == "OK"


def digest(config: Config, name: str) -> str:
    """All that a client may remember of a mailbox: of each folder UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ, and of each
    message UID, flags, modseq, date and size."""
    give_up = time.monotonic() + TRY_SECONDS_MAX
    while True:
        try:
            return _digest(config.hosts[len(name) % len(config.hosts)].address, config.ports.imap, name)
        except (imaplib.IMAP4.error, OSError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def _digest(host: str, port: int, name: str) -> str:
    total = hashlib.sha256()
    with signed_in(host, port, name) as client:
        for line in sorted(bytes(line) for line in client.list()[1] if isinstance(line, bytes)):
            folder = line.rpartition(b' "/" ')[2].decode()
            client.select(folder, readonly=True)  # what is due is filed now
            _, status = client.status(folder, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)")
            _, rows = client.uid("FETCH", "1:*", "(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)")
            for row in (line, *status, *(_plain(row) for row in rows if isinstance(row, bytes))):
                total.update(bytes(row))
    return total.hexdigest()


def _plain(row: bytes) -> bytes:
    """Without \\Recent, which each host gives anew."""
    flags = rb"FLAGS \(([^)]*)\)"
    return re.sub(flags, lambda found: b" ".join(sorted(set(found[1].split()) - {rb"\Recent"})), row)
