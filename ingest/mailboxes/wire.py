"""What an IMAP server says, read response by response.

Law: the other side is a stranger. A line, the literals of a response and all that answers one command have limits; what
is beyond ends the connection, and was never held in memory.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

LINE_OCTETS_MAX = 262_144  # the numbers of 10,000 messages, on one line, have 110,000
PIECES_MAX = 20  # literals of one response; ours have one
RESPONSES_MAX = 2_000  # to one command: a server may tell of each change over there

_LITERAL = re.compile(rb"\{([0-9]{1,10})\}\Z")


class Broken(Exception):
    """The connection cannot go on; the message says why, for the operator."""


class TooLarge(Broken):
    """A literal is larger than what was asked for may be."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response: texts with a literal behind each but the last. `text`: the first, without its line end."""

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...] = ()

    @property
    def text(self) -> bytes:
        return self.texts[0]


class Wire:
    """A connection's two ends. `allow` says how many octets the answer to the next command may have."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._octets_left = self._responses_left = 0

    def allow(self, octets: int) -> None:
        self._octets_left, self._responses_left = octets, RESPONSES_MAX

    async def send(self, line: bytes) -> None:
        try:
            self._writer.write(line + b"\r\n")
            await self._writer.drain()
        except OSError:
            raise Broken("the server closed the connection") from None

    async def response(self) -> Response:
        """Return the next response; raise Broken."""
        self._responses_left -= 1
        if self._responses_left < 0:
            raise Broken("the server answers without an end")
        texts, literals = [await self._line()], list[bytes]()
        while match := _LITERAL.search(texts[-1]):
            if len(literals) == PIECES_MAX:
                raise Broken("the server answers in too many pieces")
            literals.append(await self._literal(int(match[1])))
            texts[-1] = texts[-1][: match.start()]
            texts.append(await self._line())
        return Response(tuple(texts), tuple(literals))

    def close(self) -> None:
        """End it at once: a stranger is not waited for."""
        self._writer.transport.abort()

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError:
            raise Broken("the server sends a line without an end") from None
        except (asyncio.IncompleteReadError, OSError):
            raise Broken("the server closed the connection") from None
        self._spend(len(line))
        return line[:-2]

    async def _literal(self, octets: int) -> bytes:
        if octets > self._octets_left:
            raise TooLarge("the server sends more than was asked for")
        self._spend(octets)
        try:
            return await self._reader.readexactly(octets)
        except (asyncio.IncompleteReadError, OSError):
            raise Broken("the server closed the connection") from None

    def _spend(self, octets: int) -> None:
        self._octets_left -= octets
        if self._octets_left < 0:
            raise Broken("the server sends more than was asked for")
