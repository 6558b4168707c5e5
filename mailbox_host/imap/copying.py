"""COPY and MOVE (RFC 3501 6.4.7; MOVE RFC 6851; UIDPLUS RFC 4315).

Law: all of a COPY, or none of it. The writer is everybody's, so that a large mailbox goes in slices: what a COPY has
made before one of them failed is taken back, and one that has begun is finished though the host stops; of a MOVE each
message is here or there, and what has moved is told.
"""

from __future__ import annotations

from functools import partial

from mailbox_host import entries, folders, quota
from mailbox_host.folders import Folder
from mailbox_host.imap.change import NO_SUCH_MESSAGE, READ_ONLY, beyond
from mailbox_host.imap.commands import Command, Copy
from mailbox_host.imap.effects import Steps, read, whole, write
from mailbox_host.imap.filing import TRY_CREATE
from mailbox_host.imap.keywords import TOO_MANY_KEYWORDS, takes_keywords
from mailbox_host.imap.reading import columns_now
from mailbox_host.imap.responses import ok, untagged
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import pack_ordered
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import COPY_BATCH_MESSAGES
from mailbox_host.imap.telling import tell_expunged
from mailbox_host.quota import Quota
from store import Transaction

Pairs = list[tuple[int, int]]  # UIDs: there before, and where it is now


def copy_or_move(session: Session, command: Command) -> Steps[bytes]:
    asked, selected, account = command.arguments, session.selected, session.account
    assert isinstance(asked, Copy) and selected is not None
    moving = command.name == "MOVE"
    if moving and selected.read_only:
        return READ_ONLY
    if beyond(selected, asked.messages, command.uid):
        return NO_SUCH_MESSAGE
    target = yield from read(lambda reader: folders.find_folder(reader, account, asked.mailbox))
    if target is None:
        return TRY_CREATE
    uids = [uid for start, stop in selected.find(asked.messages, command.uid) for uid in selected.uids[start:stop]]
    columns = yield from columns_now(session, selected)
    words = {word for line in {columns.words.get(uid, "") for uid in uids} for word in line.split()}
    if not (yield from takes_keywords(session, target.id, target.modseq, words)):
        return TOO_MANY_KEYWORDS
    if moving:
        pairs = yield from _move(session, selected, target, uids)
    else:
        pairs = yield from whole(_copy(session, selected, target, uids))
    if not pairs:
        return ok("There was nothing to do")
    return ok("Done") if moving else ok("Done", _copied(target, pairs))


def _copy(session: Session, selected: Selected, target: Folder, uids: list[int]) -> Steps[Pairs]:
    pairs: Pairs = []
    limits, account, now = session.settings.quota, session.account, session.clock()
    try:
        for some in _slices(uids):
            pairs += yield from write(partial(_copy_slice, account, selected.folder, some, target.id, now, limits))
    except Exception:
        for some in _slices([new for _, new in pairs]):
            yield from write(partial(_take_back, target.id, some))
        raise
    return pairs


def _copy_slice(
    account: str, folder: int, uids: list[int], target: int, now: float, limits: Quota, tx: Transaction
) -> Pairs:
    found = entries.by_uids(tx, folder, uids)
    quota.check_room(tx, account, sum(entry.size for entry in found), len(found), limits)
    return entries.copy(tx, folder, uids, target, now)


def _take_back(folder: int, uids: list[int], tx: Transaction) -> None:
    entries.expunge(tx, folder, uids)


def _move(session: Session, selected: Selected, target: Folder, uids: list[int]) -> Steps[Pairs]:
    pairs: Pairs = []
    now = session.clock()
    try:
        for some in _slices(uids):
            pairs += yield from write(partial(_move_slice, selected.folder, some, target.id, now))
    except Exception:
        yield from _tell_moved(session, target, pairs)
        raise
    yield from _tell_moved(session, target, pairs)
    return pairs


def _tell_moved(session: Session, target: Folder, pairs: Pairs) -> Steps[None]:
    if pairs:  # RFC 6851 4.3: before the EXPUNGEs
        yield untagged(ok("Moved", _copied(target, pairs)))
        yield from tell_expunged(session, [old for old, _ in pairs])


def _move_slice(folder: int, uids: list[int], target: int, now: float, tx: Transaction) -> Pairs:
    return entries.move(tx, folder, uids, target, now)  # no look at the quota: what there is does not become more


def _slices(uids: list[int]) -> list[list[int]]:
    return [uids[at : at + COPY_BATCH_MESSAGES] for at in range(0, len(uids), COPY_BATCH_MESSAGES)]


def _copied(target: Folder, pairs: Pairs) -> str:
    old = pack_ordered(old for old, _ in pairs).decode()
    new = pack_ordered(new for _, new in pairs).decode()
    return f"COPYUID {target.uidvalidity} {old} {new}"
