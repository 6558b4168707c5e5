"""What BODY[section]<partial> names, cut from a stored message (RFC 3501 6.4.5).

Law: a message is read once per response, its text only where a section wants it; what does not exist is None.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mailbox_host.imap.commands import BodyPart, Section
from mailbox_host.mime import Part, scan
from mailbox_host.mime import section as cut_section
from store import Reader
from store.bodies import Bodies


class Content:
    """A stored message, read as far as it is wanted."""

    __slots__ = ("_body", "_header", "_part", "_reader", "_whole")

    def __init__(self, reader: Reader, body: int) -> None:
        self._reader = reader
        self._body = body
        self._header: bytes | None = None
        self._whole: bytes | None = None
        self._part: Part | None = None

    @property
    def header(self) -> bytes:
        if self._header is None:
            self._header = Bodies.read_header(self._reader, self._body)
        return self._header

    @property
    def whole(self) -> bytes:
        if self._whole is None:
            self._whole = Bodies.read(self._reader, self._body)
        return self._whole

    @property
    def text(self) -> bytes:
        return self.whole[len(self.header) :]

    @property
    def structure(self) -> Part:
        if self._part is None:
            self._part = scan(self.whole)
        return self._part


def part_of(content: Content, item: BodyPart) -> bytes | None:
    """Return the octets that an item names."""
    value = _section(content, item.section)
    if value is None or item.partial is None:
        return value
    start, count = item.partial
    return value[start : start + count]


def _section(content: Content, section: Section) -> bytes | None:
    if section.text.startswith("HEADER.FIELDS"):
        block = content.header if not section.path else _part(content, section.path, "HEADER")
        return None if block is None else header_fields(block, section.fields, section.text.endswith("NOT"))
    if section.path:
        return _part(content, section.path, section.text)
    match section.text:
        case "":
            return content.whole
        case "HEADER":
            return content.header
    return content.text


def _part(content: Content, path: tuple[int, ...], text: str) -> bytes | None:
    name = ".".join(str(number) for number in path)
    return cut_section(content.whole, content.structure, f"{name}.{text}" if text else name)


def header_fields(block: bytes, names: tuple[bytes, ...], others: bool) -> bytes:
    """Return the fields with these names (or all but them), as they stand, and the empty line."""
    found = b"".join(match[0] for match in _pattern(names, others).finditer(block))
    if found and not found.endswith(b"\n"):
        found += b"\r\n"
    return found + b"\r\n"


@lru_cache(maxsize=256)
def _pattern(names: tuple[bytes, ...], others: bool) -> re.Pattern[bytes]:
    """A field of one of these names, with the lines that continue it."""
    wanted = b"|".join(re.escape(name) for name in names)
    start = rb"(?!(?:" + wanted + rb")[ \t]*:)[^\s:][^\n:]*:" if others else rb"(?:" + wanted + rb")[ \t]*:"
    return re.compile(rb"^" + start + rb"[^\n]*(?:\n[ \t][^\n]*)*\n?", re.IGNORECASE | re.MULTILINE)
