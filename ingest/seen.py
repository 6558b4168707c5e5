"""What was seen of a feed, packed: one row of the database, 27 octets an item.

Law: packing and unpacking lose nothing. The first octet tells the form: an older one, JSON, is read for ever.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import NamedTuple

PACKED = b"\x01"
DAY_MAX = 65_535

_K1_IS_ITEM, _HAS_K1, _HAS_K2, _HAS_RAW = 1, 2, 4, 8
_LOW_BITS = 32  # a key of 48 bits is written as a half of 16 bits, with the sign, and one of 32
_LOW = 2**_LOW_BITS - 1


def _form(flags: int) -> struct.Struct:
    """How an item is written: flags, its name, the keys that it has, k3, the day."""
    return struct.Struct(">B" + "hI" * (2 + (flags & ~_K1_IS_ITEM).bit_count()) + "H")


_FORMS = tuple(_form(flags) for flags in range(16))


class Seen(NamedTuple):
    """An item that was posted or passed over before. `item` names it for ever; `day`: when it was last listed.

    `raw`: the key of the very octets that it was listed in, if they alone tell which item it is.
    """

    item: int
    k1: int | None
    k2: int | None
    k3: int
    day: int
    raw: int | None = None


def pack(items: Iterable[Seen]) -> bytes:
    """Write items in their order."""
    return PACKED + b"".join(map(_packed, items))


def unpack(packed: bytes) -> list[Seen]:
    """Read what `pack` wrote, or what stood there before there was `pack`."""
    if packed[:1] == b"[":
        return [Seen(*row) for row in json.loads(packed)]
    found: list[Seen] = []
    at = len(PACKED)
    while at < len(packed):
        form = _FORMS[packed[at]]
        found.append(_unpacked(*form.unpack_from(packed, at)))
        at += form.size
    return found


def _packed(seen: Seen) -> bytes:
    item, k1, k2, k3, day, raw = seen
    flags = _K1_IS_ITEM if k1 == item else 0 if k1 is None else _HAS_K1
    flags |= (0 if k2 is None else _HAS_K2) | (0 if raw is None else _HAS_RAW)
    keys = (item, None if flags & _K1_IS_ITEM else k1, k2, raw, k3)
    halves = [half for key in keys if key is not None for half in (key >> _LOW_BITS, key & _LOW)]
    return _FORMS[flags].pack(flags, *halves, min(day, DAY_MAX))


def _unpacked(flags: int, high: int, low: int, *rest: int) -> Seen:
    """Take one item from its halves; written out, since every poll does this for each item."""
    item, k1, k2, raw, at = high << _LOW_BITS | low, None, None, None, 0
    if flags & _K1_IS_ITEM:
        k1 = item
    elif flags & _HAS_K1:
        k1, at = rest[0] << _LOW_BITS | rest[1], 2
    if flags & _HAS_K2:
        k2, at = rest[at] << _LOW_BITS | rest[at + 1], at + 2
    if flags & _HAS_RAW:
        raw = rest[at] << _LOW_BITS | rest[at + 1]
    return Seen(item, k1, k2, rest[-3] << _LOW_BITS | rest[-2], rest[-1], raw)
