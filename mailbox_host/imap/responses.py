"""How things are written for the client (RFC 3501 7, 9).

Law: whatever goes in, one well-formed response comes out: text that could break a line goes as a literal or is
replaced.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from mail import utf7
from mailbox_host.entries import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAFE = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]{0,1000}\Z")  # can stand between quotes as it is
_BREAKING = re.compile(r"[^\x20-\x7e]")

SYSTEM_FLAGS = {
    "\\answered": ANSWERED,
    "\\flagged": FLAGGED,
    "\\deleted": DELETED,
    "\\seen": SEEN,
    "\\draft": DRAFT,
}
_NAMES = (
    (ANSWERED, b"\\Answered"),
    (FLAGGED, b"\\Flagged"),
    (DELETED, b"\\Deleted"),
    (SEEN, b"\\Seen"),
    (DRAFT, b"\\Draft"),
)
SYSTEM_FLAG_NAMES = b" ".join(name for _, name in _NAMES)


def ok(text: str, code: str = "") -> bytes:
    return _status(b"OK", text, code)


def no(text: str, code: str = "") -> bytes:
    return _status(b"NO", text, code)


def bad(text: str, code: str = "") -> bytes:
    return _status(b"BAD", text, code)


def _status(word: bytes, text: str, code: str) -> bytes:
    line = _BREAKING.sub("?", f"[{code}] {text}" if code else text)
    return word + b" " + line.encode("ascii")


def untagged(line: bytes) -> bytes:
    return b"* " + line + b"\r\n"


def string(value: bytes) -> bytes:
    """A quoted string where that can say it, else a literal."""
    return b'"' + value + b'"' if _SAFE.match(value) else literal(value)


def literal(value: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(value), value)


def mailbox(name: str, utf8: bool) -> bytes:
    """A mailbox name, in UTF-8 or modified UTF-7, always quoted."""
    return b'"' + (name.encode() if utf8 else utf7.encode(name)).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@lru_cache(maxsize=4096)
def flags(bits: int, keywords: str, recent: bool) -> bytes:
    """``(\\Seen \\Recent $Forwarded)``"""
    names = [name for bit, name in _NAMES if bits & bit]
    if recent:
        names.append(b"\\Recent")
    names += keywords.encode("ascii", "replace").split()
    return b"(" + b" ".join(names) + b")"


def date_time(at: float) -> bytes:
    """``"17-Jul-2026 02:44:25 +0000"``"""
    year, month, day, hour, minute, second = time.gmtime(at)[:6]
    return b'"%02d-%b-%04d %02d:%02d:%02d +0000"' % (
        day,
        _MONTHS[month - 1].encode(),
        year,
        hour,
        minute,
        second,
    )


def split_flags(names: tuple[str, ...]) -> tuple[int, frozenset[str]]:
    """Cut flags as a client writes them into our bits and its keywords. \\Recent is nobody's to set (RFC 3501 2.3.2);
    an unknown system flag is ignored."""
    bits = 0
    keywords = set()
    for name in names:
        if name.startswith("\\"):
            bits |= SYSTEM_FLAGS.get(name.lower(), 0)
        else:
            keywords.add(name)
    return bits, frozenset(keywords)
