"""Search keys that rows alone decide, for all messages at once (RFC 3501 6.4.4).

Law: a mask has an octet per message, 1 where it matches; keys are joined by joining masks, without a look at any
message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailbox_host.columns import Columns
from mailbox_host.entries import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from mailbox_host.imap.commands import And, Key, Not, Or, SearchKey
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import SequenceSet

DAY = 86_400
_EMAIL_ID = re.compile("M[1-9][0-9]{0,18}")
BITS = {"ANSWERED": ANSWERED, "DELETED": DELETED, "DRAFT": DRAFT, "FLAGGED": FLAGGED, "SEEN": SEEN}


@dataclass(frozen=True, slots=True)
class View:
    """The messages of a mailbox that are still there: their rows, and their places as the client counts them."""

    selected: Selected
    rows: Columns
    places: Sequence[int]
    now: float
    decided: dict[Key, bytes] = field(default_factory=dict)  # masks of keys that were looked up (deciding.py)

    def __len__(self) -> int:
        return len(self.places)


def mask_of(key: SearchKey, view: View) -> bytes:
    match key:
        case Not(inner):
            return _joined(int.__xor__, b"\1" * len(view), mask_of(inner, view))
        case Or(left, right):
            return _joined(int.__or__, mask_of(left, view), mask_of(right, view))
        case And(keys):
            mask = b"\1" * len(view)
            for inner in keys:
                mask = _joined(int.__and__, mask, mask_of(inner, view))
            return mask
        case Key():
            return _mask(key, view)


def _joined(operation: Callable[[int, int], int], left: bytes, right: bytes) -> bytes:
    return operation(int.from_bytes(left), int.from_bytes(right)).to_bytes(len(left))


def _mask(key: Key, view: View) -> bytes:
    if key in view.decided:
        return view.decided[key]
    name, value = key.name, key.value
    bit = BITS.get(name.removeprefix("UN"), 0)
    if bit:
        wanted = name in BITS
        return view.rows.flags.translate(bytes(bool(bits & bit) is wanted for bits in range(256)))
    if isinstance(value, SequenceSet):
        return _in_set(view, value, name == "UID")
    if isinstance(value, int):
        return _compared(view.rows, name, value, view.now)
    if name in ("EMAILID", "THREADID"):
        return _with_body(view, value) if name == "EMAILID" and isinstance(value, str) else bytes(len(view))
    if isinstance(value, str):
        having = {uid for uid, words in view.rows.words.items() if value in words.lower().split()}
        if not having:
            return bytes([name == "UNKEYWORD"]) * len(view)
        return bytes([(uid in having) is (name == "KEYWORD") for uid in view.rows.uids])
    return _state(view, name)


def _in_set(view: View, messages: SequenceSet, uid: bool) -> bytes:
    mask = bytearray(len(view.selected.uids))
    for start, stop in view.selected.find(messages, uid):
        mask[start:stop] = b"\1" * (stop - start)
    return bytes(mask) if len(mask) == len(view) else bytes([mask[place] for place in view.places])


def _with_body(view: View, wanted: str) -> bytes:
    if not _EMAIL_ID.fullmatch(wanted):
        return bytes(len(view))
    body = int(wanted[1:])
    return bytes([other == body for other in view.rows.bodies])


def _compared(rows: Columns, name: str, value: int, now: float) -> bytes:
    """Sizes, ages, modseqs and dates. Dates disregard time and zone (RFC 3501 6.4.4): ours are in UTC."""
    match name:
        case "LARGER":
            return bytes([size > value for size in rows.sizes])
        case "SMALLER":
            return bytes([size < value for size in rows.sizes])
        case "MODSEQ":
            return bytes([modseq >= value for modseq in rows.modseqs])
        case "OLDER":  # RFC 5032
            return bytes([at <= now - value for at in rows.arrivals])
        case "YOUNGER":
            return bytes([at >= now - value for at in rows.arrivals])
        case "BEFORE":
            return bytes([at < value for at in rows.arrivals])
        case "ON":
            return bytes([value <= at < value + DAY for at in rows.arrivals])
    assert name == "SINCE"
    return bytes([at >= value for at in rows.arrivals])


def _state(view: View, name: str) -> bytes:
    if name not in ("RECENT", "OLD", "NEW"):
        return b"\1" * len(view)  # ALL
    recent = view.selected.recent_uids(view.rows.uids)
    if not recent:  # the usual case
        return bytes([name == "OLD"]) * len(view)
    if name == "NEW":
        return bytes(
            [uid in recent and not bits & SEEN for uid, bits in zip(view.rows.uids, view.rows.flags, strict=True)]
        )
    return bytes([(uid in recent) is (name == "RECENT") for uid in view.rows.uids])
