"""Replies on their way out: in the order of the commands, as many as possible in one write (RFC 2920 3.2).

Law: a reply that waits for another host's word holds back the later ones, never overtakes or is overtaken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Answers:
    """The replies that were not written yet. `asked`: how many of them nobody knows yet."""

    def __init__(self) -> None:
        self._replies: list[bytes] = []
        self._awaited: list[bytes | asyncio.Future[bytes]] = []
        self.asked = 0

    def add(self, reply: bytes, times: int = 1) -> None:
        if self.asked:
            self._awaited.extend([reply] * times)
        elif times == 1:
            self._replies.append(reply)
        else:
            self._replies.extend([reply] * times)

    def add_later(self, reply: Awaitable[bytes]) -> None:
        self._awaited.append(asyncio.ensure_future(reply))
        self.asked += 1

    def take(self) -> bytes:
        """Return what can be written now."""
        if not self._replies:
            return b""
        said, self._replies = b"".join(self._replies), []
        return said

    async def settle(self, say: Callable[[bytes], object]) -> None:
        """Wait for every reply that is not known; `say` those that were waited for."""
        waiting, self._awaited, self.asked = self._awaited, [], 0
        for reply in waiting:
            if isinstance(reply, bytes):
                self._replies.append(reply)
            else:
                say(await reply)
