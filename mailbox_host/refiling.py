"""Entries made, copied, moved and expunged.

Law: every entry holds one reference to its body. A post's (account, source, post) stays with one entry: a move takes
it along, a copy leaves it, and after an expunge `had_post` remembers it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mailbox_host import alone
from mailbox_host.accounts import account_id
from mailbox_host.entry import Entry
from mailbox_host.flags import keywords_text
from mailbox_host.folder_names import FolderError, NoSuchFolder
from mailbox_host.quota import count
from store import Bodies, Transaction

UID_MAX = 2**32 - 1  # RFC 3501 9: nz-number

_INSERT = """
    INSERT INTO entry (folder, uid, modseq, saved, account, source, post, body, size, flags, keywords, arrival)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PICK = "SELECT uid, account, source, post, body, size, flags, keywords, arrival FROM entry WHERE folder = ?1"
_THESE = " AND uid IN (SELECT value FROM json_each(?2)) ORDER BY uid"


class FolderUsedUp(FolderError):
    """The folder has given its last UID."""


def insert(
    tx: Transaction, folder_id: int, rows: Sequence[tuple[Any, ...]], saved: float | None = None
) -> tuple[int, int]:
    """Put rows (account, source, post, body, size, flags, keywords, arrival) into a folder, under one modseq; return
    (first uid, modseq). `saved`: the time, where that is not their arrival. The caller has counted the bodies'
    references, and what counts against the quota."""
    row = tx.one(
        "UPDATE folder SET uidnext = uidnext + ?, modseq = modseq + 1 WHERE id = ? RETURNING uidnext, modseq",
        (len(rows), folder_id),
    )
    if row is None:
        raise NoSuchFolder("the folder is gone")
    uidnext, modseq = int(row[0]), int(row[1])
    if uidnext > UID_MAX:
        raise FolderUsedUp("the folder has used up its UIDs: make a new one")
    alone.check(tx, folder_id, uidnext)
    first = uidnext - len(rows)
    tx.executemany(_INSERT, [(folder_id, first + place, modseq, saved, *row) for place, row in enumerate(rows)])
    return first, modseq


def append(
    tx: Transaction,
    account: str,
    folder_id: int,
    content: bytes,
    flags: int,
    keywords: frozenset[str],
    arrival: float,
    saved: float | None = None,
) -> Entry:
    """File a message that the account's owner brought. Raise NoSuchFolder, TooManyKeywords."""
    body = Bodies.keep(tx, content)
    words = keywords_text(keywords)
    owner = account_id(tx, account)
    uid, modseq = insert(tx, folder_id, [(owner, None, None, body, len(content), flags, words, arrival)], saved)
    count(tx, owner, len(content), 1)
    return Entry(uid, body, flags, words, modseq, arrival, len(content))


def file_one(
    tx: Transaction, account: int, folder_id: int, body: int, size: int, arrival: float, post: tuple[str, int] | None
) -> int:
    """File a stored message, sharing its body; `post` is (source, number). Return the UID."""
    Bodies.share(tx, body)
    source, number = post or (None, None)
    if post is None:
        count(tx, account, size, 1)
    return insert(tx, folder_id, [(account, source, number, body, size, 0, "", arrival)])[0]


def copy(tx: Transaction, folder_id: int, uids: Iterable[int], target_id: int, now: float) -> list[tuple[int, int]]:
    """COPY: flags and dates go along (RFC 3501 6.4.7). Return (old uid, new uid) in order."""
    found = tx.all(_PICK + _THESE, (folder_id, json.dumps(list(uids))))
    if not found:
        return []
    Bodies.share_many(tx, Counter(row[4] for row in found))
    first, _ = insert(tx, target_id, [(row[1], None, None, *row[4:]) for row in found], now)
    count(tx, found[0][1], sum(row[5] for row in found), len(found))  # a copy of a post is the reader's own
    return [(row[0], first + place) for place, row in enumerate(found)]


def move(tx: Transaction, folder_id: int, uids: Iterable[int], target_id: int, now: float) -> list[tuple[int, int]]:
    """MOVE (RFC 6851). Return (old uid, new uid) in order."""
    return _move(tx, folder_id, tx.all(_PICK + _THESE, (folder_id, json.dumps(list(uids)))), target_id, now)


def move_all(tx: Transaction, folder_id: int, target_id: int, now: float) -> list[tuple[int, int]]:
    """Move everything: what RENAME of INBOX does."""
    return _move(tx, folder_id, tx.all(_PICK + " ORDER BY uid", (folder_id,)), target_id, now)


def expunge(tx: Transaction, folder_id: int, uids: Iterable[int]) -> list[int]:
    """Let entries go; return the UIDs that were there."""
    found = tx.all(_PICK + _THESE, (folder_id, json.dumps(list(uids))))
    if not found:
        return []
    _forget(tx, folder_id, [row[0] for row in found])
    _let_go(tx, found)
    return [row[0] for row in found]


def drop_all(tx: Transaction, folder_id: int) -> None:
    """Let everything go, with the record of what went before: the folder is about to be deleted."""
    found = tx.all(_PICK, (folder_id,))
    tx.execute("DELETE FROM entry WHERE folder = ?", (folder_id,))
    tx.execute("DELETE FROM expunged WHERE folder = ?", (folder_id,))
    _let_go(tx, found)


def _move(tx: Transaction, folder_id: int, found: list[Any], target_id: int, now: float) -> list[tuple[int, int]]:
    if not found:
        return []
    _forget(tx, folder_id, [row[0] for row in found])
    first, _ = insert(tx, target_id, [row[1:] for row in found], now)
    return [(row[0], first + place) for place, row in enumerate(found)]


def _forget(tx: Transaction, folder_id: int, uids: list[int]) -> None:
    """Take rows out of a folder and remember when."""
    row = tx.one("UPDATE folder SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (folder_id,))
    assert row is not None
    tx.executemany("DELETE FROM entry WHERE folder = ? AND uid = ?", [(folder_id, uid) for uid in uids])
    tx.executemany("INSERT INTO expunged VALUES (?, ?, ?)", [(folder_id, row[0], uid) for uid in uids])


def _let_go(tx: Transaction, found: list[Any]) -> None:
    """Give the bodies' references back, and the room; remember posts, so that no change of an interval files them
    again."""
    posts = [(row[1], row[2], row[3]) for row in found if row[2] is not None]
    tx.executemany("INSERT OR IGNORE INTO had_post VALUES (?, ?, ?)", posts)
    Bodies.release_many(tx, Counter(row[4] for row in found))
    sizes = [row[5] for row in found if row[2] is None]
    if sizes:
        count(tx, found[0][1], -sum(sizes), -len(sizes))
