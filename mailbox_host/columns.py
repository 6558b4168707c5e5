"""A folder's entries as columns: what is asked of all of them at once, without an object for each.

Law: columns are never changed, only replaced; those of a modseq hold at least what the folder held at it, and what
they lack of later changes is read again under a later modseq.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from mailbox_host.entry import DELETED, SEEN, Entry, entries, entries_since, expunged_since
from mailbox_host.folders import Counts
from store import Reader, Transaction

# More changes than this part of a folder: reading it anew is cheaper than carrying them over.
CARRIED_OVER_PART = 4

_UNSEEN = bytes(not bits & SEEN for bits in range(256))
_DELETED = bytes(bool(bits & DELETED) for bits in range(256))


class Columns(NamedTuple):
    """Entries in order of UID. `flags`: an octet of bits for each; `words`: keywords by UID, where there are any."""

    modseq: int
    uids: array[int]
    bodies: array[int]
    flags: bytes
    words: dict[int, str]
    modseqs: array[int]
    arrivals: array[float]
    sizes: array[int]

    def position(self, uid: int) -> int:
        """Return a UID's place, counted from 0, or -1."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def slice(self, start: int, stop: int) -> Columns:
        return Columns(
            self.modseq,
            self.uids[start:stop],
            self.bodies[start:stop],
            self.flags[start:stop],
            self.words,
            self.modseqs[start:stop],
            self.arrivals[start:stop],
            self.sizes[start:stop],
        )

    def pick(self, places: Iterable[int]) -> Columns:
        """Return the entries at these places, in their order."""
        return columns_of(self.modseq, [self.entry(place) for place in places])

    def updated(self, changed: list[Entry]) -> Columns:
        """Return the same with the flags that some of the entries have now."""
        return _carried_over(self, self.modseq, changed, [])

    def entry(self, place: int) -> Entry:
        uid = self.uids[place]
        return Entry(
            uid,
            self.bodies[place],
            self.flags[place],
            self.words.get(uid, ""),
            self.modseqs[place],
            self.arrivals[place],
            self.sizes[place],
        )

    def counts(self) -> Counts:
        unseen = self.flags.translate(_UNSEEN)
        first = unseen.find(1)
        deleted = self.flags.translate(_DELETED).count(1)
        return Counts(len(self.uids), unseen.count(1), deleted, sum(self.sizes), self.uids[first] if first >= 0 else 0)


def columns_of(modseq: int, rows: list[Entry]) -> Columns:
    uids, bodies, flags, keywords, modseqs, arrivals, sizes = zip(*rows, strict=True) if rows else ((),) * 7
    return Columns(
        modseq,
        array("I", uids),
        array("q", bodies),
        bytes(flags),
        {uid: words for uid, words in zip(uids, keywords, strict=True) if words},
        array("q", modseqs),
        array("d", arrivals),
        array("q", sizes),
    )


def read_columns(reader: Reader | Transaction, folder: int, modseq: int, known: Columns | None) -> Columns:
    """Read a folder that was seen at `modseq`; from `known`, where little has changed since."""
    if known is not None and known.modseq <= modseq:
        changed = entries_since(reader, folder, known.modseq)
        gone = expunged_since(reader, folder, known.modseq)
        if (len(changed) + len(gone)) * CARRIED_OVER_PART < len(known.uids):
            return _carried_over(known, modseq, changed, gone)
    return columns_of(modseq, entries(reader, folder))


def _carried_over(known: Columns, modseq: int, changed: list[Entry], gone: list[int]) -> Columns:
    if gone:
        away = set(gone)
        known = known.pick(place for place, uid in enumerate(known.uids) if uid not in away)
        # `gone` was read later: what changed and then went must not come back, at the end, out of its order.
        changed = [entry for entry in changed if entry.uid not in away]
    uids, bodies, modseqs = known.uids[:], known.bodies[:], known.modseqs[:]
    arrivals, sizes, flags, words = known.arrivals[:], known.sizes[:], bytearray(known.flags), dict(known.words)
    for entry in changed:
        at = known.position(entry.uid)
        if at >= 0:
            flags[at], modseqs[at] = entry.flags, entry.modseq
        else:  # new ones: in order, and beyond all others
            uids.append(entry.uid)
            bodies.append(entry.body)
            flags.append(entry.flags)
            modseqs.append(entry.modseq)
            arrivals.append(entry.arrival)
            sizes.append(entry.size)
        words.pop(entry.uid, None)
        if entry.keywords:
            words[entry.uid] = entry.keywords
    return Columns(modseq, uids, bodies, bytes(flags), words, modseqs, arrivals, sizes)
