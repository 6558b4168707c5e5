"""Whose password it is, and who may judge it.

Law: a password is checked at the owner of the account; any other host asks the owner over a stream, and says "try
again" where the owner cannot be asked. It is never logged and never kept; who guesses waits, over SMTP as over IMAP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from directory.names import Timeline
from directory.snapshot import Directory
from heliograph.ownership.holding import ACQUIRING, TOMBSTONE
from heliograph.ownership.ownership import Ownership
from heliograph.streams import Streams
from mail.address import is_entity
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mailbox_host import accounts
from mailbox_host.imap import Throttle
from mailbox_host.imap.proxy import WELCOME, Local, Remote, verify_remotely
from mailbox_host.passwords import PasswordChecker
from mailbox_host.sent import WELCOME_KEEPING_SENT, keeps_sent
from store import Store

NOBODY = "?"  # no host's name: who asks for it is told "not now"
MOVING = Deferred("4.3.0 this account is moving to another host, try again", 454)
REFUSED = Refused("5.7.8 authentication failed: check name and password", 535)


class Login:
    """Checks passwords for submission and IMAP on one host."""

    def __init__(
        self,
        owned: Ownership,
        store: Store,
        directory: Callable[[], Directory],
        streams: Streams,
        checker: PasswordChecker,
        throttle: Throttle,
        clock: Callable[[], float],
    ) -> None:
        self._owned = owned
        self._store = store
        self._directory = directory
        self._streams = streams
        self._checker = checker
        self._throttle = throttle
        self._clock = clock

    def owner(self, entity: str) -> str:
        """Return the host that an account lives on; "" where it is this one, NOBODY where the zone gives it
        to this one and nobody has handed it over."""
        directory = self._directory()
        name = Timeline(entity, "", directory.names.bucket(entity))
        return "" if self._owned.owns(name) else directory.host_of(name) or NOBODY

    async def check(self, entity: str, password: bytes, client: str) -> Outcome:
        """Judge a password, for submission. `client`: its address, for these limits and the owner's."""
        outcome: Outcome = MOVING
        try:
            await asyncio.sleep(self._throttle.attempt(client, entity, self._clock()))
            outcome = await self._judged(entity, password, client)
        finally:
            if isinstance(outcome, Delivered):
                self._throttle.succeeded(client, entity)
            elif isinstance(outcome, Deferred):
                self._throttle.undecided(client, entity)
        return outcome

    async def _judged(self, entity: str, password: bytes, client: str) -> Outcome:
        if not is_entity(entity):
            await self._checker.check(None, password)  # as slow as for a known name
            return REFUSED
        owner = self.owner(entity)
        if owner:
            return await verify_remotely(self.open_imap, owner, entity, password, client)
        stored = accounts.stored_hash(self._store.reader, entity)
        if not await self._checker.check(stored, password):
            return REFUSED if stored or self._serves(entity) else MOVING
        return WELCOME_KEEPING_SENT if keeps_sent(self._store.reader, entity) else WELCOME

    def _serves(self, entity: str) -> bool:
        """Ask the disk: the loop hears a moment later that an account was given up."""
        name = Timeline(entity, "", self._directory().names.bucket(entity))
        return self._owned.owns_now(self._store.reader, name)

    def locate(self, entity: str) -> Local | Remote:
        """Tell where an account's sessions are served, and where they are shown a copy while that host is away."""
        owner = self.owner(entity)
        if not owner:
            return Local()
        standby = self._directory().standbys.get(owner, "")
        return Remote(owner, self._is_sure(entity), standby if standby != self._owned.host else "")

    def _is_sure(self, entity: str) -> bool:
        """A hand-over told where it is: one that has not begun to be given away, or was taken."""
        bucket = self._directory().names.bucket(entity)
        return self._owned.state("timeline", bucket) in (ACQUIRING, TOMBSTONE)

    async def open_imap(self, host: str, client: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self._streams.open(host, "imap", client)
