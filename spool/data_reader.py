"""A message read in chunks, from 354 to the line with a single dot.

Law: only <CRLF>.<CRLF> ends a message (RFC 5321 4.1.1.4); a message with a CR or LF on its own, or a NUL, is read to
its end and refused, so that no two programs can disagree about where it ended.
"""

from __future__ import annotations

import re

from mail.headers import HEADER_BLOCK_OCTETS_MAX
from mail.outcome import Deferred, Refused
from spool.smtp_settings import RECEIVED_MAX

END = b"\r\n.\r\n"
DISCARD_FACTOR_MAX = 4  # how many times the limit a client may go on sending what is thrown away

BARE_LINE_END = Refused("5.6.0 A CR or LF stands alone: lines must end in CRLF", 550)
HOLDS_NUL = Refused("5.6.0 NUL in the message", 550)
HEADERS_TOO_LARGE = Refused(f"5.3.4 Headers over {HEADER_BLOCK_OCTETS_MAX} octets", 552)
LOOP = Refused("5.4.6 Too many hops: a mail loop", 554)
NO_ROOM = Deferred("4.3.1 Too much mail at once, try again later", 452)

_RECEIVED = re.compile(rb"(?im)^received[ \t]*:")


class Room:
    """How many octets of unfinished messages a door may hold in memory."""

    def __init__(self, octets_max: int) -> None:
        self._left = octets_max

    def take(self, octets: int) -> bool:
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give(self, octets: int) -> None:
        self._left += octets


class DataReader:
    """One message on its way in."""

    def __init__(self, octets_max: int, room: Room, hops_max: int = RECEIVED_MAX) -> None:
        self._octets_max, self._hops_max = octets_max, hops_max
        self._room = room
        self._raw = bytearray(b"\r\n")  # a dot at the very start stands at the start of a line
        self._held = 0
        self._thrown = 0
        self._fault: Refused | Deferred | None = None

    def feed(self, chunk: bytes) -> bytes | None:
        """Add a chunk. Return what follows the message's end, or None while there is none."""
        raw = self._raw
        start = max(0, len(raw) - len(END) + 1)
        raw += chunk
        end = raw.find(END, start)
        if end < 0:
            self._keep_within_bounds(len(chunk))
            return None
        rest = bytes(memoryview(raw)[end + len(END) :])
        del raw[end + 2 :]
        return rest

    @property
    def is_endless(self) -> bool:
        """Tell whether the client has sent so much too much that it is better dismissed than read."""
        return self._thrown > DISCARD_FACTOR_MAX * self._octets_max

    def finish(self) -> bytes | Refused | Deferred:
        """Return the content, dots unstuffed, or why it is refused. Call it once, after the end was found."""
        raw, self._raw = self._raw, bytearray()
        if self._fault:
            return self._fault
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        if len(raw) - 2 > self._octets_max:
            return self._too_large
        content = bytes(memoryview(raw)[2:])
        return fault_of(content, self._hops_max) or content

    def close(self) -> None:
        """Give the room back, however it ended."""
        self._room.give(self._held)
        self._held = 0

    def _keep_within_bounds(self, octets: int) -> None:
        """Stuffed dots do not count (RFC 1870 2), but at most every third octet is one."""
        if self._fault is None and len(self._raw) > self._octets_max + self._octets_max // 2 + 2:
            self._fault = self._too_large
        elif self._fault is None and not self._room.take(octets):
            self._fault = NO_ROOM
        elif self._fault is None:
            self._held += octets
        if self._fault:
            self._thrown += octets
            del self._raw[: -len(END) + 1]
            self.close()

    @property
    def _too_large(self) -> Refused:
        return Refused(f"5.3.4 Message over {self._octets_max} octets", 552)


def fault_of(content: bytes, hops_max: int = RECEIVED_MAX) -> Refused | None:
    """Tell what is wrong with a message, if anything is."""
    line_ends = content.count(b"\r\n")
    if content.count(b"\n") != line_ends or content.count(b"\r") != line_ends:
        return BARE_LINE_END
    if b"\0" in content:
        return HOLDS_NUL
    text = 0 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n", 0, HEADER_BLOCK_OCTETS_MAX) + 2
    if text == 1:  # no empty line that soon
        if len(content) > HEADER_BLOCK_OCTETS_MAX:
            return HEADERS_TOO_LARGE
        text = len(content)
    return LOOP if len(_RECEIVED.findall(content, 0, text)) > hops_max else None
