"""Eight-bit mail made fit for a host that takes seven bits only (RFC 6152 3): its parts become quoted-printable or
base64. So do parts with lines that are longer than any host must take.

Law: pure, and in one pass: what the parts say stays the same, what is not eight-bit stays as it is, octet for octet. It
comes before signing, for it would break a signature. None: it cannot be done; what somebody else signed
(multipart/signed) is not touched.
"""

from __future__ import annotations

import base64
import quopri

from mail.ascii_header import ascii_header
from mail.boundaries import boundary_line, boundary_of
from mail.headers import Headers, add_headers, drop_headers, split_message

LINE_OCTETS_MAX = 1_000  # CRLF counted (RFC 5321 4.5.3.1.6)
DEPTH_MAX = 50  # mail programs write ten; each level is a call, and a copy of what is below

_BASE64_LINE = 57  # octets, 76 characters (RFC 2045 6.8)


def to_seven_bits(content: bytes, depth: int = 0) -> bytes | None:
    """Return a message or a part in ASCII."""
    if content.isascii() and not has_long_lines(content):
        return content
    block, text = split_message(content)
    if depth >= DEPTH_MAX:
        return None
    block = ascii_header(block)
    if text.isascii() and not has_long_lines(text):
        return block + text
    headers = Headers.parse(block)
    kind = headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if kind == "multipart/signed":
        return None
    if kind.startswith("multipart/"):
        return _joined(block, headers.get("content-type"), text, depth)
    if kind == "message/rfc822":  # RFC 2046 5.2.1: never encoded itself, so its parts are
        inner = to_seven_bits(text, depth + 1)
        return None if inner is None else _labelled(block, "7bit") + inner
    return _encoded(block, headers, kind, text)


def has_long_lines(content: bytes) -> bool:
    """Some hosts refuse such mail, and others cut the lines, which breaks what was signed."""
    at = 0
    while len(content) - at > LINE_OCTETS_MAX:
        at = content.rfind(b"\n", at, at + LINE_OCTETS_MAX) + 1 or len(content) + 1
    return at > len(content)


def _encoded(block: bytes, headers: Headers, kind: str, text: bytes) -> bytes | None:
    if headers.get("content-transfer-encoding", "8bit").lower() not in ("8bit", "binary", "7bit"):
        return None  # encoded, it says, and yet eight-bit: whatever we did, readers would see something else
    if kind.startswith("text/"):
        lines = quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        return _labelled(block, "quoted-printable") + lines
    lines = b"".join(
        base64.b64encode(text[at : at + _BASE64_LINE]) + b"\r\n" for at in range(0, len(text), _BASE64_LINE)
    )
    return _labelled(block, "base64") + lines


def _joined(block: bytes, content_type: str, text: bytes, depth: int) -> bytes | None:
    """Encode the parts of a multipart; what stands before and after them is nobody's text, and goes if it must."""
    boundary = boundary_of(content_type)
    if not boundary:
        return None
    ends = [(match.start(), match.end(), match[0]) for match in boundary_line(boundary).finditer(text)]
    if not ends:
        return None
    result = [_ascii_or_nothing(text[: ends[0][0]])]
    for (_, begin, opening), (end, _, _) in zip(ends, [*ends[1:], (len(text), 0, b"")], strict=True):
        closed = opening.rstrip().endswith(b"--")
        part = _ascii_or_nothing(text[begin:end]) if closed else _part(text[begin:end], depth)
        if part is None:
            return None
        result += [opening, part]
    return _labelled(block, "7bit") + b"".join(result)


def _part(part: bytes, depth: int) -> bytes | None:
    """The line end before a boundary is the boundary's (RFC 2046 5.1.1), and must not be encoded."""
    bare = part.removesuffix(b"\r\n")
    encoded = to_seven_bits(bare, depth + 1)
    return None if encoded is None else encoded + part[len(bare) :]


def _ascii_or_nothing(text: bytes) -> bytes:
    return text if text.isascii() else b"\r\n"


def _labelled(block: bytes, encoding: str) -> bytes:
    dropped = drop_headers(block, ["content-transfer-encoding"])
    return add_headers(dropped, [("Content-Transfer-Encoding", encoding)])
