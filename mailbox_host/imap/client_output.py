"""What is said to a client, collected and sent.

Law: what is not taken is bounded, for whoever flushes waits; a large message goes out in pieces, between which others
have their turns; nothing but its rest is said between two of them.
"""

from __future__ import annotations

import asyncio

from mailbox_host.imap.channel import Channel

OUTPUT_OCTETS = 64 * 1024  # collected before it is sent
SENT_AT_ONCE = 512 * 1024  # to squeeze and encrypt: ten milliseconds


class ClientOutput:
    """Writes to one channel for one session."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._said: list[bytes] = []
        self._octets = 0
        self._half_sent = False

    def say(self, data: bytes) -> None:
        """Keep it until there is something to wait for."""
        self._said.append(data)
        self._octets += len(data)

    async def write(self, data: bytes) -> None:
        """Say it, and send when it is much."""
        self.say(data)
        if self._octets >= OUTPUT_OCTETS:
            await self.flush()
            await asyncio.sleep(0)

    async def flush(self) -> None:
        """Send all; wait until enough was taken. Raise ConnectionError where it will not be."""
        data = self._all()
        for at in range(0, len(data), SENT_AT_ONCE):
            if at:
                await self._channel.drain()
                await asyncio.sleep(0)
            self._half_sent = at + SENT_AT_ONCE < len(data)
            self._channel.send(data[at : at + SENT_AT_ONCE])
        await self._channel.drain()

    def say_last(self, goodbye: bytes) -> None:
        """Send all, and why it ends; within a message it would be read as part of it."""
        if self._channel.ready and not self._half_sent:
            self._channel.send(self._all() + b"* BYE " + goodbye + b"\r\n")

    def through(self, channel: Channel) -> None:
        """Write on into another channel, around the one before."""
        self._channel = channel

    def _all(self) -> bytes:
        data = b"".join(self._said)
        self._said.clear()
        self._octets = 0
        return data
