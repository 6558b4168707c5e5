"""What a client sends, as events and lines, within the limits of its state.

Law: octets and time before login are bounded; a large literal is read on only where there is room for it; who is quiet
for too long is told BYE.
"""

from __future__ import annotations

import asyncio

from mailbox_host.imap.channel import Channel
from mailbox_host.imap.framing import Event, Framer
from mailbox_host.imap.news import News
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import (
    AUTOLOGOUT_SECONDS,
    BEFORE_LOGIN_OCTETS_MAX,
    BEFORE_LOGIN_SECONDS_MAX,
    LARGE_LITERAL_OCTETS,
    LARGE_LITERAL_SECONDS_MAX,
)
from mailbox_host.imap.slots import Slots
from mailbox_host.imap.waker import Waker


class Gone(Exception):
    """The client went away, or has to go: `goodbye` says why, if it can still be told."""

    def __init__(self, goodbye: bytes = b"") -> None:
        super().__init__(goodbye)
        self.goodbye = goodbye


class ClientInput:
    """Reads one channel for one session. Every method that waits raises Gone at the end of input."""

    def __init__(self, channel: Channel, session: Session, slots: Slots) -> None:
        self.waker = Waker()
        self._channel = channel
        self._session = session
        self._slots = slots
        self._framer = Framer()
        self._octets = 0
        self._connected = asyncio.get_running_loop().time()
        self._slot_until: float | None = None  # while a large literal arrives
        channel.listen(self.waker.wake)

    def event(self) -> Event | None:
        """Return the next event that is there already."""
        self._framer.literal_octets_max = self._session.literal_octets_max
        self._framer.append_octets_max = self._session.append_octets_max
        return self._framer.next()

    async def line(self) -> bytes:
        """Read a line that is no command."""
        while (line := self._framer.line()) is None:
            if self._framer.overlong:
                raise Gone
            await self.receive()
        return line

    async def line_or_news(self, news: News) -> bytes | None:
        """Read a line, or return None as soon as there are news."""
        while (line := self._framer.line()) is None and not news.pending:
            if self._framer.overlong:
                raise Gone
            if data := self._channel.take():
                self._framer.receive(data)
            else:
                await self._wait()
        return line

    async def receive(self) -> None:
        """Wait for more input."""
        if self._framer.arriving > LARGE_LITERAL_OCTETS:
            await self._take_slot()
        while not (data := self._channel.take()):
            if self._framer.in_command:
                self._channel.hurry()
            await self._wait()
        self._octets += len(data)
        if not self._session.account and self._octets > BEFORE_LOGIN_OCTETS_MAX:
            raise Gone(b"Too much before login")
        self._framer.receive(data)

    async def ready(self) -> None:
        """Wait for TLS to stand, where there is TLS."""
        while not self._channel.ready:
            await self._wait()

    def through(self, channel: Channel) -> None:
        """Read on from another channel, around the one before."""
        self._channel = channel

    def rest(self) -> bytes:
        """Give up what was not read."""
        return self._framer.rest()

    async def command_done(self) -> None:
        """Give the room of a large literal back."""
        if self._slot_until is not None:
            self._slot_until = None
            await self._slots.give_back(self._session.account)

    async def _take_slot(self) -> None:
        """Meanwhile the socket's buffers and the client wait."""
        if self._slot_until is None:
            await self._slots.take(self._session.account)
            self._slot_until = asyncio.get_running_loop().time() + LARGE_LITERAL_SECONDS_MAX

    async def _wait(self) -> None:
        """Wait for the channel, or for news, as long as the session's state allows."""
        if self._channel.at_end:
            raise Gone
        if not await self.waker.wait(max(0.0, self._seconds_left())):
            raise Gone(b"You were quiet for too long")

    def _seconds_left(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._slot_until is not None:
            return self._slot_until - now
        if self._session.account:
            return AUTOLOGOUT_SECONDS
        return self._connected + BEFORE_LOGIN_SECONDS_MAX - now
