"""The words of a message that SEARCH looks at.

Law: text parts are decoded, others are not looked into; every piece comes case-folded; whatever the number of search
keys, a message is decoded once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mail.transfer import decode_transfer
from mailbox_host.imap.decoding import decode_charset, decode_header
from mailbox_host.imap.sections import Content
from mailbox_host.mime import Part


def header_values(block: bytes, field: str) -> Iterator[bytes]:
    """Yield the values of a field, still folded and encoded."""
    return (match[1] for match in _field(field).finditer(block))


@lru_cache(maxsize=256)
def _field(name: str) -> re.Pattern[bytes]:
    start = re.escape(name.encode("latin-1", "replace"))
    return re.compile(rb"^" + start + rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def body_texts(content: Content) -> tuple[str, ...]:
    """Return the decoded text of a message's parts, and the headers of the messages that it holds, case-folded."""
    return _texts(content)[1:]


def header_text(content: Content) -> str:
    """Return a message's header, decoded and case-folded."""
    return _texts(content)[0]


def _texts(content: Content) -> tuple[str, ...]:
    if content.texts is None:
        content.texts = decode_header(content.header).casefold(), *_made(content)
    return content.texts


def _made(content: Content) -> Iterator[str]:
    for part in content.structure.walk():
        if part.message is not None:
            yield decode_header(part.message.header(content.whole)).casefold()
        elif part.type == "text":
            yield _text(part, content.whole)


def _text(part: Part, whole: bytes) -> str:
    octets = decode_transfer(part.body(whole), part.encoding)
    return decode_charset(octets, part.charset).casefold()
