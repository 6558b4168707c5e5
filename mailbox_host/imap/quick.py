"""A first look at what SEARCH would have to decode: whether it can match at all.

Law: "no" is certain. Where the octets are plain ASCII, the words that are looked for are in them as they are, in some
case; anything else (encoded-words, base64, 8-bit) is said to be possible, and decoded.
"""

from __future__ import annotations

from collections.abc import Callable

from mail.transfer import decode_quoted_printable
from mailbox_host.imap.commands import And, Key, Or, SearchKey

Quick = Callable[[bytes, bytes], bool]  # of a message's header and its text


def quick(key: SearchKey) -> Quick:
    """Make the first look for a key."""
    match key:
        case And((inner,)):  # the usual case: one call less for each message
            return quick(inner)
        case And(keys):
            tests = [quick(inner) for inner in keys]
            return lambda header, text: all(test(header, text) for test in tests)
        case Or(left, right):
            either = [quick(left), quick(right)]
            return lambda header, text: either[0](header, text) or either[1](header, text)
        case Key(name, (str(), str(words)) | str(words)) if words.isascii():
            wanted = words.encode("ascii")
            if name == "HEADER":
                return lambda header, text: _in_header(header, wanted)
            if name == "BODY":
                return lambda header, text: _in_text(header, text, wanted)
            if name == "TEXT":
                return lambda header, text: _in_header(header, wanted) or _in_text(header, text, wanted)
    return lambda header, text: True


def _in_header(header: bytes, wanted: bytes) -> bool:
    return b"=?" in header or not header.isascii() or _within(header.lower(), wanted)


def _in_text(header: bytes, text: bytes, wanted: bytes) -> bool:
    """The header says how a message of one part is encoded, and whether there are others, which the text tells of."""
    if not text.isascii() or b"=?" in text or b"\x1b" in text or b"\0" in text:
        return True
    lower, kind = text.lower(), header.lower()
    parts = lower if b"multipart" in kind or b"rfc822" in kind else b""
    if _within(lower, wanted) or b"base64" in kind or b"base64" in parts:
        return True
    if b"quoted-printable" not in kind and b"quoted-printable" not in parts:
        return False
    decoded = decode_quoted_printable(text)
    return not decoded.isascii() or wanted in decoded.lower()


def _within(lower: bytes, wanted: bytes) -> bool:
    """Tell whether words stand there, folded (RFC 5322 2.2.3) or not."""
    if wanted in lower:
        return True
    if b" " not in wanted and b"\t" not in wanted:
        return False
    return wanted in lower.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
