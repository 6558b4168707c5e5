"""How a stranger's text stands in a header: on one line, no longer than its share, and as nothing but itself.

Law: no control character, no direction mark and no line break leaves this file, and nothing that reads as an
encoded-word without being ours.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

LINK_OCTETS_MAX = 900
WORD_OCTETS = 45  # RFC 2047 2: an encoded-word has at most 75 characters
OLDEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()  # there was no web before; a feed that says so errs

_UNSEEMLY = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")


def line_of(text: str, octets_max: int) -> str:
    """Make a stranger's text fit for one line: single spaces, no control or direction character, cut at a limit."""
    plain = " ".join(_UNSEEMLY.sub(" ", text).split())
    if len(plain.encode()) <= octets_max:
        return plain
    return plain.encode()[: octets_max - 3].decode(errors="ignore").rstrip() + "…"


def phrase(name: str) -> str:
    """Write a display name (RFC 5322 3.2.5): plain, quoted, or in encoded-words where it is not ASCII."""
    if _ATOMS.match(name) and "=?" not in name:
        return name
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded_words(name)


def unstructured(text: str) -> str:
    """Write a Subject: as it is, or in encoded-words; what looks like one is encoded, so that it stays what it is."""
    return text if text.isascii() and "=?" not in text else _encoded_words(text)


def mail_date(date: float | None, now: float) -> str:
    """Write an item's date, never in the future; now, where it has none that can be."""
    at = now if date is None or date < OLDEST else min(date, now)
    return format_datetime(datetime.fromtimestamp(int(at), UTC))


def web_link(url: str) -> str:
    """Return a web address fit for a header, or "" for anything else."""
    if not url.lower().startswith(("http://", "https://")):
        return ""
    written = quote(_UNSEEMLY.sub("", url), safe="%/:?#[]@!$&'()*+,;=-._~")
    return written if len(written) <= LINK_OCTETS_MAX else ""


def _encoded_words(text: str) -> str:
    """RFC 2047 5, 6.2: no character is split between words, and the space between two is not shown; it is cut after
    a space where that can be, for readers that show it all the same."""
    words: list[bytes] = []
    while text:
        end = _fitting(text)
        words.append(text[:end].encode())
        text = text[end:]
    return " ".join(f"=?utf-8?B?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _fitting(text: str) -> int:
    """Return how many characters make one encoded-word."""
    end = size = 0
    while end < len(text) and (size := size + len(text[end].encode())) <= WORD_OCTETS:
        end += 1
    space = text.rfind(" ", 0, end) + 1
    return space if end < len(text) and space > end // 2 else end
