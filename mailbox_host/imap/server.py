"""The IMAP server of a host: listens, admits, closes.

Law: limits are checked before anything is spent.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Container
from contextlib import suppress

from mail.loopback import is_loopback
from mailbox_host.bell import Bell
from mailbox_host.imap import proxy
from mailbox_host.imap.channel import Channel, SocketChannel
from mailbox_host.imap.connection import Connection
from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.services import Services, local_only
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import Settings
from mailbox_host.imap.shelf import Shelf
from mailbox_host.imap.stand_in import Borrow, StandIn, nobody
from mailbox_host.imap.stream_channel import StreamChannel
from mailbox_host.imap.throttle import Throttle
from mailbox_host.passwords import PasswordChecker
from spool.crowd import Crowd
from store import Reader, Store, Transaction

BACKLOG = 1024  # connections that wait for accept: a whole fabric's clients reconnect at once after a restart
TOO_MANY = b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"


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
        throttle: Throttle | None = None,
        serves: Callable[[Reader | Transaction, str], bool] = lambda tx, account: True,
        borrow: Borrow = nobody,
    ) -> None:
        self.services = Services(
            store,
            bell,
            passwords,
            clock,
            locate=locate,
            open_stream=open_stream,
            tls=tls,
            throttle=throttle,
            serves=serves,
            borrow=borrow,
        )
        self._tls = tls
        self._settings = settings
        self._clock = clock
        self._recents = RecentBook()
        self._shelf = Shelf()
        self._listeners: list[asyncio.Server] = []
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._crowd = Crowd(settings.connections_max, settings.connections_per_address_max)

    async def serve(self, address: str, port: int, *, implicit: bool = False) -> int:
        """Listen; return the port. `implicit`: TLS from the first octet; otherwise STARTTLS where there is TLS."""
        if implicit and self._tls is None:
            raise ValueError("implicit TLS needs a certificate")

        def accept(channel: SocketChannel) -> None:
            self._start(channel, tls=implicit, relayed=False)

        listener = await asyncio.get_running_loop().create_server(
            lambda: SocketChannel(accept, self._tls if implicit else None), address, port, backlog=BACKLOG
        )
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def handle_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Serve a client of another host, until it is done. `peer`: the client's own address."""
        channel = StreamChannel(reader, writer, peer)
        pump = asyncio.create_task(channel.pump())
        try:
            if task := self._start(channel, tls=True, relayed=True):
                try:
                    await asyncio.wait((task,))  # one that is turned out does not end the stream with an error
                finally:
                    task.cancel()
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

    def turn_out(self, accounts: Container[str]) -> None:
        """Say BYE to the sessions of accounts that are another host's from now on; who comes back is led there."""
        for connection, task in list(self._connections.items()):
            ours = not connection.upstream and not connection.copy
            if ours and connection.session.account in accounts:
                connection.say_moved()
                task.cancel()

    async def put_away(self, copy: StandIn, accounts: Container[str] | None = None) -> None:
        """Say BYE to the sessions that are shown a copy; only to those of `accounts`, where they are said. Return when
        none of them reads any more."""
        ending = []
        for connection, task in list(self._connections.items()):
            if connection.copy is copy and (accounts is None or connection.session.account in accounts):
                connection.say_closed()
                task.cancel()
                ending.append(task)
        await asyncio.gather(*ending, return_exceptions=True)

    def shown(self, copy: StandIn) -> set[str]:
        """The accounts whose sessions are shown a copy."""
        return {connection.session.account for connection in self._connections if connection.copy is copy}

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def idle(self) -> int:
        """How many of them wait in IDLE."""
        return sum(connection.is_idle for connection in self._connections)

    def _start(self, channel: Channel, *, tls: bool, relayed: bool) -> asyncio.Task[None] | None:
        if not self._crowd.enter(channel.peer):
            self._crowd.leave(channel.peer)
            if channel.ready:
                channel.send(TOO_MANY)
            channel.close()
            return None
        secure = tls or is_loopback(channel.peer) or self._settings.cleartext_from_anywhere
        session = Session(
            self._settings,
            self._recents,
            self._clock,
            self._shelf,
            secure=secure,
            tls_offered=self._tls is not None and not tls,
        )
        connection = Connection(self.services, channel, session, relayed=relayed)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._forget(connection))
        return task

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection]
        self._crowd.leave(connection.channel.peer)
