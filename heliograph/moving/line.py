"""The giver's end of a stream: it may say the next rows before the last were put in.

Law: answers come in the order of the words; whoever asks has heard all that were due before. What the other host is
known to hold is known of this stream alone: it lets go of it when the stream ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from heliograph.moving.frames import Word, expect, hear, say

WORDS_AHEAD = 2  # said, and not answered yet: while one is put in, the next is on its way
KNOWN_MAX = 200_000  # bodies: some 20 MB; then it is asked again


class Opens(Protocol):
    """Opens a stream to a host."""

    async def open(self, host: str, purpose: str, /) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


class Line:
    """Words out, answers in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._due: deque[str] = deque()
        self._known: set[bytes] = set()

    async def ask(self, word: Word, *expected: str) -> Word:
        """Say something and hear the answer, which is one of the expected."""
        await say(self._writer, word)
        await self.settle()
        return expect(await hear(self._reader), word.do, *expected)

    async def say_ahead(self, word: Word) -> None:
        """Say something whose answer is "ok", and go on."""
        await self.settle(WORDS_AHEAD - 1)
        await say(self._writer, word)
        self._due.append(word.do)

    async def settle(self, left: int = 0) -> None:
        """Hear what is due, but for the last few."""
        while len(self._due) > left:
            expect(await hear(self._reader), self._due[0], "ok")
            self._due.popleft()

    def unknown(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those of which the other host is not known to have them."""
        return sorted(set(digests) - self._known)

    def know(self, digests: Iterable[bytes]) -> None:
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known.update(digests)
