"""MIME, as IMAP asks for it: the tree of parts, and the octets that a section names (RFC 3501 6.4.5).

Law: what a section names and is not there is None, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailbox_host.part import LEVELS_MAX, PARTS_MAX, Part
from mailbox_host.scanner import scan

__all__ = ["LEVELS_MAX", "PARTS_MAX", "Part", "numbered", "scan", "section"]


def section(content: bytes, part: Part, spec: str) -> bytes | None:
    """Cut ``""``, ``HEADER``, ``TEXT``, ``1.2``, ``1.2.MIME``, ``1.HEADER``, ``1.TEXT`` out of a scanned message."""
    words = spec.upper().split(".") if spec else []
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 10]
    text = ".".join(words[len(numbers) :])
    if not numbers:
        return _of_message(content, part, text)
    found = numbered(part, numbers)
    if found is None:
        return None
    if text == "":
        return found.body(content)
    if text == "MIME":
        return found.header(content)
    return _of_message(content, found.message, text) if found.message else None


def _of_message(content: bytes, part: Part, text: str) -> bytes | None:
    match text:
        case "":
            return content[part.header_start : part.body_end]
        case "HEADER":
            return part.header(content)
        case "TEXT":
            return part.body(content)
    return None


def numbered(message: Part, numbers: Sequence[int]) -> Part | None:
    """Walk down: a multipart's parts count from 1; what is no multipart is its own part 1."""
    part = message
    inside: Part | None = message  # the message, or multipart, whose parts the next number counts
    for number in numbers:
        if inside is None:
            return None
        children = inside.children if inside.is_multipart else [inside]
        if not 1 <= number <= len(children):
            return None
        part = children[number - 1]
        inside = part.message or (part if part.is_multipart else None)
    return part
