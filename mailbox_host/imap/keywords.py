"""How many keywords a mailbox may hold.

Law: every SELECT tells of every keyword in the mailbox (RFC 3501 7.2.6), so that their number has a limit.
"""

from __future__ import annotations

from collections.abc import Collection

from mailbox_host.columns import Columns
from mailbox_host.imap.effects import Steps
from mailbox_host.imap.reading import columns_now, read_columns
from mailbox_host.imap.responses import no
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import KEYWORDS_PER_MAILBOX_MAX

TOO_MANY_KEYWORDS = no("Too many keywords in that mailbox", "LIMIT")


def takes_keywords(session: Session, folder: int, modseq: int, words: Collection[str]) -> Steps[bool]:
    """Tell whether a mailbox, as it was read at this modseq, has room for these keywords."""
    wanted = {word.lower() for word in words}
    if not wanted:
        return True
    columns = yield from read_columns(session, folder, modseq)
    return _takes(session, folder, columns, words)


def selected_takes_keywords(session: Session, selected: Selected, words: Collection[str]) -> Steps[bool]:
    """The same of the selected mailbox."""
    wanted = {word.lower() for word in words}
    if wanted <= {word.lower() for word in selected.keywords}:  # the usual case: the client was told of them
        return True
    columns = yield from columns_now(session, selected)
    return _takes(session, selected.folder, columns, words)


def _takes(session: Session, folder: int, columns: Columns, words: Collection[str]) -> bool:
    taken = _has_room(columns, {word.lower() for word in words})
    if taken:
        session.shelf.keywords(folder, words)
    return taken


def _has_room(columns: Columns, wanted: set[str]) -> bool:
    there = {word for words in set(columns.words.values()) for word in words.lower().split()}
    return wanted <= there or len(there | wanted) <= KEYWORDS_PER_MAILBOX_MAX
