"""IMAP's mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3), or UTF-8 for who has asked for it (RFC 9051 5.1).

Law: decode(encode(name)) == name for every str without surrogates; what encode would not have written is refused, so
that no two spellings name one mailbox.
"""

from __future__ import annotations

import binascii
import re

NAME_OCTETS_MAX = 1000

_PRINTABLE = re.compile(r"[\x20-\x7e]*\Z")
_RUN = re.compile(r"&([^-]*)-|([\x20-\x25\x27-\x7e]+)")
_CUT = re.compile(r"([\x20-\x7e]+)|([^\x20-\x7e]+)")


class BadName(ValueError):
    """Not a name in modified UTF-7, or in UTF-8."""


def encode(name: str) -> bytes:
    """Write a mailbox name for the wire."""
    if _PRINTABLE.match(name):
        return name.replace("&", "&-").encode("ascii")
    return b"".join(_shift(foreign) if foreign else plain.replace("&", "&-").encode() for plain, foreign in _cut(name))


def decode(wire: bytes) -> str:
    """Read a mailbox name; raise BadName for what is no modified UTF-7."""
    if len(wire) > NAME_OCTETS_MAX:
        raise BadName("mailbox name too long")
    try:
        text = wire.decode("ascii")
        if "&" not in text:
            return _checked(text)
        name = "".join(_pieces(text))
    except (UnicodeError, binascii.Error) as error:
        raise BadName("not modified UTF-7") from error
    if encode(name) != wire:
        raise BadName("not the shortest modified UTF-7")
    return name


def decode_utf8(wire: bytes) -> str:
    """Read a mailbox name that is no modified UTF-7: "&" is nothing special in it."""
    if len(wire) > NAME_OCTETS_MAX:
        raise BadName("mailbox name too long")
    try:
        return wire.decode("utf-8")
    except UnicodeError as error:
        raise BadName("not UTF-8") from error


def _cut(name: str) -> list[tuple[str, str]]:
    return _CUT.findall(name)


def _shift(foreign: str) -> bytes:
    packed = binascii.b2a_base64(foreign.encode("utf-16-be"), newline=False).rstrip(b"=")
    return b"&" + packed.replace(b"/", b",") + b"-"


def _pieces(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _RUN.match(text, at)
        if match is None:
            raise BadName("not modified UTF-7")
        found.append(match[2] if match[2] is not None else _unshift(match[1]))
        at = match.end()
    return found


def _unshift(packed: str) -> str:
    if not packed:
        return "&"
    padded = packed.replace(",", "/") + "=" * (-len(packed) % 4)
    return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")


def _checked(text: str) -> str:
    if not _PRINTABLE.match(text):
        raise BadName("control character in a mailbox name")
    return text
