"""One connection to a mailbox elsewhere: in, look, wait for news where the server tells of it, out.

Law: every way that it can end leaves a due time behind. A server that means harm costs its own mailbox: it holds one of
the places of those who look for minutes at most, and a connection that waits holds none.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ingest.fetched import Failed
from ingest.guard import Lookup
from ingest.mailboxes import rows
from ingest.mailboxes.client import Client
from ingest.mailboxes.connecting import Ways, connect, trusted
from ingest.mailboxes.look import Gone, Needs, look
from ingest.mailboxes.message import back_again, stopped
from ingest.mailboxes.pace import after_failure, after_waiting, interval, standing_after
from ingest.mailboxes.rows import Mailbox
from ingest.mailboxes.said import No
from ingest.mailboxes.vault import Vault
from ingest.mailboxes.wire import Broken
from ingest.settings import Settings
from store import Transaction

HELD_MAX = 200  # connections that wait in IDLE: each costs a socket and 320 KB, most of it for TLS
LOOKS_AT_ONCE = 8  # each may hold a message
LOOK_SECONDS_MAX = 300.0  # of one look; how far it came is written, and the next goes on
IDLE_SECONDS = 1_200.0  # RFC 2177 3: under 29 minutes. Its end is a look, should the server have forgotten to tell
LOOKUP_THREADS = 4  # a name that does not resolve holds one for seconds
NO_PASSWORD = Failed("its password was sealed by another host: give it again with `heliograph mailbox password`", False)
OUR_FAULT = Failed("an error of this host; its operator finds it in the log")
REFUSED = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", ""})  # RFC 5530 3; many give no code


@dataclass(slots=True)
class Stay:
    """A visit under way. `bell`: look now; `waits_since`: 0 unless it waits for news."""

    source: str
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    waits_since: float = 0.0


class Visitor:
    """Visits mailboxes. `polls`: whether a source is this host's."""

    def __init__(self, needs: Needs, settings: Settings, polls: Callable[[str], bool], lookup: Lookup) -> None:
        self.needs, self.polls = needs, polls
        self._settings, self._lookup = settings, lookup
        self._vault = Vault(settings.key)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._waiting = 0
        self._ways: Ways | None = None
        self._threads: ThreadPoolExecutor | None = None

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def visit(self, stay: Stay) -> None:
        """Stay as long as there is reason to. Raise Gone."""
        try:
            failed = await self._connect(stay)
        except No as no:
            failed = Failed(f"the server will not: {no}")
        except Broken as broken:
            failed = Failed(str(broken))
        if failed and stay.waits_since:  # connections end; this one's look went well
            await self._come_again(stay)
        elif failed:
            await self.fail(stay.source, failed)

    async def fail(self, source: str, failed: Failed) -> None:
        """Remember that a look brought nothing, and wait longer."""
        now = self.needs.clock()

        def settle(tx: Transaction) -> None:
            mailbox = rows.find(tx, source)
            if mailbox is None or mailbox.standing == "suspended":
                return
            standing = standing_after(mailbox, failed, now)
            if standing != mailbox.standing:
                self.needs.spool(tx, stopped(self.needs.names(), mailbox, standing, failed.reason, now))
            due = now + after_failure(mailbox, failed, standing, random.random())
            rows.failed(tx, source, failed.reason, standing, now, due)

        await self.needs.store.write(settle)

    async def _connect(self, stay: Stay) -> Failed | None:
        mailbox = self._find(stay.source)
        password = self._vault.opened(mailbox.secret, stay.source)
        if password is None:
            return NO_PASSWORD
        wire = await connect(self._reach(), mailbox.place.host, mailbox.place.port)
        if isinstance(wire, Failed):
            return wire
        client = Client(wire)
        try:
            failed = await let_in(client, mailbox.place.user, password)
            if failed is None:
                await self._stay(client, stay)
            await client.close()
            return failed
        finally:
            client.drop()

    async def _stay(self, client: Client, stay: Stay) -> None:
        while True:
            stay.bell.clear()
            stay.waits_since = 0.0
            idle = client.can_idle and self._waiting < HELD_MAX
            await self._look(client, stay.source, idle=idle)
            if not idle:
                return
            stay.waits_since = self.needs.clock()
            self._waiting += 1
            try:
                await client.wait(stay.bell, IDLE_SECONDS)
            finally:
                self._waiting -= 1

    async def _look(self, client: Client, source: str, *, idle: bool) -> None:
        posted, more = 0, True
        async with self._looks:
            try:
                async with asyncio.timeout(LOOK_SECONDS_MAX):
                    while more:
                        count, more = await look(self.needs, client, self._find(source))
                        posted += count
            except TimeoutError:
                raise Broken("the server is too slow") from None
        await self._write(self._find(source), posted, idle=idle)

    async def _write(self, mailbox: Mailbox, posted: int, *, idle: bool) -> None:
        now = self.needs.clock()
        wait = IDLE_SECONDS if idle else interval(mailbox, now, self._settings, random.random())
        said = f"{posted or 'nothing'} new; {'its server tells of news' if idle else 'its server is asked in its time'}"

        def settle(tx: Transaction) -> None:
            if mailbox.standing in ("silent", "refused"):
                self.needs.spool(tx, back_again(self.needs.names(), mailbox, now))
            rows.went_well(tx, mailbox.source, said, now, now + wait)

        await self.needs.store.write(settle)

    async def _come_again(self, stay: Stay) -> None:
        now = self.needs.clock()
        due = now + after_waiting(now - stay.waits_since, self._settings, random.random())
        await self.needs.store.write(lambda tx: rows.hurry(tx, stay.source, due))

    def _find(self, source: str) -> Mailbox:
        found = rows.find(self.needs.store.reader, source)
        if found is None or not self.polls(source):
            raise Gone
        return found

    def _reach(self) -> Ways:
        if self._ways is None:
            self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="mailbox-resolver")
            trust = trusted(self._settings.mailbox_authorities)
            self._ways = Ways(self._lookup, self._threads, self._settings.allow_networks, trust)
        return self._ways


async def let_in(client: Client, user: str, password: bytes) -> Failed | None:
    """Log in; not `temporary` where the password is what the server does not take."""
    try:
        await client.greet()
    except No as no:
        return Failed(f"the server turns us away: {no}")
    try:
        await client.log_in(user, password)
    except No as no:
        return Failed(f"the server does not let us in: {no}", temporary=no.code not in REFUSED)
    return None
