"""What a host does for the sessions of its clients: reads and writes, news, sign-in, room for large literals.

Law: a password is checked off the loop, slowed down for who guesses, and never logged.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from mail.address import is_entity
from mailbox_host import accounts, timeline
from mailbox_host.accounts import AccountMoved
from mailbox_host.bell import Bell
from mailbox_host.imap import proxy
from mailbox_host.imap.effects import NotSignedIn, SignedIn, SignIn
from mailbox_host.imap.filing_ahead import FilingAhead
from mailbox_host.imap.news import News
from mailbox_host.imap.proxy import Upstream
from mailbox_host.imap.settings import LARGE_LITERALS_MAX, LARGE_LITERALS_PER_ACCOUNT_MAX
from mailbox_host.imap.sign_in import WRONG_PASSWORD
from mailbox_host.imap.slots import Slots
from mailbox_host.imap.stand_in import NOT_HERE, Borrow, StandIn, nobody
from mailbox_host.imap.throttle import NAME_LENGTH_MAX, Throttle
from mailbox_host.passwords import PasswordChecker
from store import Reader, Store, Transaction
from store.lent import LentStore

log = logging.getLogger("heliograph.imap")


def local_only(account: str) -> proxy.Local | proxy.Remote:
    """Locate for a host that stands alone."""
    return proxy.Local()


class Services:
    """Shared by all connections of a host."""

    def __init__(
        self,
        store: Store | LentStore,
        bell: Bell,
        passwords: PasswordChecker,
        clock: Callable[[], float],
        *,
        locate: proxy.Locate,
        open_stream: proxy.OpenStream | None,
        tls: ssl.SSLContext | None,
        throttle: Throttle | None = None,
        serves: Callable[[Reader | Transaction, str], bool] = lambda tx, account: True,
        borrow: Borrow = nobody,
    ) -> None:
        self.store = store
        self.tls = tls
        self.slots = Slots(LARGE_LITERALS_MAX, LARGE_LITERALS_PER_ACCOUNT_MAX)
        self._bell = bell
        self._serves = serves
        self._ahead = FilingAhead(store, serves)
        self._passwords = passwords
        self._clock = clock
        self._locate = locate
        self._open_stream = open_stream
        self._throttle = throttle or Throttle()
        self._borrow = borrow

    def of(self, copy: StandIn) -> Services:
        """The same for a session that is shown a copy: of it nothing new is told."""
        return Services(
            copy.store, Bell(), self._passwords, self._clock, locate=local_only, open_stream=None, tls=self.tls
        )

    def news_for(self, account: str, wake: Callable[[], None]) -> News:
        """Listen for what may come for an account."""
        sources = partial(timeline.followed_sources, self.store.reader, account)
        return News(self._bell, account, sources, self._ahead, wake)

    async def change(self, account: str, work: Callable[[Transaction], Any], *, rings: bool) -> Any:
        """Write to the store; wake the account's other sessions once it is durable. Raise AccountMoved where the
        account is another host's by now."""

        def checked(tx: Transaction) -> Any:
            if account and not self._serves(tx, account):
                raise AccountMoved(f"{account} is moving to another host")
            if account and rings:
                tx.after_commit(lambda: self._bell.ring_account(account))
            return work(tx)

        return await self.store.write(checked)

    async def sign_in(self, asked: SignIn, peer: str, *, relayed: bool) -> SignedIn | NotSignedIn | Upstream:
        """Check a password, here or at the account's owner. `relayed`: another host asks for its client."""
        outcome: SignedIn | NotSignedIn | Upstream = NotSignedIn(proxy.UNAVAILABLE)
        try:
            await asyncio.sleep(self._throttle.attempt(peer, asked.account, self._clock()))
            outcome = await self._judged(asked, peer, relayed)
        finally:
            if not isinstance(outcome, NotSignedIn):
                self._throttle.succeeded(peer, asked.account)
            elif outcome.status == proxy.UNAVAILABLE:
                self._throttle.undecided(peer, asked.account)
        if isinstance(outcome, NotSignedIn):
            name = asked.account[:NAME_LENGTH_MAX]
            log.warning("sign-in of %r from %s: %s", name, peer, outcome.status.decode("ascii", "replace"))
        return outcome

    async def _judged(self, asked: SignIn, peer: str, relayed: bool) -> SignedIn | NotSignedIn | Upstream:
        place = self._locate(asked.account) if is_entity(asked.account) else proxy.Local()
        if isinstance(place, proxy.Remote):
            return await self._sign_in_elsewhere(asked, peer, place, relayed)
        return await self._sign_in_here(asked)

    async def _sign_in_here(self, asked: SignIn) -> SignedIn | NotSignedIn:
        reader = self.store.reader
        stored = accounts.stored_hash(reader, asked.account) if is_entity(asked.account) else None
        right = await self._passwords.check(stored, asked.password)
        if stored is None and not self._serves(reader, asked.account):  # it went a moment ago
            return NotSignedIn(proxy.UNAVAILABLE)
        if stored != accounts.stored_hash(reader, asked.account):  # it went meanwhile, after its sessions were ended
            return NotSignedIn(proxy.UNAVAILABLE)
        return SignedIn(asked.account) if right else NotSignedIn(WRONG_PASSWORD)

    async def _sign_in_elsewhere(
        self, asked: SignIn, peer: str, place: proxy.Remote, relayed: bool
    ) -> SignedIn | NotSignedIn | Upstream:
        """At the owner; where that is away, from the copy that its standby has: here, or there."""
        answer: Upstream | bytes | None = None
        if place.sure or not relayed:  # two hosts that disagree must not play ball with it
            answer = await self._ask(place.host, asked, peer)
        if answer is None and (copy := await self._borrow(place.host, asked.account)):
            outcome = await self._sign_in_at(copy, asked)
            # Its sessions may have been ended meanwhile.
            shown = not copy.closed and await self._borrow(place.host, asked.account) is copy
            return outcome if shown else NotSignedIn(proxy.UNAVAILABLE)
        if answer is None and place.standby and not relayed:
            answer = await self._ask(place.standby, asked, peer)
        return answer if isinstance(answer, Upstream) else NotSignedIn(answer or proxy.UNAVAILABLE)

    async def _ask(self, host: str, asked: SignIn, peer: str) -> Upstream | bytes | None:
        if self._open_stream is None:
            return None
        return await proxy.sign_in(self._open_stream, host, peer, asked.account, asked.password)

    async def _sign_in_at(self, copy: StandIn, asked: SignIn) -> SignedIn | NotSignedIn:
        stored = accounts.stored_hash(copy.store.reader, asked.account)
        right = await self._passwords.check(stored, asked.password)
        return SignedIn(asked.account, copy) if right else NotSignedIn(NOT_HERE)
