"""Telling a client what others did to the mailbox that it has selected.

Law: an EXPUNGE is sent only where RFC 3501 7.4.1 allows one; nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from mailbox_host import entries
from mailbox_host.entries import Entry
from mailbox_host.imap.catching_up import catch_up
from mailbox_host.imap.effects import Close, Steps, read
from mailbox_host.imap.responses import flags, ok, untagged
from mailbox_host.imap.selected import Selected, flags_line
from mailbox_host.imap.sequence import pack
from mailbox_host.imap.session import Session
from store import Reader, Transaction

T = TypeVar("T")

LINES_AT_ONCE = 1000  # untagged lines in one piece of output


def refresh(session: Session, *, expunges: bool) -> Steps[None]:
    """Tell the client what changed since it was last told; first file what its sources have posted."""
    selected = session.selected
    assert selected is not None
    counting = b"QRESYNC" in session.enabled
    commits = yield from read(Reader.count_commits)
    if commits == session.told_at and not counting:
        return
    yield from catch_up(session)
    modseq = yield from read(lambda reader: folder_modseq(reader, selected.folder))
    if modseq is None:
        session.ended = True
        yield untagged(b"BYE The selected mailbox was deleted")
        yield Close()
    elif modseq > min(selected.flags_told, selected.expunges_told):
        yield from _tell(session, selected, modseq, expunges)
        if counting:
            yield highest(selected)
    if modseq is not None and selected.expunges_told == modseq:
        session.told_at = commits


def highest(selected: Selected) -> bytes:
    """From where a client may resume (RFC 7162 3.2.7). It may have seen a higher MODSEQ, of a message that changed
    after another went whose EXPUNGE has to wait: resuming from there, it would never hear of the EXPUNGE."""
    return untagged(ok("Highest", f"HIGHESTMODSEQ {max(1, min(selected.flags_told, selected.expunges_told))}"))


def folder_modseq(source: Reader | Transaction, folder: int) -> int | None:
    row = source.one("SELECT modseq FROM folder WHERE id = ?", (folder,))
    return int(row[0]) if row else None


def _tell(session: Session, selected: Selected, modseq: int, expunges: bool) -> Steps[None]:
    if expunges and modseq > selected.expunges_told:
        since = selected.expunges_told
        many = yield from read(lambda reader: _is_much(reader, "expunged", selected.folder, since))
        gone = yield from read(lambda reader: entries.expunged_since(reader, selected.folder, since), many)
        selected.expunges_told = modseq
        yield from tell_expunged(session, gone)
    if modseq > selected.flags_told:
        since = selected.flags_told
        many = yield from read(lambda reader: _is_much(reader, "entry", selected.folder, since))
        changed = yield from read(lambda reader: entries.entries_since(reader, selected.folder, since), many)
        selected.flags_told = modseq
        yield from _tell_entries(session, selected, changed)


def _is_much(reader: Reader, table: str, folder: int, since: int) -> bool:
    """Tell whether so much has changed that it is not read on the event loop: another session changed all, say, or the
    folder has forgotten what went."""
    row = reader.one(
        f"SELECT 1 FROM {table} WHERE folder = ?1 AND modseq > ?2 LIMIT 1 OFFSET {LINES_AT_ONCE}", (folder, since)
    )
    return (
        row is not None
        or reader.one("SELECT 1 FROM folder WHERE id = ? AND forgotten > ?", (folder, since)) is not None
    )


def tell_expunged(session: Session, gone: Sequence[int]) -> Steps[None]:
    """EXPUNGE lines for UIDs that are gone; one VANISHED line for who knows the word (RFC 7162 3.2.10)."""
    selected = session.selected
    assert selected is not None
    if b"QRESYNC" in session.enabled:
        known = [uid for uid in sorted(gone) if selected.position(uid) >= 0]
        selected.remove(known)
        if known:
            yield b"* VANISHED " + pack(known) + b"\r\n"
        return
    for number_lines in _batched(selected.remove(gone)):
        yield b"".join(b"* %d EXPUNGE\r\n" % number for number in number_lines)


def _tell_entries(session: Session, selected: Selected, changed: list[Entry]) -> Steps[None]:
    last = selected.last_uid
    fresh = sorted(entry.uid for entry in changed if entry.uid > last)
    yield from tell_keywords(selected, (entry.keywords for entry in changed))
    if fresh:
        yield from _tell_new(session, selected, fresh)
    own, selected.own = selected.own, {}
    old = [entry for entry in changed if entry.uid <= last and own.get(entry.uid) != entry.modseq]
    yield from tell_flags(session, old)


def _tell_new(session: Session, selected: Selected, fresh: list[int]) -> Steps[None]:
    selected.uids.extend(fresh)
    yield b"* %d EXISTS\r\n" % len(selected.uids)
    if not session.rev2:
        book = session.recents
        selected.add_recent((book.peek if selected.read_only else book.claim)(selected.folder, selected.last_uid))
        yield b"* %d RECENT\r\n" % selected.recent_count()


def tell_flags(session: Session, changed: Sequence[Entry]) -> Steps[None]:
    """FETCH lines with the flags as they now are."""
    selected = session.selected
    assert selected is not None
    with_modseq = b"CONDSTORE" in session.enabled
    for batch in _batched(changed):
        yield b"".join(_flags_line(selected, entry, with_modseq) for entry in batch)


def _flags_line(selected: Selected, entry: Entry, with_modseq: bool) -> bytes:
    place = selected.position(entry.uid)
    if place < 0:
        return b""
    modseq = b" MODSEQ (%d)" % entry.modseq if with_modseq else b""
    shown = flags(entry.flags, entry.keywords, selected.is_recent(entry.uid))
    return b"* %d FETCH (UID %d FLAGS %b%b)\r\n" % (place + 1, entry.uid, shown, modseq)


def tell_keywords(selected: Selected, texts: Iterable[str]) -> Steps[None]:
    """A FLAGS line where a keyword is new to the client (RFC 3501 7.2.6)."""
    fresh = {word for text in set(texts) for word in text.split()} - selected.keywords
    if fresh:
        selected.keywords |= fresh
        yield untagged(flags_line(selected.keywords))


def _batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), LINES_AT_ONCE):
        yield items[start : start + LINES_AT_ONCE]
