"""The words of a message that SEARCH looks at.

Law: text parts are decoded, others are not looked into; every piece comes case-folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mailbox_host.imap.decoding import decode_charset, decode_header, decode_transfer
from mailbox_host.imap.sections import Content
from mailbox_host.mime import Part


def header_values(block: bytes, field: str) -> Iterator[bytes]:
    """Yield the values of a field, still folded and encoded."""
    return (match[1] for match in _field(field).finditer(block))


@lru_cache(maxsize=256)
def _field(name: str) -> re.Pattern[bytes]:
    start = re.escape(name.encode("latin-1", "replace"))
    return re.compile(rb"^" + start + rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def body_texts(content: Content) -> Iterator[str]:
    """Yield the decoded text of a message's parts, case-folded."""
    yield from _texts(content.whole, content.structure)
