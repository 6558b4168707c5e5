"""QRESYNC: a client that was here before hears only what has changed since (RFC 7162 3.2).

Law: every UID that the client may know of and that is gone is named; one that it still counts in this session is not,
for its VANISHED is yet to come.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

from mailbox_host import entries
from mailbox_host.entries import Entry
from mailbox_host.imap.commands import Resync
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import NUMBER_MAX, SequenceSet, merge, pack
from mailbox_host.imap.session import Session
from mailbox_host.imap.telling import highest, tell_flags, tell_keywords
from store import Reader


def resync(session: Session, selected: Selected, asked: Resync, uidvalidity: int) -> Steps[None]:
    """Answer SELECT (QRESYNC ...). Another UIDVALIDITY: the client knows nothing of this mailbox.

    Others may have gone on since SELECT showed HIGHESTMODSEQ: from there all is told again.
    """
    if asked.uidvalidity != uidvalidity:
        return
    yield from tell_vanished(selected, asked.modseq, asked.known)
    changed = yield from read(partial(_changed, selected, asked), long=True)
    yield from tell_keywords(selected, (entry.keywords for entry in changed))
    yield from tell_flags(session, changed)
    if any(entry.modseq > selected.flags_told for entry in changed):
        yield highest(selected)


def tell_vanished(selected: Selected, modseq: int, among: SequenceSet | None) -> Steps[None]:
    """VANISHED (EARLIER): what is gone since."""
    gone = yield from read(partial(_gone, selected, modseq, among), long=True)
    if gone:
        yield b"* VANISHED (EARLIER) " + gone + b"\r\n"


def _gone(selected: Selected, modseq: int, among: SequenceSet | None, reader: Reader) -> bytes:
    gone = entries.expunged_since(reader, selected.folder, modseq)
    known = _Known(among, max([selected.last_uid, *gone[-1:]]))
    return pack(uid for uid in gone if uid in known and selected.position(uid) < 0)


def _changed(selected: Selected, asked: Resync, reader: Reader) -> list[Entry]:
    known = _Known(asked.known, selected.last_uid)
    return [entry for entry in entries.entries_since(reader, selected.folder, asked.modseq) if entry.uid in known]


class _Known:
    """The UIDs that the client speaks of, each found in a few steps, however many ranges it has written."""

    def __init__(self, among: SequenceSet | None, last: int) -> None:
        ranges = among.ranges if among else ((1, NUMBER_MAX),)
        pairs = ((low or last, high or last) for low, high in ranges)
        spans = merge((min(pair), max(pair) + 1) for pair in pairs)
        self._starts = [start for start, _ in spans]
        self._stops = [stop for _, stop in spans]

    def __contains__(self, uid: int) -> bool:
        at = bisect_right(self._starts, uid)
        return at > 0 and uid < self._stops[at - 1]
