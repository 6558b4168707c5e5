"""QRESYNC: a client that was here before hears only what has changed since (RFC 7162 3.2).

Law: every UID that the client may know of and that is gone is named; one that it still counts in this session is not,
for its VANISHED is yet to come.
"""

from __future__ import annotations

from mailbox_host import entries
from mailbox_host.imap.commands import Resync
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import SequenceSet, pack
from mailbox_host.imap.session import Session
from mailbox_host.imap.telling import tell_flags


def resync(session: Session, selected: Selected, asked: Resync, uidvalidity: int) -> Steps[None]:
    """Answer SELECT (QRESYNC ...). Another UIDVALIDITY: the client knows nothing of this mailbox."""
    if asked.uidvalidity != uidvalidity:
        return
    yield from tell_vanished(selected, asked.modseq, asked.known)
    changed = yield from read(lambda reader: entries.entries_since(reader, selected.folder, asked.modseq), long=True)
    last = selected.last_uid
    yield from tell_flags(session, [entry for entry in changed if _holds(asked.known, entry.uid, last)])


def tell_vanished(selected: Selected, modseq: int, among: SequenceSet | None) -> Steps[None]:
    """VANISHED (EARLIER): what is gone since."""
    gone = yield from read(lambda reader: entries.expunged_since(reader, selected.folder, modseq), long=True)
    last = max([selected.last_uid, *gone[-1:]])
    told = [uid for uid in gone if _holds(among, uid, last) and selected.position(uid) < 0]
    if told:
        yield b"* VANISHED (EARLIER) " + pack(told) + b"\r\n"


def _holds(among: SequenceSet | None, uid: int, last: int) -> bool:
    if among is None:
        return True
    pairs = ((low or last, high or last) for low, high in among.ranges)
    return any(min(pair) <= uid <= max(pair) for pair in pairs)
