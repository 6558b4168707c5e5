"""The IMAP server of a host: listens, admits, signs in, closes.

Law: limits are checked before anything is spent; a password is checked off the loop, slowed down for who guesses, and
never logged.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mail.address import is_entity
from mailbox_host import accounts, timeline
from mailbox_host.bell import Bell
from mailbox_host.imap import proxy
from mailbox_host.imap.channel import Channel, SocketChannel
from mailbox_host.imap.connection import Connection
from mailbox_host.imap.effects import HandedOver, NotSignedIn, SignedIn, SignIn
from mailbox_host.imap.news import News
from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import LARGE_LITERALS_MAX, LARGE_LITERALS_PER_ACCOUNT_MAX, Settings
from mailbox_host.imap.sign_in import WRONG_PASSWORD
from mailbox_host.imap.slots import Slots
from mailbox_host.imap.stream_channel import StreamChannel
from mailbox_host.imap.throttle import Throttle, is_loopback
from mailbox_host.passwords import PasswordChecker
from store import Store, Transaction

log = logging.getLogger("heliograph.imap")

BACKLOG = 1024  # connections that wait for accept: a whole fabric's clients reconnect at once after a restart
TOO_MANY = b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"


def local_only(account: str) -> proxy.Local | proxy.Remote:
    """Locate for a host that stands alone."""
    return proxy.Local()


class ImapServer:
    """Serves any number of listeners, and streams of other hosts."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        passwords: PasswordChecker,
        settings: Settings,
        *,
        locate: proxy.Locate = local_only,
        open_stream: proxy.OpenStream | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.tls = tls
        self._bell = bell
        self._passwords = passwords
        self._settings = settings
        self._locate = locate
        self._open_stream = open_stream
        self._clock = clock
        self.slots = Slots(LARGE_LITERALS_MAX, LARGE_LITERALS_PER_ACCOUNT_MAX)
        self._recents = RecentBook()
        self._throttle = Throttle()
        self._listeners: list[asyncio.Server] = []
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._per_address: dict[str, int] = {}

    async def serve(self, address: str, port: int, *, implicit: bool = False) -> int:
        """Listen; return the port. `implicit`: TLS from the first octet; otherwise STARTTLS where there is TLS."""
        if implicit and self.tls is None:
            raise ValueError("implicit TLS needs a certificate")

        def accept(channel: SocketChannel) -> None:
            self._start(channel, tls=implicit, relayed=False)

        listener = await asyncio.get_running_loop().create_server(
            lambda: SocketChannel(accept, self.tls if implicit else None), address, port, backlog=BACKLOG
        )
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def handle_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Serve a client of another host, until it is done. `peer`: the client's own address."""
        channel = StreamChannel(reader, writer, peer)
        pump = asyncio.create_task(channel.pump())
        try:
            if task := self._start(channel, tls=True, relayed=True):
                await task
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def close(self) -> None:
        """Stop listening, say BYE to everyone."""
        for listener in self._listeners:
            listener.close()
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.say_goodbye()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        return len(self._connections)

    def news_for(self, account: str, wake: Callable[[], None]) -> News:
        """Listen for what may come for an account."""
        return News(self._bell, account, lambda: timeline.followed_sources(self.store.reader, account), wake)

    async def change(self, account: str, work: Callable[[Transaction], Any]) -> Any:
        """Write to the store; wake the account's other sessions once it is durable ("": nobody's)."""

        def rung(tx: Transaction) -> Any:
            tx.after_commit(lambda: self._bell.ring_account(account))
            return work(tx)

        return await self.store.write(rung if account else work)

    async def sign_in(self, connection: Connection, asked: SignIn) -> SignedIn | NotSignedIn | HandedOver:
        """Check a password, here or at the account's owner."""
        peer = connection.channel.peer
        await asyncio.sleep(self._throttle.attempt(peer, asked.account, self._clock()))
        place = self._locate(asked.account) if is_entity(asked.account) else proxy.Local()
        outcome: SignedIn | NotSignedIn | HandedOver
        if isinstance(place, proxy.Remote):
            outcome = await self._sign_in_remotely(connection, asked, place.host)
        else:
            outcome = await self._sign_in_here(asked)
        if isinstance(outcome, NotSignedIn):
            log.warning("sign-in of %r from %s: %s", asked.account, peer, outcome.status.decode("ascii", "replace"))
        else:
            self._throttle.succeeded(peer, asked.account)
        return outcome

    async def _sign_in_here(self, asked: SignIn) -> SignedIn | NotSignedIn:
        stored = accounts.stored_hash(self.store.reader, asked.account) if is_entity(asked.account) else None
        right = await self._passwords.check(stored, asked.password)
        return SignedIn(asked.account) if right else NotSignedIn(WRONG_PASSWORD)

    async def _sign_in_remotely(self, connection: Connection, asked: SignIn, host: str) -> HandedOver | NotSignedIn:
        if self._open_stream is None or connection.relayed:  # two hosts that disagree must not play ball with it
            return NotSignedIn(proxy.UNAVAILABLE)
        answer = await proxy.sign_in(self._open_stream, host, connection.channel.peer, asked.account, asked.password)
        if isinstance(answer, bytes):
            return NotSignedIn(answer)
        connection.upstream = answer
        return HandedOver(answer.status)

    def _start(self, channel: Channel, *, tls: bool, relayed: bool) -> asyncio.Task[None] | None:
        if not self._admits(channel.peer):
            if channel.ready:
                channel.send(TOO_MANY)
            channel.close()
            return None
        secure = tls or is_loopback(channel.peer) or self._settings.cleartext_from_anywhere
        session = Session(
            self._settings, self._recents, self._clock, secure=secure, tls_offered=self.tls is not None and not tls
        )
        connection = Connection(self, channel, session, relayed=relayed)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        self._per_address[channel.peer] = self._per_address.get(channel.peer, 0) + 1
        task.add_done_callback(lambda _: self._forget(connection))
        return task

    def _admits(self, peer: str) -> bool:
        if len(self._connections) >= self._settings.connections_max:
            return False
        return is_loopback(peer) or self._per_address.get(peer, 0) < self._settings.connections_per_address_max

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection]
        peer = connection.channel.peer
        self._per_address[peer] -= 1
        if not self._per_address[peer]:
            del self._per_address[peer]
