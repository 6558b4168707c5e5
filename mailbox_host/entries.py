"""Entries: the messages in a folder. What the IMAP server and the room use of them, in one place.

Law: as in the modules behind it: entry (reading), flags (STORE), refiling (APPEND, COPY, MOVE, EXPUNGE).
"""

from mailbox_host.entry import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    Entry,
    by_uids,
    count_after,
    deleted_uids,
    entries,
    entries_since,
    expunged_since,
    keywords_in_use,
    uids,
)
from mailbox_host.flags import TooManyKeywords, store_flags
from mailbox_host.refiling import FolderUsedUp, append, copy, expunge, move

__all__ = [
    "ANSWERED",
    "DELETED",
    "DRAFT",
    "FLAGGED",
    "SEEN",
    "Entry",
    "FolderUsedUp",
    "TooManyKeywords",
    "append",
    "by_uids",
    "copy",
    "count_after",
    "deleted_uids",
    "entries",
    "entries_since",
    "expunge",
    "expunged_since",
    "keywords_in_use",
    "move",
    "store_flags",
    "uids",
]
