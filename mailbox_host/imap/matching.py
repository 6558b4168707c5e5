"""Whether a message is what SEARCH asks for (RFC 3501 6.4.4).

Law: a key is compiled once into a predicate; keys joined by AND are tried cheapest first, so that a message's header is
read only if its row does not decide, and its text only if its header does not.
"""

from __future__ import annotations

import email.utils
from bisect import bisect_right
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass

from mailbox_host.entries import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Entry
from mailbox_host.imap.commands import And, Key, Not, Or, SearchKey
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.search_text import body_texts, header_values
from mailbox_host.imap.sections import Content
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import SequenceSet, Span

DAY = 86_400
ROW, HEADER, TEXT = range(3)  # what a key has to read: its cost

_BITS = {"ANSWERED": ANSWERED, "DELETED": DELETED, "DRAFT": DRAFT, "FLAGGED": FLAGGED, "SEEN": SEEN}
_HEADER_KEYS = frozenset("BCC CC FROM SUBJECT TO HEADER SENTBEFORE SENTON SENTSINCE".split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that may match: its place counted from 0, its row, and its content, read when asked."""

    place: int
    entry: Entry
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
            return HEADER if name in _HEADER_KEYS else TEXT if name in ("BODY", "TEXT") else ROW


def compile_key(key: SearchKey, selected: Selected, now: float) -> Test:
    """Make a predicate of a key."""
    match key:
        case Not(inner):
            test = compile_key(inner, selected, now)
            return lambda message: not test(message)
        case Or(left, right):
            either = [compile_key(inner, selected, now) for inner in sorted((left, right), key=cost)]
            return lambda message: either[0](message) or either[1](message)
        case And(keys):
            tests = [compile_key(inner, selected, now) for inner in sorted(keys, key=cost)]
            return lambda message: all(test(message) for test in tests)
        case Key():
            return _compile_one(key, selected, now)


def _compile_one(key: Key, selected: Selected, now: float) -> Test:
    name, value = key.name, key.value
    if name in _BITS or name.removeprefix("UN") in _BITS:
        return _flag(_BITS[name.removeprefix("UN")], name in _BITS)
    if isinstance(value, SequenceSet):
        return _in_spans(selected.find(value, name == "UID"))
    if isinstance(value, int):
        return _number(name, value, now)
    if isinstance(value, tuple):
        return _header(value[0], value[1])
    if isinstance(value, str):
        return _string(name, value)
    return _state(name, selected)


def _flag(bit: int, wanted: bool) -> Test:
    return lambda message: bool(message.entry.flags & bit) is wanted


def _in_spans(spans: list[Span]) -> Test:
    starts = [start for start, _ in spans]

    def test(message: Candidate) -> bool:
        at = bisect_right(starts, message.place) - 1
        return at >= 0 and message.place < spans[at][1]

    return test


def _number(name: str, value: int, now: float) -> Test:
    """Sizes, ages, modseqs and dates. Dates disregard time and zone (RFC 3501 6.4.4): ours are in UTC."""
    tests: dict[str, Test] = {
        "LARGER": lambda message: message.entry.size > value,
        "SMALLER": lambda message: message.entry.size < value,
        "OLDER": lambda message: message.entry.arrival <= now - value,  # RFC 5032
        "YOUNGER": lambda message: message.entry.arrival >= now - value,
        "MODSEQ": lambda message: message.entry.modseq >= value,
        "BEFORE": lambda message: message.entry.arrival < value,
        "ON": lambda message: value <= message.entry.arrival < value + DAY,
        "SINCE": lambda message: message.entry.arrival >= value,
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
        case "KEYWORD":
            return lambda message: wanted in message.entry.keywords.lower().split()
        case "UNKEYWORD":
            return lambda message: wanted not in message.entry.keywords.lower().split()
        case "BODY":
            return lambda message: any(wanted in text for text in body_texts(message.content))
        case "TEXT":
            return lambda message: (
                wanted in decode_header(message.content.header).casefold()
                or any(wanted in text for text in body_texts(message.content))
            )
    return _header(name.lower(), wanted)


def _state(name: str, selected: Selected) -> Test:
    match name:
        case "RECENT":
            return lambda message: selected.is_recent(message.entry.uid)
        case "OLD":
            return lambda message: not selected.is_recent(message.entry.uid)
        case "NEW":
            return lambda message: selected.is_recent(message.entry.uid) and not message.entry.flags & SEEN
    return lambda message: True
