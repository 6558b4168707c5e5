"""Reading the selected mailbox as columns, from the shelf where it stands still.

Law: what a client knows of is aligned here with what is stored: a message that is gone has no row.
"""

from __future__ import annotations

from functools import partial

from mailbox_host.columns import Columns
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import INLINE_MESSAGES_MAX
from mailbox_host.imap.telling import highest
from store import Reader


def read_columns(session: Session, folder: int, modseq: int) -> Steps[Columns]:
    """Read a folder that was just seen at this modseq."""
    long = not session.shelf.has(folder, modseq)
    columns = yield from read(partial(_columns, session, folder, modseq), long)
    return columns


def _columns(session: Session, folder: int, modseq: int, reader: Reader) -> Columns:
    return session.shelf.columns(reader, folder, modseq)


def columns_now(session: Session, selected: Selected) -> Steps[Columns]:
    """Read the selected mailbox as it is now."""
    row = yield from read(lambda reader: reader.one("SELECT modseq FROM folder WHERE id = ?", (selected.folder,)))
    return (yield from read_columns(session, selected.folder, row[0] if row else 0))


def use_condstore(session: Session) -> Steps[None]:
    """The client asks for CONDSTORE by using it: from now on changes come with MODSEQ (RFC 7162 3.1.2). It is told
    how far it has been told all, no more."""
    if b"CONDSTORE" in session.enabled:
        return
    session.enabled.add(b"CONDSTORE")
    if session.selected:
        yield highest(session.selected)


def rows_of(selected: Selected, columns: Columns, places: list[int] | range) -> tuple[Columns, list[int] | range]:
    """Return what is stored of the messages at these places, and the places of those that are still there."""
    if isinstance(places, range) and places.stop <= len(columns.uids):
        start, stop = places.start, places.stop
        if columns.uids[start:stop] == selected.uids[start:stop]:  # the usual case: nobody else expunged anything
            return columns.slice(start, stop), places
    found = [(place, columns.position(selected.uids[place])) for place in places]
    there = [(place, at) for place, at in found if at >= 0]
    return columns.pick(at for _, at in there), [place for place, _ in there]


def aligned(selected: Selected, columns: Columns) -> Steps[tuple[Columns, list[int] | range]]:
    """The same of all messages. Where others have expunged some that the client still counts, each is looked for: of a
    large mailbox not on the event loop."""
    places = range(len(selected.uids))
    long = columns.uids != selected.uids and len(places) > INLINE_MESSAGES_MAX
    return (yield from read(lambda reader: rows_of(selected, columns, places), long))
