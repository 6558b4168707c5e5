"""Messages that come with binary parts, made such as every client can be shown (RFC 3516 4.4: literal8).

Law: a part holds, when decoded, what was brought; where NUL stands in no part that says it is binary, there is no way
to keep it, and the message is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from mailbox_host.mime import Part, scan

_ENCODING = re.compile(rb"^(Content-Transfer-Encoding[ \t]*:)[^\n]*+(?:\n[ \t][^\n]*+)*+", re.IGNORECASE | re.MULTILINE)


def without_nul(content: bytes) -> bytes | None:
    """Write binary parts in base64; None where that leaves a NUL."""
    if b"\0" not in content:
        return content
    pieces: list[bytes] = []
    at = 0
    for start, end, instead in _changes(content):
        pieces += [content[at:start], instead]
        at = end
    written = b"".join([*pieces, content[at:]])
    return None if b"\0" in written else written


def _changes(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, what stands there instead), in order."""
    for part in scan(content).walk():
        if part.encoding != "binary":
            continue
        leaf = part.message is None and not part.children
        # RFC 2045 6.4: what holds other parts may be 7bit, 8bit or binary, and nothing else
        yield part.header_start, part.header_end, _declared(part, content, b"base64" if leaf else b"8bit")
        if leaf:
            packed = base64.encodebytes(part.body(content)).replace(b"\n", b"\r\n")
            yield part.header_end, part.body_end, packed


def _declared(part: Part, content: bytes, encoding: bytes) -> bytes:
    return _ENCODING.sub(rb"\1 " + encoding + b"\r", part.header(content), count=1)
