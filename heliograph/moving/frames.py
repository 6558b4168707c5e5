"""What goes over the stream of a hand-over: a line that says what it is, and octets.

Law: nothing is believed before it was read whole; what is longer than agreed ends the stream.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

PURPOSE = "move"
VERSION = 2
LINE_OCTETS_MAX = 16_384  # streams.BUFFER_OCTETS: a reader holds no longer line
OCTETS_MAX = 64 << 20  # the largest message, and a page of rows with much in it
ANSWER_SECONDS_MAX = 120.0  # the other side may have to let go of an old copy first, or wait for a full disk


class Broken(OSError):
    """The stream does not go on; what was done stands in the tables at both ends."""


class Ended(Broken):
    """The other side has closed it, between two words."""


@dataclass(frozen=True, slots=True)
class Word:
    """`do` is its kind; `about` is short; `octets` are bodies, or a `packed` value."""

    do: str
    about: dict[str, Any] = field(default_factory=dict)
    octets: bytes = b""

    @property
    def value(self) -> Any:
        return json.loads(self.octets, object_hook=_read)


def packed(do: str, value: object, **about: Any) -> Word:
    """A word with a value: of JSON, where octets may stand too."""
    return Word(do, about, json.dumps(value, separators=(",", ":"), default=_write).encode())


async def say(writer: asyncio.StreamWriter, word: Word, seconds: float = ANSWER_SECONDS_MAX) -> None:
    """Say a word; Broken where the other side does not read it."""
    line = json.dumps({"do": word.do, "octets": len(word.octets), **word.about}).encode()
    if len(line) > LINE_OCTETS_MAX - 2 or len(word.octets) > OCTETS_MAX:
        raise Broken(f"a {word.do} of {len(line)} and {len(word.octets)} octets is too long")
    writer.write(line + b"\r\n" + word.octets)
    try:
        async with asyncio.timeout(seconds):
            await writer.drain()
    except TimeoutError:
        raise Broken(f"nobody reads the {word.do}") from None


async def hear(reader: asyncio.StreamReader, seconds: float = ANSWER_SECONDS_MAX) -> Word:
    """Read a word; Broken where there is none, or none that could be meant."""
    try:
        async with asyncio.timeout(seconds):
            about = json.loads(await reader.readuntil(b"\r\n"))
            do, octets = about.pop("do"), about.pop("octets")
            if not isinstance(do, str) or not isinstance(octets, int) or not 0 <= octets <= OCTETS_MAX:
                raise ValueError(f"{do!r} of {octets!r} octets")
            return Word(do, about, await reader.readexactly(octets))
    except asyncio.IncompleteReadError as error:
        raise (Broken if error.partial else Ended)("the stream ended") from None
    except (TimeoutError, ValueError, KeyError, AttributeError, asyncio.LimitOverrunError) as error:
        raise Broken(f"the stream ended: {error!r}") from None


def expect(answer: Word, asked: str, *expected: str) -> Word:
    """Return an answer that is one of the expected."""
    if answer.do not in expected:
        raise Broken(f"to {asked} the answer was {answer.do}: {answer.about.get('why', '')}")
    return answer


def _write(value: object) -> object:
    if isinstance(value, bytes):
        return {"x": value.hex()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _read(found: dict[str, Any]) -> Any:
    return bytes.fromhex(found["x"]) if found.keys() == {"x"} else found
