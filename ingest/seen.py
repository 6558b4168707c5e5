"""What was seen of a feed, packed: one row of the database, 27 octets an item.

Law: packing and unpacking lose nothing. The first octet tells the form: an older one, JSON, is read for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

KEY_OCTETS = 6
DAY_OCTETS = 2
PACKED = b"\x01"

_K1_IS_ITEM, _HAS_K1, _HAS_K2, _HAS_RAW = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Seen:
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
        seen, at = _unpacked(packed, at)
        found.append(seen)
    return found


def _packed(seen: Seen) -> bytes:
    flags, keys = 0, [seen.item]
    if seen.k1 == seen.item:
        flags |= _K1_IS_ITEM
    elif seen.k1 is not None:
        flags, keys = flags | _HAS_K1, [*keys, seen.k1]
    if seen.k2 is not None:
        flags, keys = flags | _HAS_K2, [*keys, seen.k2]
    if seen.raw is not None:
        flags, keys = flags | _HAS_RAW, [*keys, seen.raw]
    octets = b"".join(key.to_bytes(KEY_OCTETS, "big", signed=True) for key in (*keys, seen.k3))
    return bytes((flags,)) + octets + min(seen.day, 65_535).to_bytes(DAY_OCTETS, "big")


def _unpacked(packed: bytes, at: int) -> tuple[Seen, int]:
    flags, at = packed[at], at + 1

    def key(there: int) -> int | None:
        nonlocal at
        if not there:
            return None
        at += KEY_OCTETS
        return int.from_bytes(packed[at - KEY_OCTETS : at], "big", signed=True)

    item = key(1)
    k1 = item if flags & _K1_IS_ITEM else key(flags & _HAS_K1)
    k2, raw, k3 = key(flags & _HAS_K2), key(flags & _HAS_RAW), key(1)
    assert item is not None and k3 is not None
    day = int.from_bytes(packed[at : at + DAY_OCTETS], "big")
    return Seen(item, k1, k2, k3, day, raw), at + DAY_OCTETS
