"""A message taken apart into its parts, in one pass (RFC 2046).

Law: it never raises, and its time is in proportion to the message's length: between two delimiters nothing is looked
at twice, and what could make it so (levels, parts, lines that are almost delimiters) has a limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail.headers import HEADER_BLOCK_OCTETS_MAX
from mailbox_host.media import read_media
from mailbox_host.part import LEVELS_MAX, PARTS_MAX, Part, default_media

# Lines that begin like a delimiter and are none ("--foo" of "--foobar"). Real mail has next to none.
NEAR_MISSES_MAX = 10_000
BOUNDARY_OCTETS_MAX = 1000  # RFC 2046 5.1.1 allows 70; senders are forgiven

_EMPTY_LINE = re.compile(rb"^\r?\n", re.MULTILINE)
_REST_OF_DELIMITER = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")  # RFC 2046 5.1.1: transport padding
_FIELD = re.compile(
    rb"^(content-(?:type|transfer-encoding|id|description|md5|disposition|language|location)"
    rb"|date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id)[ \t]*:"
    rb"([^\n]*+(?:\n[ \t][^\n]*+)*+)",
    re.IGNORECASE | re.MULTILINE,
)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_LISTS = frozenset((b"from", b"to", b"cc", b"bcc", b"reply-to"))  # RFC 5322 4.5.3: once, these could be repeated


@dataclass(slots=True, eq=False)
class _Open:
    """A multipart that awaits its next delimiter. `next_at`: where that begins, as far as looked for."""

    part: Part
    boundary: bytes  # with the line end and "--" before it
    depth: int  # of `_Scan.open_parts`, its own place included
    next_at: int
    next_end: int = 0
    closes: bool = False


def scan(content: bytes) -> Part:
    """Take a message apart."""
    return _Scan(content).run()


class _Scan:
    """One pass over one message."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.multiparts: list[_Open] = []
        self.open_parts: list[Part] = []  # from the message down to the part that is being read
        self.parts = 0
        self.misses = 0
        self.empty_line = -1, -1  # the last that was found: (start, end)

    def run(self) -> Part:
        self._begin(0, None, 1)
        while (found := self._next_delimiter()) is not None:
            self._delimit(found)
            if self.parts >= PARTS_MAX:
                break
        root = self.open_parts[0]
        self._end_from(0, len(self.content))
        return root

    def _begin(self, start: int, parent: Part | None, level: int) -> None:
        """Read a part's header, and what it opens: a multipart waits for delimiters, a message begins at once."""
        self.parts += 1
        header_end, has_body = self._header_end(start)
        part = Part(start, header_end, header_end, _read_fields(self.content, start, header_end))
        part.media = read_media(part.fields.get(b"content-type", b""), default_media(parent))
        self._hang(part, parent)
        self.open_parts.append(part)
        if not has_body or level >= LEVELS_MAX or self.parts >= PARTS_MAX:
            return
        if part.is_multipart:
            boundary = part.media.parameter(b"boundary").rstrip(b" \t")
            if 0 < len(boundary) <= BOUNDARY_OCTETS_MAX:
                opened = _Open(part, b"\n--" + boundary, len(self.open_parts), header_end - 1)
                self._look(opened, 0, self._next_at())
                self.multiparts.append(opened)
        elif _is_message(part):
            self._begin(header_end, part, level + 1)

    def _hang(self, part: Part, parent: Part | None) -> None:
        if parent is None:
            return
        if parent.is_multipart:
            parent.children.append(part)
        else:
            parent.message = part

    def _header_end(self, start: int) -> tuple[int, bool]:
        """Return where the header ends, and whether a body follows: a delimiter may come before the empty line."""
        if self.empty_line[0] < start:
            match = _EMPTY_LINE.search(self.content, start)
            self.empty_line = match.span() if match else (len(self.content), len(self.content))
        delimiter = self._next_at() + 1
        if delimiter < self.empty_line[1]:
            return max(start, delimiter), False
        return self.empty_line[1], True

    def _next_at(self) -> int:
        """Return where the next delimiter begins, whosever it is."""
        return min((multipart.next_at for multipart in self.multiparts), default=len(self.content))

    def _next_delimiter(self) -> _Open | None:
        """The multipart whose delimiter comes first; of two that share one, the inner (it was opened last)."""
        first: _Open | None = None
        for multipart in self.multiparts:
            if multipart.next_at < len(self.content) and (first is None or multipart.next_at <= first.next_at):
                first = multipart
        return first

    def _delimit(self, multipart: _Open) -> None:
        """End what was open below this multipart, and begin its next part unless it closes."""
        at, end, closes = multipart.next_at, multipart.next_end, multipart.closes
        self._end_from(multipart.depth, at - (self.content[at - 1 : at] == b"\r"))
        while self.multiparts[-1] is not multipart:
            self.multiparts.pop()
        if closes:  # what follows is its epilogue, until a delimiter further out
            self.multiparts.pop()
        limit = len(self.content)
        for outer in self.multiparts:
            limit = self._look(outer, end, limit)
        if not closes:
            self._begin(end, multipart.part, multipart.depth + 1)

    def _look(self, multipart: _Open, start: int, limit: int) -> int:
        """Find the multipart's next delimiter line, from `start` on, but not beyond `limit`, where the next begins of
        those around it: that would end it first, and a thousand parts that name a boundary in vain must not each be
        searched for to the end. Return where the first of them all begins now."""
        if multipart.next_end and multipart.next_at >= start - 1:
            return min(limit, multipart.next_at)
        content, length = self.content, len(multipart.boundary)
        at = max(multipart.next_at, start - 1)
        while (at := content.find(multipart.boundary, at, limit + length)) >= 0 and self.misses < NEAR_MISSES_MAX:
            rest = _REST_OF_DELIMITER.match(content, at + length)
            if rest:
                multipart.next_at, multipart.next_end, multipart.closes = at, rest.end(), bool(rest[1])
                return min(limit, at)
            self.misses += 1
            at += length
        multipart.next_at = multipart.next_end = len(content)
        return limit

    def _end_from(self, depth: int, end: int) -> None:
        for part in self.open_parts[depth:]:
            part.body_end = max(part.header_end, end)
            part.lines = self.content.count(b"\n", part.header_end, part.body_end)
        del self.open_parts[depth:]


def _is_message(part: Part) -> bool:
    return part.media.type.lower() == b"message" and part.media.subtype.lower() == b"rfc822"


def _read_fields(content: bytes, start: int, end: int) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    more: dict[bytes, list[bytes]] = {}
    for match in _FIELD.finditer(content, start, min(end, start + HEADER_BLOCK_OCTETS_MAX)):
        name, value = match[1].lower(), match[2]
        value = (_FOLD.sub(b"", value) if b"\n" in value else value).strip()
        if name not in fields:
            fields[name] = value
        elif name in _LISTS:
            more.setdefault(name, [fields[name]]).append(value)
    return fields | {name: b", ".join(values) for name, values in more.items()}
