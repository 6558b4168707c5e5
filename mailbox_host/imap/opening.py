"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691).

Law: UIDs that are made lazily are stored before they are shown.
"""

from __future__ import annotations

from mailbox_host import entries, folders
from mailbox_host.folders import Counts, Folder
from mailbox_host.imap.catching_up import catch_up
from mailbox_host.imap.commands import Command, Open
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.responses import SYSTEM_FLAG_NAMES, no, ok, untagged
from mailbox_host.imap.selected import Selected, flags_line
from mailbox_host.imap.session import Session
from store import Reader


def select(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Open)
    read_only = command.name == "EXAMINE"
    if command.arguments.condstore:
        session.enabled.add(b"CONDSTORE")
    if session.selected:
        yield untagged(ok("Previous mailbox closed", "CLOSED"))  # RFC 7162 3.2.11
        session.selected = None
    name = command.arguments.mailbox
    account = session.account
    yield from catch_up(session)
    found = yield from read(lambda reader: _open(reader, account, name), long=True)
    if found is None:
        return no("No such mailbox", "NONEXISTENT")
    folder, uids, counts, keywords = found
    selected = Selected(folder.id, folder.name, uids, folder.modseq, read_only)
    book = session.recents
    selected.add_recent((book.peek if read_only else book.claim)(folder.id, selected.last_uid))
    selected.keywords = keywords
    session.selected = selected
    yield _described(selected, folder, counts)
    return ok("Done", "READ-ONLY" if read_only else "READ-WRITE")


def _open(reader: Reader, account: str, name: str) -> tuple[Folder, list[int], Counts, set[str]] | None:
    """Read a folder and what is in it. Its modseq comes first: what changes meanwhile is told twice, harmlessly."""
    folder = folders.find_folder(reader, account, name)
    if folder is None:
        return None
    uids = entries.uids(reader, folder.id)
    return folder, uids, folders.counts(reader, folder.id), entries.keywords_in_use(reader, folder.id)


def _described(selected: Selected, folder: Folder, counts: Counts) -> bytes:
    lines = [
        flags_line(selected.keywords),
        b"%d EXISTS" % len(selected.uids),
        b"%d RECENT" % selected.recent_count(),
    ]
    permanent = "" if selected.read_only else f"{SYSTEM_FLAG_NAMES.decode()} \\*"
    lines.append(ok("Flags", f"PERMANENTFLAGS ({permanent})"))
    unseen = selected.position(counts.first_unseen_uid) if counts.first_unseen_uid else -1
    if unseen >= 0:
        lines.append(ok("First unseen", f"UNSEEN {unseen + 1}"))
    uidnext = max(folder.uidnext, selected.last_uid + 1)
    lines.append(ok("UIDs valid", f"UIDVALIDITY {folder.uidvalidity}"))
    lines.append(ok("Next UID", f"UIDNEXT {uidnext}"))
    lines.append(ok("Highest", f"HIGHESTMODSEQ {max(1, folder.modseq)}"))
    return b"".join(untagged(line) for line in lines)


def close(session: Session, command: Command) -> Steps[bytes]:
    """Expunge silently, then leave (RFC 3501 6.4.2)."""
    selected = session.selected
    assert selected is not None
    session.selected = None
    if not selected.read_only:
        folder = selected.folder
        deleted = yield from read(lambda reader: entries.deleted_uids(reader, folder))
        if deleted:
            yield from write(lambda tx: entries.expunge(tx, folder, deleted, session.clock()))
    return ok("Done")


def unselect(session: Session, command: Command) -> Steps[bytes]:
    yield b""
    session.selected = None
    return ok("Done")
