"""Parts of units on their way to the other host: first the bodies that it lacks, then the parts that name them.

Law: a body goes once in a stream, however many name it; the other side keeps it until what names it has come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from heliograph.moving.cargo import Part
from heliograph.moving.frames import Word, packed
from heliograph.moving.line import Line
from heliograph.moving.progress import Progress
from store import Bodies, Reader, Store

ROWS_AT_ONCE = 4_000  # read in one go, sent in one word and put in by one transaction: some 50 ms of the writer
BODIES_OCTETS = 1 << 20  # sent in one word, unless one alone is larger
BODIES_AT_ONCE = 400  # their sizes stand in the line

BodiesOf = Callable[[Part], set[bytes]]


@dataclass(frozen=True, slots=True)
class Load:
    """Some parts, ready to be said, and the SHA-256 of the bodies that they name."""

    parts: int
    bodies: frozenset[bytes]
    word: Word


class Shipping:
    """Sends what is read, in one hand-over."""

    def __init__(self, store: Store, line: Line, progress: Progress) -> None:
        self._store, self._line, self._progress = store, line, progress

    async def send(self, do: str, which: str, parts: Iterator[Part], bodies_of: BodiesOf) -> int:
        """Send parts of a map's units, and hear that they are there; return how many they were."""
        sent = 0
        read = partial(_next, do, which, parts, bodies_of)
        async with contextlib.aclosing(self._loads(read)) as loads:
            async for load in loads:
                sent += load.parts
                await self._send_load(load)
        await self._line.settle()
        return sent

    async def _loads(self, read: Callable[[Reader], Load | None]) -> AsyncGenerator[Load, None]:
        """Read ahead: while one load is sent, the next is read and packed in a thread."""
        coming = asyncio.ensure_future(self._store.read(read))
        try:
            while load := await asyncio.shield(coming):
                coming = asyncio.ensure_future(self._store.read(read))
                yield load
        finally:
            # It reads in a thread, which no cancellation ends: its connection must not be closed under it.
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()

    async def _send_load(self, load: Load) -> None:
        wanted = self._line.unknown(load.bodies)
        for at in range(0, len(wanted), BODIES_AT_ONCE):
            some = wanted[at : at + BODIES_AT_ONCE]
            lacks = await self._line.ask(Word("lacks", {}, b"".join(some)), "lack")
            missing = await self._send_bodies([some[place] for place in lacks.value])
            self._line.know(digest for digest in some if digest not in missing)
        self._progress.octets += len(load.word.octets)
        await self._line.say_ahead(load.word)

    async def _send_bodies(self, digests: list[bytes]) -> set[bytes]:
        """Return which are not here any more."""
        found = await self._store.read(partial(_ids, digests))
        bodies = list(found.values())
        while bodies:
            contents, bodies = await self._store.read(partial(_contents, bodies))
            word = Word("bodies", {"sizes": [len(content) for content in contents]}, b"".join(contents))
            self._progress.octets += len(word.octets)
            await self._line.say_ahead(word)
        return set(digests) - found.keys()


def _next(do: str, which: str, parts: Iterator[Part], bodies_of: BodiesOf, _: Reader) -> Load | None:
    """Read and pack the next parts; None: there are no more."""
    some, rows = [], 0
    for part in parts:
        some.append(part)
        rows += 1 + sum(len(value) for value in part.values() if isinstance(value, list))
        if rows >= ROWS_AT_ONCE:
            break
    if not some:
        return None
    bodies = frozenset[bytes]().union(*(bodies_of(part) for part in some)) - {b""}
    return Load(len(some), bodies, packed(do, some, map=which))


def _ids(digests: list[bytes], reader: Reader) -> dict[bytes, int]:
    return Bodies.by_digest(reader, digests)


def _contents(bodies: list[int], reader: Reader) -> tuple[list[bytes], list[int]]:
    """Read bodies for one word; return them, and what is left. One that went meanwhile is passed over."""
    contents: list[bytes] = []
    octets = 0
    for place, body in enumerate(bodies):
        if octets >= BODIES_OCTETS:
            return contents, bodies[place:]
        for header, text in Bodies.read_many(reader, [body]).values():
            contents.append(header + text)
            octets += len(contents[-1])
    return contents, []
