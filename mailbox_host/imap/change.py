"""STORE and EXPUNGE (RFC 3501 6.4.3, 6.4.6; UIDPLUS RFC 4315; CONDSTORE RFC 7162).

Law: what this session changes it shows once, here; `refresh` does not tell it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from mailbox_host import entries
from mailbox_host.entries import DELETED, Entry
from mailbox_host.imap import commands as ask
from mailbox_host.imap.commands import Command, UidExpunge
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.keywords import TOO_MANY_KEYWORDS, selected_takes_keywords
from mailbox_host.imap.reading import use_condstore
from mailbox_host.imap.responses import bad, no, ok, split_flags
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import SequenceSet, Span, pack
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import STORE_BATCH_MESSAGES
from mailbox_host.imap.telling import folder_modseq, tell_expunged, tell_flags, tell_keywords
from store import Transaction

READ_ONLY = no("The mailbox is open for reading only", "READ-ONLY")
NO_SUCH_MESSAGE = bad("No such message")


def beyond(selected: Selected, messages: SequenceSet, uid: bool) -> bool:
    """Tell whether a set names message numbers that do not exist (RFC 3501 9, seq-number)."""
    return not uid and messages.highest() > len(selected.uids)


def uid_batches(selected: Selected, spans: Iterable[Span]) -> Iterator[list[int]]:
    """Cut positions into bounded lists of UIDs."""
    pending: list[int] = []
    for start, stop in spans:
        for at in range(start, stop, STORE_BATCH_MESSAGES):
            pending.extend(selected.uids[at : min(stop, at + STORE_BATCH_MESSAGES)])
            if len(pending) >= STORE_BATCH_MESSAGES:
                yield pending
                pending = []
    if pending:
        yield pending


def store(session: Session, command: Command) -> Steps[bytes]:
    arguments = command.arguments
    assert isinstance(arguments, ask.Store) and session.selected is not None
    selected = session.selected
    if selected.read_only:
        return READ_ONLY
    if beyond(selected, arguments.messages, command.uid):
        return NO_SUCH_MESSAGE
    if arguments.operation != "-":
        _, words = split_flags(arguments.flags)
        if not (yield from selected_takes_keywords(session, selected, words)):
            return TOO_MANY_KEYWORDS
    if arguments.unchanged_since is not None:
        yield from use_condstore(session)
    refused: list[int] = []
    for uids in uid_batches(selected, selected.find(arguments.messages, command.uid)):
        refused += yield from _store_batch(session, selected, arguments, uids)
    if refused:
        numbers = refused if command.uid else [selected.position(uid) + 1 for uid in refused]
        return ok("Some were changed by others", f"MODIFIED {pack(numbers).decode()}")
    return ok("Done")


def _store_batch(session: Session, selected: Selected, asked: ask.Store, uids: list[int]) -> Steps[list[int]]:
    bits, keywords = split_flags(asked.flags)
    folder, since, told = selected.folder, asked.unchanged_since, selected.flags_told

    def work(tx: Transaction) -> tuple[list[Entry], list[int], set[int], bool]:
        alone = (folder_modseq(tx, folder) or 0) <= min(told, selected.expunges_told)
        changed_by_others = sorted(_changed(tx, folder, uids, since)) if since is not None else []
        # What others did, and the client has not seen yet, .SILENT must not hide (RFC 3501 6.4.6).
        unseen = _changed(tx, folder, uids, told) if asked.silent and not alone else set()
        wanted = sorted(set(uids).difference(changed_by_others)) if changed_by_others else uids
        stored = entries.store_flags(tx, folder, wanted, asked.operation, bits, keywords)
        return stored, changed_by_others, unseen, alone

    changed, refused, unseen, alone = yield from write(work)
    if alone:  # nobody did anything between what was told and this: told this, the client knows all
        modseq = max((entry.modseq for entry in changed), default=0)
        selected.flags_told = max(selected.flags_told, modseq)
        selected.expunges_told = max(selected.expunges_told, modseq)
    else:
        selected.own.update((entry.uid, entry.modseq) for entry in changed if entry.uid not in unseen)
    yield from tell_keywords(selected, (entry.keywords for entry in changed))
    if not asked.silent:
        yield from tell_flags(session, changed)
    elif b"CONDSTORE" in session.enabled:  # RFC 7162 3.1.3: .SILENT hides the flags, not the MODSEQ
        yield b"".join(_modseq_line(selected, entry) for entry in changed)
    return refused


def _changed(tx: Transaction, folder: int, uids: list[int], modseq: int) -> set[int]:
    return {entry.uid for entry in entries.by_uids(tx, folder, uids) if entry.modseq > modseq}


def _modseq_line(selected: Selected, entry: Entry) -> bytes:
    return b"* %d FETCH (UID %d MODSEQ (%d))\r\n" % (selected.position(entry.uid) + 1, entry.uid, entry.modseq)


def expunge_messages(session: Session, command: Command) -> Steps[bytes]:
    """EXPUNGE and UID EXPUNGE."""
    selected = session.selected
    assert selected is not None
    if selected.read_only:
        return READ_ONLY
    deleted = yield from read(lambda reader: entries.deleted_uids(reader, selected.folder))
    if isinstance(command.arguments, UidExpunge):
        marked = set(deleted)
        spans = selected.find(command.arguments.messages, uid=True)
        deleted = [uid for start, stop in spans for uid in selected.uids[start:stop] if uid in marked]
    for batch in _batches(deleted):
        gone = yield from write(partial(_expunge_deleted, selected.folder, batch))
        yield from tell_expunged(session, gone)
    return ok("Done")


def expunge_silently(folder: int) -> Steps[None]:
    """What CLOSE does: nobody is left to be told."""
    deleted = yield from read(lambda reader: entries.deleted_uids(reader, folder))
    for batch in _batches(deleted):
        yield from write(partial(_expunge_deleted, folder, batch))


def _batches(uids: list[int]) -> Iterator[list[int]]:
    return (uids[at : at + STORE_BATCH_MESSAGES] for at in range(0, len(uids), STORE_BATCH_MESSAGES))


def _expunge_deleted(folder: int, uids: list[int], tx: Transaction) -> list[int]:
    """Of these, what is \\Deleted still: another session may have thought better of it since they were looked for."""
    deleted = [entry.uid for entry in entries.by_uids(tx, folder, uids) if entry.flags & DELETED]
    return entries.expunge(tx, folder, deleted)
