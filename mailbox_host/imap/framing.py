"""From a stream of octets to whole commands: lines and their literals.

Law: any cut of the stream gives the same frames; a literal that is too large is refused before ``+`` is said; nothing
is kept beyond the limits. The reader asks for one frame at a time, so that limits follow the state that the frame
before has led to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailbox_host.imap.settings import LINE_OCTETS_MAX, LITERAL_BEFORE_LOGIN_MAX, LITERALS_MAX

_LITERAL = re.compile(rb"\{([0-9]{1,20})[0-9]*(\+?)\}\Z")  # 20 digits are too large already, however many follow
_APPEND = re.compile(rb"[^ ]{1,100} APPEND ", re.IGNORECASE)
_TAG = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,100}) ")


@dataclass(frozen=True, slots=True)
class Frame:
    """A command: text, literal, text, literal ... text, without literal marks and line ends."""

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """The client waits for ``+`` before it sends its literal."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A limit was passed. `fatal`: the client is already sending what we will not read (RFC 7888 4)."""

    tag: bytes
    text: bytes
    fatal: bool


Event = Frame | Ask | TooLarge


class Framer:
    """Collect octets, give out frames."""

    def __init__(self) -> None:
        self.literal_octets_max = LITERAL_BEFORE_LOGIN_MAX
        self.append_octets_max = LITERAL_BEFORE_LOGIN_MAX
        self._buffer = bytearray()
        self._scanned = 0  # no line end before here: each octet is looked at once
        self._skipping = False
        self._clear()

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Event | None:
        """Return the next event, or None until more arrives."""
        while True:
            if self._missing and not self._take_literal():
                return None
            line = self.line()
            if line is None:
                return self._too_long() if self._scanned + self._text_octets > LINE_OCTETS_MAX + 1 else None
            if self._skipping:
                self._skipping = False
                continue
            event = self._take_line(line)
            if event is not None:
                return event

    def line(self) -> bytes | None:
        """Return the next line as it is: what follows AUTHENTICATE and IDLE."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line.removesuffix(b"\r")

    @property
    def in_command(self) -> bool:
        """Tell whether a command has begun that has not ended."""
        return bool(self._texts or self._buffer)

    @property
    def arriving(self) -> int:
        """The size of the command's literals so far, while one of them is on its way; otherwise 0."""
        return self._literal_octets if self._missing else 0

    @property
    def overlong(self) -> bool:
        """Tell whether a line without end is beyond the limit."""
        return self._scanned > LINE_OCTETS_MAX

    def rest(self) -> bytes:
        """Give up everything that was not read: for a proxy to pass on, or for STARTTLS to forget."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return rest

    def _clear(self) -> None:
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._missing = 0
        self._text_octets = 0
        self._literal_octets = 0

    def _take_literal(self) -> bool:
        if len(self._buffer) < self._missing:
            return False
        self._literals.append(bytes(self._buffer[: self._missing]))
        del self._buffer[: self._missing]
        self._missing = 0
        return True

    def _take_line(self, line: bytes) -> Event | None:
        self._text_octets += len(line)
        if self._text_octets > LINE_OCTETS_MAX:
            self._texts.append(line)
            return self._refuse(b"BAD [TOOBIG] Command line too long", False)
        mark = _LITERAL.match(line, line.rfind(b"{")) if line.endswith(b"}") else None
        if mark is None:
            frame = Frame((*self._texts, line), tuple(self._literals))
            self._clear()
            return frame
        self._texts.append(line[: len(line) - len(mark[0])])
        return self._announced(int(mark[1]), bool(mark[2]))

    def _announced(self, size: int, unasked: bool) -> Event | None:
        """Judge a literal by its announcement."""
        self._literal_octets += size
        if self._literal_octets > self._budget() or len(self._literals) >= LITERALS_MAX:
            return self._refuse(b"NO [TOOBIG] Literal too large", unasked)
        self._missing = size
        if not size:
            self._literals.append(b"")
        return None if unasked else Ask()

    def _budget(self) -> int:
        return self.append_octets_max if _APPEND.match(self._texts[0]) else self.literal_octets_max

    def _refuse(self, text: bytes, fatal: bool) -> TooLarge:
        first = self._texts[0] if self._texts else b""
        self._clear()
        return TooLarge(_tag(first), text, fatal)

    def _too_long(self) -> TooLarge | None:
        """Let a line without end go by, keeping none of it."""
        first = self._texts[0] if self._texts else bytes(self._buffer[:128])
        told = self._skipping
        self.rest()
        self._clear()
        self._skipping = True
        return None if told else TooLarge(_tag(first), b"BAD [TOOBIG] Command line too long", False)


def _tag(text: bytes) -> bytes:
    match = _TAG.match(text)
    return match[1] if match else b"*"
