"""Sequence sets, and what they mean in a mailbox (RFC 3501 9, sequence-set).

Law: nothing here grows with the numbers in a set, only with its ranges: ``1:4294967295`` costs what ``1:2`` costs.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STAR = 0  # in a Range: "*", the largest number in use
NUMBER_MAX = 4_294_967_295

_SET = re.compile(rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?")

Range = tuple[int, int]
Span = tuple[int, int]  # positions [start, stop) in the mailbox, counted from 0


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as written, ends included; STAR stands for ``*``. `saved`: ``$``, the saved search result."""

    ranges: tuple[Range, ...]
    saved: bool = False

    @classmethod
    def parse(cls, text: bytes, ranges_max: int) -> SequenceSet | None:
        """Read ``1,3:5,*`` or ``$``; None if it is neither."""
        if text == b"$":
            return cls((), saved=True)
        pieces = text.split(b",", ranges_max)
        if len(pieces) > ranges_max:
            return None
        ranges = [_range(piece) for piece in pieces]
        found = tuple(found for found in ranges if found)
        return cls(found) if len(found) == len(ranges) else None

    def highest(self) -> int:
        """Return the highest number written, ``*`` aside."""
        return max((max(pair) for pair in self.ranges), default=0)

    def by_number(self, count: int) -> list[Span]:
        """Find positions in a mailbox of `count` messages, by message sequence number."""
        return merge(_span(low or count, high or count, count) for low, high in self.ranges) if count else []

    def by_uid(self, uids: Sequence[int]) -> list[Span]:
        """Find positions by UID in the ascending `uids`; a UID that is not there counts for nothing."""
        if not uids:
            return []
        last = uids[-1]  # RFC 3501 6.4.8: 559:* always includes the last message, whatever its UID
        return merge(_uid_span(uids, low or last, high or last) for low, high in self.ranges)


def merge(spans: Iterable[Span]) -> list[Span]:
    """Sort spans, drop empty ones, join what touches."""
    merged: list[Span] = []
    for start, stop in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def positions(spans: Iterable[Span]) -> array[int]:
    """Write spans out."""
    found = array("I")
    for start, stop in spans:
        found.extend(range(start, stop))
    return found


def pack(numbers: Iterable[int]) -> bytes:
    """Write ascending numbers as a set: ``1:3,7``; b"" for none."""
    pieces: list[str] = []
    start = previous = -1
    for number in numbers:
        if number != previous + 1 or previous < 0:
            if previous >= 0:
                pieces.append(_piece(start, previous))
            start = number
        previous = number
    if previous >= 0:
        pieces.append(_piece(start, previous))
    return ",".join(pieces).encode()


def pack_ordered(numbers: Iterable[int]) -> bytes:
    """The same in any order, kept: COPYUID pairs two sets number by number (RFC 4315 3)."""
    pieces: list[str] = []
    run: list[int] = []
    for number in numbers:
        if run and number != run[1] + 1:
            pieces.append(_piece(*run))
            run = []
        run = [run[0], number] if run else [number, number]
    return ",".join([*pieces, _piece(*run)] if run else pieces).encode()


def _piece(start: int, stop: int) -> str:
    return str(start) if start == stop else f"{start}:{stop}"


def _range(piece: bytes) -> Range | None:
    if not _SET.fullmatch(piece):
        return None
    low, _, high = piece.partition(b":")
    first = STAR if low == b"*" else int(low)
    second = first if not high else STAR if high == b"*" else int(high)
    return (first, second) if max(first, second) <= NUMBER_MAX else None


def _span(low: int, high: int, count: int) -> Span:
    low, high = min(low, high), max(low, high)
    return low - 1, min(high, count)


def _uid_span(uids: Sequence[int], low: int, high: int) -> Span:
    low, high = min(low, high), max(low, high)
    return bisect_left(uids, low), bisect_right(uids, high)
