"""Entries as they are read: what a folder shows.

Law: entries come in order of UID; a reader never sees a UID that is not stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from store import Reader, Transaction

SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16

_COLUMNS = "uid, body, flags, keywords, modseq, arrival, size"


class Entry(NamedTuple):
    """One message in a folder. `flags` are bits, `keywords` words with spaces between them; `arrival` is INTERNALDATE.

    A tuple, because a SELECT of 100,000 messages makes as many of them.
    """

    uid: int
    body: int
    flags: int
    keywords: str
    modseq: int
    arrival: float
    size: int


def entries(source: Reader | Transaction, folder_id: int) -> list[Entry]:
    """Return all entries of a folder."""
    return _read(source, "folder = ? ORDER BY uid", (folder_id,))


def entries_since(source: Reader | Transaction, folder_id: int, modseq: int) -> list[Entry]:
    """Return the entries that were made or changed after `modseq`."""
    found = _read(source, "folder = ? AND modseq > ?", (folder_id, modseq))
    found.sort()
    return found


def by_uids(source: Reader | Transaction, folder_id: int, uids: Iterable[int]) -> list[Entry]:
    """Return those of these entries that exist."""
    wanted = json.dumps(list(uids))
    return _read(source, "folder = ? AND uid IN (SELECT value FROM json_each(?)) ORDER BY uid", (folder_id, wanted))


def uids(source: Reader | Transaction, folder_id: int) -> list[int]:
    """Return the UIDs of a folder."""
    return [row[0] for row in source.all("SELECT uid FROM entry WHERE folder = ? ORDER BY uid", (folder_id,))]


def deleted_uids(source: Reader | Transaction, folder_id: int) -> list[int]:
    """Return the UIDs that carry \\Deleted."""
    sql = "SELECT uid FROM entry WHERE folder = ? AND flags & ? ORDER BY uid"
    return [row[0] for row in source.all(sql, (folder_id, DELETED))]


def count_after(source: Reader | Transaction, folder_id: int, uid: int) -> int:
    """Count the entries with a higher UID."""
    row = source.one("SELECT count(*) FROM entry WHERE folder = ? AND uid > ?", (folder_id, uid))
    return int(row[0]) if row else 0


def keywords_in_use(source: Reader | Transaction, folder_id: int) -> set[str]:
    """Return every keyword that some entry of the folder carries."""
    rows = source.all("SELECT DISTINCT keywords FROM entry WHERE folder = ? AND keywords <> ''", (folder_id,))
    return {word for row in rows for word in row[0].split()}


def expunged_since(source: Reader | Transaction, folder_id: int, modseq: int) -> list[int]:
    """Return the UIDs that went after `modseq`, in order. Where the folder has forgotten some of them, all that it does
    not have (RFC 7162 3.2.5.1): callers pass over those that they never knew."""
    row = source.one("SELECT uidnext FROM folder WHERE id = ? AND forgotten > ?", (folder_id, modseq))
    if row:
        there = set(uids(source, folder_id))
        return [uid for uid in range(1, row[0]) if uid not in there]
    rows = source.all("SELECT uid FROM expunged WHERE folder = ? AND modseq > ?", (folder_id, modseq))
    return sorted(row[0] for row in rows)


def _read(source: Reader | Transaction, where: str, values: tuple[object, ...]) -> list[Entry]:
    return [Entry._make(row) for row in source.all(f"SELECT {_COLUMNS} FROM entry WHERE {where}", values)]
