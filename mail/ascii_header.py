"""A header that is not ASCII, said in ASCII: for hosts that take no other, or were not told of it (RFC 6531 3.4).

Law: pure, linear, and one field at a time; what is ASCII stays as it is, octet for octet. Words become encoded-words
(RFC 2047), names of files RFC 2231's. An address that is not ASCII cannot be written to by who reads this: it is shown
as an empty group's name (RFC 6857 3.1.8). It comes before signing, for it would break a signature.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

from mail.headers import header_fields

# In base64, with what stands around them, 64 characters: a word may have 75, its line 76 (RFC 2047 2).
_WORD_OCTETS = 39

_FOLD = re.compile(r"\r\n(?=[ \t])")
_ADDRESSES = re.compile(r"(?:resent-)?(?:from|sender|reply-to|to|cc|bcc)\Z|disposition-notification-to\Z")
_PARAMETERS = frozenset(("content-type", "content-disposition"))
_TOKENS = frozenset(  # what is in them is for machines: no word can stand there
    "received return-path date message-id in-reply-to references mime-version content-transfer-encoding content-id"
    " dkim-signature authentication-results list-id list-help list-subscribe list-unsubscribe list-post".split()
)
# An address field in pieces: a quoted string, a comment, an angle address, a bare address, and words in a row.
_ATOM = r'[^\s"(<>,;:@]'
_PIECE = re.compile(
    rf'"(?:[^"\\]|\\.)*+"?|\([^()]*+\)?|<[^<>]*+>?|{_ATOM}*+@[^\s"(<>,;:]*+|{_ATOM}++(?!@)(?:[ \t]+{_ATOM}++(?!@))*+|.',
    re.DOTALL,
)
_PARAMETER = re.compile(r';(\s*)([A-Za-z-]{1,40})=(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]*+))')


def ascii_header(block: bytes) -> bytes:
    """Return a header block in ASCII."""
    if block.isascii():
        return block
    return b"".join(_said(name, field) for name, field in header_fields(block))


def _said(name: str, field: bytes) -> bytes:
    if field.isascii() or not name:
        return field if field.isascii() else _without(_text(field)).encode()
    head, _, value = _text(field).partition(":")
    end = "\r\n" if value.endswith("\r\n") else ""
    value = _FOLD.sub("", value.removesuffix("\r\n")).strip()
    return f"{head}: {_way(name)(value)}{end}".encode()


def _way(name: str) -> Callable[[str], str]:
    if _ADDRESSES.match(name):
        return _addresses
    if name in _PARAMETERS:
        return _parameters
    return _without if name in _TOKENS else _words


def _text(octets: bytes) -> str:
    """Who writes it without saying what it is writes UTF-8, or else what was usual before."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _words(text: str) -> str:
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(part.encode()).decode()}?=" for part in _parts(text))


def _parts(text: str) -> Iterator[str]:
    """RFC 2047 5: no character is cut in two."""
    part, size = "", 0
    for character in text:
        octets = len(character.encode())
        if size + octets > _WORD_OCTETS:
            yield part
            part, size = "", 0
        part, size = part + character, size + octets
    yield part


def _addresses(value: str) -> str:
    return "".join(piece if piece.isascii() else _piece(piece) for piece in _PIECE.findall(value))


def _piece(piece: str) -> str:
    if piece[0] == '"':
        return _words(re.sub(r"\\(.)", r"\1", piece[1:].removesuffix('"')))
    if piece[0] == "(":
        return f"({_words(piece.strip('()'))})"
    if piece[0] == "<" or "@" in piece:
        return f"{_words(piece.strip('<>'))} :;"
    return _words(piece)


def _parameters(value: str) -> str:
    return _without(_PARAMETER.sub(_parameter, value))


def _parameter(found: re.Match[str]) -> str:
    if found[0].isascii():
        return found[0]
    said = re.sub(r"\\(.)", r"\1", found[3]) if found[3] is not None else found[4]
    return f";{found[1]}{found[2]}*=utf-8''{quote(said, safe='')}"


def _without(text: str) -> str:
    return text.encode("ascii", "replace").decode()
