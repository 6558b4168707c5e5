"""A peer's replies, from bytes (RFC 5321 4.2), without I/O.

Law: whatever a peer sends, memory stays bounded, and what is kept of it is printable text that fits a log line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

LINE_OCTETS_MAX = 2_048  # RFC 5321 4.5.3.1.5 says 512; some peers are wordy
LINES_MAX = 128  # of one reply; an EHLO reply has about 20
TEXT_CHARACTERS_MAX = 500  # of what is kept for the queue and the DSN
REPLIES_CACHED = 1_024  # a peer says "250 2.1.5 Ok" a thousand times


class BadReply(Exception):
    """This is not SMTP; the connection is of no use any more. `before`: what came whole before it, and stands."""

    before: list[Reply]


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    text: str
    lines: tuple[str, ...] = ()  # of a reply of several lines

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class ReplyReader:
    """Bytes in, whole replies out."""

    def __init__(self) -> None:
        self._rest = b""
        self._open: list[Reply] = []  # the lines of a reply that goes on

    @property
    def is_between(self) -> bool:
        """Nothing has begun that is not finished."""
        return not self._rest and not self._open

    def feed(self, data: bytes) -> list[Reply]:
        """Take what came; return the replies that it completes. Raise BadReply, and be thrown away, for rubbish."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        replies: list[Reply] = []
        try:
            for line in lines:
                replies += self._line(line)
            if len(self._rest) > LINE_OCTETS_MAX:
                raise BadReply("endless reply line")
        except BadReply as bad:
            bad.before = replies
            raise
        return replies

    def _line(self, line: bytes) -> list[Reply]:
        reply = _read(line)
        if line[3:4] == b"-":
            self._continue(reply)
            return []
        return [self._finish(reply) if self._open else reply]

    def _continue(self, reply: Reply) -> None:
        self._open.append(reply)
        if len(self._open) >= LINES_MAX:
            raise BadReply("endless reply")

    def _finish(self, last: Reply) -> Reply:
        lines = (*(reply.text for reply in self._open), last.text)
        self._open = []
        return Reply(last.code, " ".join(lines)[:TEXT_CHARACTERS_MAX], lines)


@lru_cache(REPLIES_CACHED)
def _read(line: bytes) -> Reply:
    line = line.removesuffix(b"\r")
    if len(line) > LINE_OCTETS_MAX:
        raise BadReply("endless reply line")
    code = line[:3]
    if not (code.isdigit() and len(code) == 3 and b"2" <= code[:1] <= b"5" and line[3:4] in (b"", b" ", b"-")):
        raise BadReply(f"not a reply: {legible(line)[:80]!r}")
    return Reply(int(code), legible(line[4:]))


def legible(octets: bytes) -> str:
    """Decode for logs, queue and DSNs: no control characters, bounded."""
    text = octets[: TEXT_CHARACTERS_MAX * 4].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:TEXT_CHARACTERS_MAX]
