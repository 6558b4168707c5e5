"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 6.3).

Law: what a name may be, the folders know; here only what IMAP adds to it.
"""

from __future__ import annotations

from functools import partial

from mailbox_host import entries, folders
from mailbox_host.folder_names import canonical
from mailbox_host.folders import Folder
from mailbox_host.imap.catching_up import catch_up
from mailbox_host.imap.commands import Command, Create, OnMailbox, Rename, Status
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.naming import tell_name
from mailbox_host.imap.reading import use_condstore
from mailbox_host.imap.responses import mailbox, no, ok, untagged
from mailbox_host.imap.session import Session
from store import Reader

SPECIAL_USES = frozenset({"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"})  # RFC 6154 2, the real ones


def create(session: Session, command: Command) -> Steps[bytes]:
    arguments = command.arguments
    assert isinstance(arguments, Create)
    account, now = session.account, session.clock()
    if len(arguments.special_uses) > 1 or not SPECIAL_USES.issuperset(arguments.special_uses):
        return no("No mailbox can be that here", "USEATTR")
    use = "".join(arguments.special_uses)
    made = yield from write(lambda tx: folders.create_folder(tx, account, arguments.mailbox, now, use))
    yield from tell_name(session, made.name, arguments.mailbox)
    return ok("Done", f"MAILBOXID ({mailbox_id(made)})")


def delete(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, OnMailbox)
    account, name = session.account, command.arguments.mailbox
    if name == "INBOX":
        return no("INBOX stays", "CANNOT")
    folder = yield from read(lambda reader: folders.find_folder(reader, account, name))
    yield from write(lambda tx: folders.delete_folder(tx, account, name))
    if session.selected and folder and session.selected.folder == folder.id:  # others that have it open are told BYE
        session.selected = None
        yield untagged(ok("Mailbox closed", "CLOSED"))
    yield from tell_name(session, canonical(name), name, "\\NonExistent")
    return ok("Done")


def rename(session: Session, command: Command) -> Steps[bytes]:
    arguments = command.arguments
    assert isinstance(arguments, Rename)
    account, now = session.account, session.clock()
    yield from catch_up(session)  # RENAME INBOX moves what is in it, and that includes what was posted
    yield from write(lambda tx: folders.rename_folder(tx, account, arguments.old, arguments.new, now))
    old, new = canonical(arguments.old), canonical(arguments.new)
    if (old, new) != (arguments.old, arguments.new):
        yield from tell_name(session, new, arguments.old)
    return ok("Done")


def subscribe(session: Session, command: Command) -> Steps[bytes]:
    """SUBSCRIBE and UNSUBSCRIBE."""
    assert isinstance(command.arguments, OnMailbox)
    account, name = session.account, command.arguments.mailbox
    yield from write(lambda tx: folders.set_subscribed(tx, account, name, command.name == "SUBSCRIBE"))
    yield from tell_name(session, canonical(name), name)
    return ok("Done")


def status(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Status)
    account, name, items = session.account, command.arguments.mailbox, command.arguments.items
    yield from catch_up(session)
    folder = yield from read(lambda reader: folders.find_folder(reader, account, name))
    if folder is None:
        return no("No such mailbox", "NONEXISTENT")
    if b"HIGHESTMODSEQ" in items:
        yield from use_condstore(session)  # RFC 7162 3.1
    yield from tell_status(session, folder, items)
    return ok("Done")


def tell_status(session: Session, folder: Folder, items: tuple[bytes, ...]) -> Steps[None]:
    """The untagged STATUS line."""
    long = session.shelf.counts_long(folder) or b"DELETED-STORAGE" in items
    values = yield from read(partial(_values, session, folder, frozenset(items)), long)
    pairs = b" ".join([b"%b %b" % (item, values[item].encode()) for item in items])
    yield untagged(b"STATUS " + mailbox(folder.name, session.utf8) + b" (" + pairs + b")")


def _values(session: Session, folder: Folder, items: frozenset[bytes], reader: Reader) -> dict[bytes, str]:
    numbers = _numbers(session, folder, items, reader)
    return {b"MAILBOXID": f"({mailbox_id(folder)})"} | {item: str(number) for item, number in numbers.items()}


def mailbox_id(folder: Folder) -> str:
    """RFC 8474 4: it stays with the mailbox through renames, and is never used again."""
    return f"F{folder.id}"


def _numbers(session: Session, folder: Folder, items: frozenset[bytes], reader: Reader) -> dict[bytes, int]:
    values = {b"UIDNEXT": folder.uidnext, b"UIDVALIDITY": folder.uidvalidity, b"HIGHESTMODSEQ": max(1, folder.modseq)}
    if b"DELETED-STORAGE" in items:  # RFC 9208 4.1.4
        values[b"DELETED-STORAGE"] = folders.deleted_storage(reader, folder.id)
    values[b"APPENDLIMIT"] = session.settings.message_octets_max
    if items - values.keys() - {b"MAILBOXID"}:
        counts = session.shelf.counts(reader, folder)
        values |= {b"MESSAGES": counts.messages, b"UNSEEN": counts.unseen, b"SIZE": counts.size}
        values[b"DELETED"] = counts.deleted
    if b"RECENT" in items:
        after, _ = session.recents.peek(folder.id, folder.uidnext - 1)
        values[b"RECENT"] = 0 if session.rev2 or session.away else entries.count_after(reader, folder.id, after)
    return values
