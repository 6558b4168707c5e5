"""Whether a message is what SEARCH asks for (RFC 3501 6.4.4).

Law: a key is compiled once into a predicate; keys joined by AND are tried cheapest first, so that a message's header is
read only if its row does not decide, and its text only if its header does not.
"""

from __future__ import annotations

import email.utils
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass

from mailbox_host.imap.commands import And, Key, Not, Or, SearchKey
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.header_words import field_of
from mailbox_host.imap.masks import DAY, View, mask_of
from mailbox_host.imap.search_text import body_texts, header_text, header_values
from mailbox_host.imap.sections import Content

ROW, HEADER, TEXT = range(3)  # what a key has to read: its cost. Words of headers are looked up with the rows

_HEADER_KEYS = frozenset("BCC CC FROM SUBJECT TO HEADER SENTBEFORE SENTON SENTSINCE".split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that may match: its place in the View, and its content."""

    place: int
    content: Content


Test = Callable[[Candidate], bool]


def cost(key: SearchKey) -> int:
    """Tell what has to be read to decide a key."""
    match key:
        case Not(inner):
            return cost(inner)
        case Or(left, right):
            return max(cost(left), cost(right))
        case And(keys):
            return max(cost(inner) for inner in keys)
        case Key(name):
            if field_of(key):
                return ROW
            return HEADER if name in _HEADER_KEYS else TEXT if name in ("BODY", "TEXT") else ROW


def compile_key(key: SearchKey, view: View) -> Test:
    """Make a predicate of a key."""
    match key:
        case Not(inner):
            test = compile_key(inner, view)
            return lambda message: not test(message)
        case Or(left, right):
            either = [compile_key(inner, view) for inner in sorted((left, right), key=cost)]
            return lambda message: either[0](message) or either[1](message)
        case And(keys):
            tests = [compile_key(inner, view) for inner in sorted(keys, key=cost)]
            return lambda message: all(test(message) for test in tests)
        case Key():
            return _compile_one(key, view)


def _compile_one(key: Key, view: View) -> Test:
    name, value = key.name, key.value
    if cost(key) == ROW:
        mask = mask_of(key, view)
        return lambda message: bool(mask[message.place])
    if isinstance(value, int):
        return _date(name, value)
    if isinstance(value, tuple):
        return _header(value[0], value[1])
    assert isinstance(value, str)
    return _string(name, value)


def _date(name: str, value: int) -> Test:
    """Dates disregard time and zone (RFC 3501 6.4.4)."""
    tests: dict[str, Test] = {
        "SENTBEFORE": lambda message: (sent := _sent(message)) is not None and sent < value,
        "SENTON": lambda message: (sent := _sent(message)) is not None and value <= sent < value + DAY,
        "SENTSINCE": lambda message: (sent := _sent(message)) is not None and sent >= value,
    }
    return tests[name]


def _sent(message: Candidate) -> int | None:
    """The day of the Date field as it was written there, or None."""
    for value in header_values(message.content.header, "date"):
        try:
            parsed = email.utils.parsedate(value.decode("ascii", "replace")[:200])
            return timegm((*parsed[:3], 0, 0, 0)) if parsed else None
        except (ValueError, OverflowError, IndexError, TypeError):
            return None
    return None


def _header(field: str, wanted: str) -> Test:
    def test(message: Candidate) -> bool:
        return any(wanted in decode_header(value).casefold() for value in header_values(message.content.header, field))

    return test


def _string(name: str, wanted: str) -> Test:
    match name:
        case "BODY":
            return lambda message: any(wanted in text for text in body_texts(message.content))
        case "TEXT":
            return lambda message: (
                wanted in header_text(message.content) or any(wanted in text for text in body_texts(message.content))
            )
    return _header(name.lower(), wanted)
