"""Transfer encodings undone (RFC 2045 6): what a part of a mail really holds.

Law: pure; nothing raises and nothing is more than linear.
"""

from __future__ import annotations

import binascii
import re

_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def decode_transfer(octets: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding (RFC 2045 6); what cannot be undone stays as it is."""
    match encoding.strip().lower():
        case "base64":
            return decode_base64(octets)
        case "quoted-printable":
            return decode_quoted_printable(octets)
    return octets


def decode_quoted_printable(octets: bytes) -> bytes:
    """White space at a line's end came on the way, and counts for nothing (RFC 2045 6.7, rule 3)."""
    if any(end in octets for end in (b" \r", b"\t\r", b" \n", b"\t\n")):
        octets = _TRAILING.sub(b"", octets)
    return binascii.a2b_qp(octets)


def decode_base64(octets: bytes) -> bytes:
    """Decode what there is of base64, skipping other octets (RFC 2045 6.8)."""
    packed = _NOT_BASE64.sub(b"", octets)
    packed = packed[: len(packed) - 1] if len(packed) % 4 == 1 else packed
    try:
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return b""
