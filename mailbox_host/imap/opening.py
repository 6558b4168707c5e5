"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691).

Law: UIDs that are made lazily are stored before they are shown.
"""

from __future__ import annotations

from mailbox_host import folders
from mailbox_host.folders import Folder
from mailbox_host.imap.catching_up import catch_up
from mailbox_host.imap.change import expunge_silently
from mailbox_host.imap.commands import Command, Open
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.mailboxes import mailbox_id
from mailbox_host.imap.naming import list_line
from mailbox_host.imap.reading import read_columns
from mailbox_host.imap.responses import bad, no, ok, untagged
from mailbox_host.imap.resync import resync
from mailbox_host.imap.selected import COMMON_KEYWORDS, Selected, flag_names, flags_line
from mailbox_host.imap.session import Session
from store import StoreFull


def select(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Open)
    read_only = command.name == "EXAMINE" or bool(session.away)
    if command.arguments.condstore:
        session.enabled.add(b"CONDSTORE")
    if command.arguments.resync and b"QRESYNC" not in session.enabled:
        return bad("ENABLE QRESYNC first")  # RFC 7162 3.2.5
    if session.selected:
        yield untagged(ok("Previous mailbox closed", "CLOSED"))  # RFC 7162 3.2.11
        session.selected = None
    name = command.arguments.mailbox
    account = session.account
    yield from catch_up(session)
    folder = yield from read(lambda reader: folders.find_folder(reader, account, name))
    if folder is None:
        return no("No such mailbox", "NONEXISTENT")
    columns = yield from read_columns(session, folder.id, folder.modseq)
    selected = Selected(folder.id, folder.name, columns.uids, folder.modseq, read_only)
    session.told_at = -1
    book = session.recents
    if not (session.rev2 or session.away):  # which have no \\Recent, and take it from nobody
        selected.add_recent((book.peek if read_only else book.claim)(folder.id, selected.last_uid))
    words = {word for line in set(columns.words.values()) for word in line.split()}
    selected.keywords = {*COMMON_KEYWORDS, *session.shelf.keywords(folder.id, words)}
    session.selected = selected
    yield _described(session, selected, folder, columns.counts().first_unseen_uid)
    if session.rev2:
        yield list_line(session, folder.name, name, folder.special_use)
    if command.arguments.resync:
        yield from resync(session, selected, command.arguments.resync, folder.uidvalidity)
    return ok("Done", "READ-ONLY" if read_only else "READ-WRITE")


def _described(session: Session, selected: Selected, folder: Folder, first_unseen_uid: int) -> bytes:
    lines = [flags_line(selected.keywords), b"%d EXISTS" % len(selected.uids)]
    if not session.rev2:
        lines.append(b"%d RECENT" % selected.recent_count())
    permanent = "" if selected.read_only else " ".join([flag_names(selected.keywords), "\\*"])
    lines.append(ok("Flags", f"PERMANENTFLAGS ({permanent})"))
    unseen = selected.position(first_unseen_uid) if first_unseen_uid else -1
    if unseen >= 0 and not session.rev2:
        lines.append(ok("First unseen", f"UNSEEN {unseen + 1}"))
    uidnext = max(folder.uidnext, selected.last_uid + 1)
    lines.append(ok("UIDs valid", f"UIDVALIDITY {folder.uidvalidity}"))
    lines.append(ok("Next UID", f"UIDNEXT {uidnext}"))
    lines.append(ok("Highest", f"HIGHESTMODSEQ {max(1, folder.modseq)}"))
    lines.append(ok("Id", f"MAILBOXID ({mailbox_id(folder)})"))
    return b"".join(untagged(line) for line in lines)


def close(session: Session, command: Command) -> Steps[bytes]:
    """Expunge silently, then leave (RFC 3501 6.4.2)."""
    selected = session.selected
    assert selected is not None
    session.selected = None
    if not selected.read_only:
        try:
            yield from expunge_silently(selected.folder)
        except StoreFull:  # CLOSE has no NO: the mailbox is left all the same, and what is \\Deleted stays so
            yield untagged(no("Nothing can be stored here now, deleted messages stay", "UNAVAILABLE"))
    return ok("Done")


def unselect(session: Session, command: Command) -> Steps[bytes]:
    yield b""
    session.selected = None
    return ok("Done")
