"""Find the items of a feed by their octets, so that only those that nobody has seen are parsed.

Law: linear, and sure or silent: a document that cannot be split cleanly gives None, and is parsed whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from ingest.items import ITEMS_MAX
from ingest.parse_json import date_of
from ingest.raw_item import key_of

HEAD_OCTETS = 400  # an XML declaration is in them
_MARK = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<(/?)((?:[\w.-]{1,30}:)?(?:item|entry))(?=[\s/>])[^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
# Where "<" may be half of a character, or two octets.
_NOT_ASCII = re.compile(rb"\x00|encoding\s*=\s*['\"](?:utf-?7|utf-?16|utf-?32|ucs|iso-2022|hz|cp037|ebcdic)", re.I)
_DATE = re.compile(
    rb"<(?:\w{1,20}:)?(?:pubDate|published|updated|date|issued|modified|created)[^>]{0,100}>\s*([^<]{6,64}?)\s*<", re.I
)


@dataclass(frozen=True, slots=True)
class Split:
    """Where each item begins and ends, and the key of its octets."""

    content: bytes
    ranges: tuple[tuple[int, int], ...]
    keys: tuple[int, ...]

    def without(self, known: Collection[int]) -> bytes:
        """Return the document without the items whose keys are known."""
        kept: list[bytes] = []
        at = 0
        for (start, end), key in zip(self.ranges, self.keys, strict=True):
            kept.append(self.content[at:start])
            if key not in known:
                kept.append(self.content[start:end])
            at = end
        return b"".join([*kept, self.content[at:]])

    def date(self, place: int) -> float | None:
        """Return the first date that stands in an item; only for telling how often a feed writes."""
        start, end = self.ranges[place]
        found = _DATE.search(self.content, start, end)
        return _read_date(found[1].decode("ascii", "replace")) if found else None


def split(content: bytes) -> Split | None:
    """Split a document; the newest items count, which stand on top or, in some feeds, at the end."""
    if _NOT_ASCII.search(content[:HEAD_OCTETS]) or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    ranges = _ranges(content)
    if not ranges:
        return None
    whole = Split(content, tuple(ranges), ())
    if len(ranges) > ITEMS_MAX:
        first, last = whole.date(0) or 0.0, whole.date(len(ranges) - 1) or 0.0
        whole = _newest_last(content, ranges) if last > first else _newest_first(content, ranges)
    keys = tuple(key_of(whole.content[start:end]) for start, end in whole.ranges)
    return Split(whole.content, whole.ranges, keys) if len(set(keys)) == len(keys) else None


def _ranges(content: bytes) -> list[tuple[int, int]] | None:
    ranges: list[tuple[int, int]] = []
    name, start = b"", 0
    for mark in _MARK.finditer(content):
        found = mark[2]
        if found is None:
            continue
        closing = bool(mark[1])
        if closing != bool(name) or (closing and found != name) or mark[0].endswith(b"/>"):
            return None
        if closing:
            ranges.append((start, mark.end()))
            name = b""
        else:
            name, start = found, mark.start()
    return None if name else ranges


def _newest_first(content: bytes, ranges: list[tuple[int, int]]) -> Split:
    kept = ranges[:ITEMS_MAX]
    return Split(content[: kept[-1][1]] + content[ranges[-1][1] :], tuple(kept), ())


def _newest_last(content: bytes, ranges: list[tuple[int, int]]) -> Split:
    start = ranges[0][0]
    moved = ranges[-ITEMS_MAX][0] - start
    kept = tuple((begin - moved, end - moved) for begin, end in ranges[-ITEMS_MAX:])
    return Split(content[:start] + content[start + moved :], kept, ())


def _read_date(text: str) -> float | None:
    if text[4:5] == "-":  # 2023-10-01T...; all other feeds write as mail does
        return date_of(text)
    try:
        found = parsedate_tz(text)
        return float(mktime_tz(found)) if found else None
    except (ValueError, OverflowError):
        return None
