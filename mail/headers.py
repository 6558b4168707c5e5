"""A header block read and changed as bytes, without the quadratic corners of general parsers.

Law: reading never raises; a malformed line is kept as it stands. What is written is checked: a field's value
carries no bare CR or LF, so that nothing echoed into a header can start another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.header import Header as EncodedHeader

HEADER_BLOCK_OCTETS_MAX = 256 * 1024  # a larger block is refused at the door: parsing it would cost seconds
HEADER_COUNT_MAX = 1000
ADDRESS_FIELD_CHARACTERS_MAX = 16_384  # that is 300 addresses; who wrote a mail is said in far less

_FIELD = re.compile(rb"(?m:^)([!-9;-~]+)[ \t]*:((?:[^\n]*)(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
# An address field in pieces: a quoted word (to its end or the field's), the start of a comment, or anything else; and
# inside a comment, where quotes mean nothing.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|\(|[^"(]+', re.DOTALL)
_COMMENT_TOKEN = re.compile(r"[()]|\\.?|[^()\\]+", re.DOTALL)
_ATOM = r"[^\s<>\"(),:;@\[\]\\]"
# Looked for where an atom begins, and nowhere in it: from each of its characters on, a long one takes a second.
_ADDR_SPEC = re.compile(rf"(?<!{_ATOM}){_ATOM}+@[A-Za-z0-9.\-\x80-\U0010ffff]+")


def header_block(content: bytes) -> bytes:
    """Return what is before a message's text, with the empty line. The text is not copied: 35 MB would take 60 ms."""
    if content.startswith(b"\r\n"):
        return content[:2]
    end = content.find(b"\r\n\r\n")
    return content if end < 0 else content[: end + 4]


def split_message(content: bytes) -> tuple[bytes, bytes]:
    """Cut a message after the empty line: (header block with that line, text)."""
    block = header_block(content)
    return block, content[len(block) :]


@dataclass(frozen=True)
class Headers:
    """Fields in their order: (name in lower case, raw value bytes without the last line end)."""

    fields: tuple[tuple[str, bytes], ...]

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        found = _FIELD.finditer(block[:HEADER_BLOCK_OCTETS_MAX])
        return cls(tuple(_read_fields(found)))

    @classmethod
    def of(cls, content: bytes) -> Headers:
        """Read a whole message's."""
        return cls.parse(header_block(content))

    def all(self, name: str) -> list[str]:
        """Return every value of a field, unfolded, undecodable octets replaced."""
        wanted = name.lower()
        return [_text(value) for field, value in self.fields if field == wanted]

    def get(self, name: str, default: str = "") -> str:
        """Return a field's first value, unfolded and stripped, or `default`."""
        wanted = name.lower()
        return next((_text(value) for field, value in self.fields if field == wanted), default)

    def has(self, name: str) -> bool:
        wanted = name.lower()
        return any(field == wanted for field, _ in self.fields)


def header_fields(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut a header block: each field's name in lower case and its octets, "" for what is no field."""
    end = 0
    for match in _FIELD.finditer(block):
        if match.start() > end:
            yield "", block[end : match.start()]
        yield match[1].decode("ascii").lower(), match[0]
        end = match.end()
    if end < len(block):
        yield "", block[end:]


def _read_fields(found: Iterator[re.Match[bytes]]) -> Iterator[tuple[str, bytes]]:
    for count, match in enumerate(found):
        if count == HEADER_COUNT_MAX:
            return
        yield match[1].decode("ascii").lower(), match[2].rstrip(b"\r")


def _text(value: bytes) -> str:
    return _FOLD.sub("", value.decode("utf-8", "replace")).strip()


def first_addr_spec(value: str) -> str:
    """Return the first ``local@domain`` in an address field, in lower case, or "": what From and Reply-To name.

    A display name may contain an address of its own (``"eve@x" <bob@y>``): angle brackets win, quotes never count.
    """
    words = bare(value)
    angle = re.search(r"<([^<>]*)>", words)
    match = _ADDR_SPEC.fullmatch(angle[1].strip()) if angle else _ADDR_SPEC.search(words)
    return match[0].lower() if match else ""


def names_several(value: str) -> bool:
    """Tell whether an address field names more than one address, or is too long to tell."""
    words = bare(value)
    several = sum("@" in part for part in re.split("[,;:]", words)) > 1
    return several or words.count("<") > 1 or len(value) > ADDRESS_FIELD_CHARACTERS_MAX


def bare(value: str) -> str:
    """A structured field without quoted words and comments, which nest (RFC 5322 3.2.2); an open one hides the rest."""
    kept: list[str] = []
    depth, at, end = 0, 0, min(len(value), ADDRESS_FIELD_CHARACTERS_MAX)
    while at < end:
        token = (_COMMENT_TOKEN if depth else _TOKEN).match(value, at, end)
        assert token is not None  # each matches something wherever there is a character
        at = token.end()
        text = token[0]
        if not depth and text[0] not in '"(':
            kept.append(text)
        depth += text == "("
        depth -= depth > 0 and text == ")"
    return " ".join(kept)


def header_line(name: str, value: str) -> bytes:
    """Write one field, encoded (RFC 2047) and folded where needed, CRLF at the end.

    Raise ValueError for a line break in the value: it would start another header.
    """
    if "\r" in value or "\n" in value:
        raise ValueError(f"line break in {name}")
    if value.isascii() and len(name) + 2 + len(value) <= 998:  # RFC 5322 2.1.1
        return f"{name}: {value}\r\n".encode()
    return f"{name}: {EncodedHeader(value, 'utf-8', 76, name).encode(linesep=chr(13) + chr(10))}\r\n".encode()


def add_headers(content: bytes, lines: Iterable[tuple[str, str]]) -> bytes:
    """Put fields in front of a message."""
    return b"".join(header_line(name, value) for name, value in lines) + content


def drop_some(content: bytes, name: str, unwanted: Callable[[str], bool]) -> bytes:
    """Remove the fields of one name whose value is not wanted."""
    block = header_block(content)

    def kept(match: re.Match[bytes]) -> bytes:
        mine = match[1].decode("ascii").lower() == name
        return b"" if mine and unwanted(_text(match[2])) else match[0]

    return b"".join((_FIELD.sub(kept, block), memoryview(content)[len(block) :]))


def take_fields(block: bytes, prefix: str) -> tuple[bytes, bytes]:
    """Part a header block: the fields whose name starts with `prefix`, without an empty line; and all the rest."""
    taken = [match[0] for match in _FIELD.finditer(block) if match[1].decode("ascii").lower().startswith(prefix)]
    return b"".join(taken), drop_headers(block, prefix=prefix)


def drop_headers(content: bytes, names: Iterable[str] = (), prefix: str = "") -> bytes:
    """Remove every field with one of these names, or whose name starts with `prefix` (case does not matter)."""
    wanted = {name.lower() for name in names}
    block = header_block(content)
    kept: list[bytes | memoryview] = []
    end = 0
    for match in _FIELD.finditer(block):
        kept.append(block[end : match.start()])  # what is not a field stays as it is
        end = match.end()
        name = match[1].decode("ascii").lower()
        if name not in wanted and not (prefix and name.startswith(prefix.lower())):
            kept.append(match[0])
    return b"".join((*kept, memoryview(content)[end:]))
