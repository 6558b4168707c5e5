"""What BODY[section]<partial> and BINARY[section]<partial> name, cut from a stored message (RFC 3501 6.4.5, RFC 3516).

Law: what does not exist is None, never an error.
"""

from __future__ import annotations

from mail.transfer import decode_transfer
from mailbox_host import header_cuts
from mailbox_host.folders import FolderError
from mailbox_host.header_cuts import cut
from mailbox_host.imap.commands import BodyPart, Section
from mailbox_host.mime import Part, numbered, scan
from mailbox_host.mime import section as cut_section

ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "base64", "quoted-printable"})  # RFC 2045 6.1


class UnknownEncoding(FolderError):
    """A part is to be decoded whose Content-Transfer-Encoding nobody knows (RFC 3516 4.3: then the FETCH fails)."""


class Content:
    """A stored message: header and text, or its header alone."""

    __slots__ = ("_decoded", "_header", "_part", "_text", "_whole", "texts")

    def __init__(self, header: bytes, text: bytes | None) -> None:
        self._header: bytes | None = header
        self._text = text
        self._whole: bytes | None = None
        self._part: Part | None = None
        self._decoded: tuple[tuple[int, ...], bytes] | None = None
        self.texts: tuple[str, ...] | None = None  # what SEARCH made of it: each of a search's keys looks at them

    @property
    def header(self) -> bytes:
        assert self._header is not None
        return self._header

    @property
    def text(self) -> bytes:
        assert self._text is not None
        return self._text

    @property
    def whole(self) -> bytes:
        if self._whole is None:
            self._whole = self.header + self.text
        return self._whole

    @property
    def structure(self) -> Part:
        if self._part is None:
            self._part = scan(self.whole)
        return self._part

    def decoded(self, path: tuple[int, ...], part: Part) -> bytes:
        """A part without its transfer encoding. The last one is remembered: clients fetch a part window by window."""
        if self._decoded is None or self._decoded[0] != path:
            self._decoded = path, decode_transfer(part.body(self.whole), part.encoding)
        return self._decoded[1]


def cut_kind(item: BodyPart) -> int:
    """Return under which number an item's cut is kept, or 0."""
    section = item.section
    if section.path or section.text != "HEADER.FIELDS" or item.partial is not None:
        return 0
    return header_cuts.KINDS.get(frozenset(section.fields), 0)


def part_of(content: Content, item: BodyPart) -> bytes | None:
    """Return the octets that an item names."""
    value = _decoded(content, item.section.path) if item.decoded else _section(content, item.section)
    if value is None or item.partial is None:
        return value
    start, count = item.partial
    return value[start : start + count]


def _section(content: Content, section: Section) -> bytes | None:
    if section.text.startswith("HEADER.FIELDS"):
        block = content.header if not section.path else _part(content, section.path, "HEADER")
        return None if block is None else cut(block, frozenset(section.fields), section.text.endswith("NOT"))
    if section.path:
        return _part(content, section.path, section.text)
    match section.text:
        case "":
            return content.whole
        case "HEADER":
            return content.header
    return content.text


def _decoded(content: Content, path: tuple[int, ...]) -> bytes | None:
    """A part without its transfer encoding. What holds other parts has none (RFC 2045 6.4)."""
    if not path:
        return content.whole
    part = numbered(content.structure, path)
    if part is None:
        return None
    if part.children or part.message:
        return part.body(content.whole)
    if part.encoding not in ENCODINGS:
        raise UnknownEncoding("A part's transfer encoding is not known here")
    return content.decoded(path, part)


def _part(content: Content, path: tuple[int, ...], text: str) -> bytes | None:
    name = ".".join(str(number) for number in path)
    return cut_section(content.whole, content.structure, f"{name}.{text}" if text else name)
