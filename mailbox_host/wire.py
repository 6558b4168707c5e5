"""IMAP's way of writing strings (RFC 3501 4.3, 4.4).

Law: what is written can be read by any client: no NUL, no line end and no 8-bit octet outside a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NIL = b"NIL"
QUOTED_OCTETS_MAX = 1000  # longer strings go as literals: clients' line buffers are small

_NOT_QUOTABLE = re.compile(rb"[^\x01-\x09\x0b\x0c\x0e-\x7f]")
_SPECIAL = re.compile(rb"[\"\\]")


def string(value: bytes) -> bytes:
    """Write a quoted string, or a literal where it must be one."""
    if len(value) > QUOTED_OCTETS_MAX or _NOT_QUOTABLE.search(value):
        value = value.replace(b"\x00", b"?")  # RFC 3501 9: a literal holds CHAR8, which has no NUL
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"' + (_SPECIAL.sub(rb"\\\g<0>", value) if b'"' in value or b"\\" in value else value) + b'"'


def nstring(value: bytes | None) -> bytes:
    """The same; None is NIL."""
    return NIL if value is None else string(value)


def listed(items: Iterable[bytes]) -> bytes:
    return b"(" + b" ".join(items) + b")"
