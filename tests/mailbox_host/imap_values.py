"""A strict reader of IMAP's parenthesised values: what it cannot read, a client could not either."""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"[0-9]+")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")

Value = bytes | int | list["Value"] | None  # type: ignore[misc]


def read(octets: bytes) -> Value:
    """Read exactly one value; raise ValueError for anything else."""
    value, at = value_at(octets, 0)
    if at != len(octets):
        raise ValueError(f"more after the value: {octets[at : at + 40]!r}")
    return value


def value_at(octets: bytes, at: int) -> tuple[Value, int]:
    """Read the value at a place; return it and where it ends."""
    if octets.startswith(b"NIL", at):
        return None, at + 3
    if match := _NUMBER.match(octets, at):
        return int(match[0]), match.end()
    if match := _QUOTED.match(octets, at):
        return re.sub(rb"\\(.)", rb"\1", match[1]), match.end()
    if match := _LITERAL.match(octets, at):
        end = match.end() + int(match[1])
        if end > len(octets) or b"\x00" in octets[match.end() : end]:
            raise ValueError("literal cut short, or with a NUL")
        return octets[match.end() : end], end
    if octets[at : at + 1] == b"(":
        return _list(octets, at + 1)
    raise ValueError(f"no value: {octets[at : at + 40]!r}")


def _list(octets: bytes, at: int) -> tuple[Value, int]:
    items: list[Value] = []
    while True:
        item, at = value_at(octets, at)
        items.append(item)
        if octets[at : at + 1] == b")":
            return items, at + 1
        # RFC 3501 9: addresses, and the parts of a multipart, follow each other without a space
        nested = isinstance(item, list) and octets[at : at + 1] == b"("
        if not nested:
            if octets[at : at + 1] != b" ":
                raise ValueError(f"no space: {octets[at : at + 40]!r}")
            at += 1
