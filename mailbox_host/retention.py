"""Retention: what is let go because it is old, or more than a folder is to keep.

Law: nothing flagged goes. What goes is expunged like anything else, so that every client hears of it, and a post that
went never comes back. All that is kept to remember what went is bounded too.

- A folder keeps `keep_days` (since a message came into it, not since it was sent) and `keep_messages`.
- A post's entries go when they are as old as what has left the log.
- Of the posts that were had and have left the log, one row of `had_post` for each source stands for all.
- A folder remembers some thousand expunges; who was away longer is told every UID that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailbox_host.accounts import account_id
from mailbox_host.entry import FLAGGED
from mailbox_host.refiling import expunge
from mailbox_host.settings import Settings
from store import Reader, Transaction

DAY_SECONDS = 86_400.0
SLICE_MAX = 500  # entries that go in one transaction: some milliseconds of the one writer
EXPUNGED_KEPT_MAX = 2_000  # per folder, 40 KB: what a client misses in weeks; beyond it the answer is only longer

_OLD = "SELECT uid FROM entry WHERE folder = ? AND coalesce(saved, arrival) < ? AND NOT flags & ? ORDER BY uid LIMIT ?"
_SURPLUS = """
    SELECT uid FROM entry WHERE folder = ?1
    AND uid <= (SELECT uid FROM entry WHERE folder = ?1 ORDER BY uid DESC LIMIT 1 OFFSET ?2)
    AND NOT flags & ?3 ORDER BY uid LIMIT ?4
"""
# From source to source by the index, not through all entries: most accounts have nothing that has left the log.
_OLD_POSTS = """
    WITH RECURSIVE mine (source) AS (
        SELECT min(source) FROM entry WHERE account = ?1 AND source IS NOT NULL
        UNION ALL
        SELECT (SELECT min(e.source) FROM entry e WHERE e.account = ?1 AND e.source > mine.source)
        FROM mine WHERE mine.source IS NOT NULL
    )
    SELECT e.folder, e.uid FROM mine CROSS JOIN left_log l ON l.source = mine.source
    CROSS JOIN entry e ON e.account = ?1 AND e.source = l.source AND e.post <= l.upto
    WHERE e.arrival < ?2 AND NOT e.flags & ?3 LIMIT ?4
"""
_LEFT = """
    SELECT h.source, h.post FROM had_post h CROSS JOIN left_log l ON l.source = h.source AND h.post <= l.upto
    WHERE h.account = ? AND NOT EXISTS (SELECT 1 FROM post_log p WHERE p.source = h.source AND p.post = h.post)
    ORDER BY h.source, h.post DESC
"""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to go of an account: UIDs by folder, had posts, and by folder the modseq up to which to forget."""

    entries: dict[int, list[int]]
    had: list[tuple[str, int]]
    expunges: dict[int, int]

    def __bool__(self) -> bool:
        return bool(self.entries or self.had or self.expunges)


def own_retention(source: Reader | Transaction, account: str, name: str) -> tuple[int | None, int | None] | None:
    """Return a folder's own retention, in days and messages; None where there is no such folder."""
    row = source.one(
        "SELECT keep_days, keep_messages FROM folder WHERE account = ? AND name = ?",
        (account_id(source, account), name),
    )
    return (row[0], row[1]) if row else None


def set_retention(tx: Transaction, account: str, name: str, days: int | None, messages: int | None) -> bool:
    """Give a folder retention of its own: 0 keeps all, None takes the configuration's. False: there is none."""
    owner = account_id(tx, account)
    values = (days, messages, owner, name)
    sql = "UPDATE folder SET keep_days = ?, keep_messages = ? WHERE account = ? AND name = ?"
    return bool(tx.execute(sql, values).rowcount)


def due(source: Reader | Transaction, account: int, settings: Settings, now: float) -> Due:
    """Return what is to go now, at most a slice of it."""
    entries: dict[int, list[int]] = {}
    left = SLICE_MAX
    for folder, uid in _due_entries(source, account, settings, now):
        if uid not in entries.get(folder, ()):
            entries.setdefault(folder, []).append(uid)
            left -= 1
        if not left:
            break
    return Due(entries, _had_to_forget(source, account), _expunges_to_forget(source, account))


def let_go(tx: Transaction, account: int, settings: Settings, now: float) -> bool:
    """Let a slice go; tell whether there was anything. What is due is asked here again: a flag may have come."""
    found = due(tx, account, settings, now)
    for folder, uids in found.entries.items():
        expunge(tx, folder, uids)
    rows = [(account, *post) for post in found.had]
    tx.executemany("DELETE FROM had_post WHERE account = ? AND source = ? AND post = ?", rows)
    for folder, modseq in found.expunges.items():
        tx.execute("DELETE FROM expunged WHERE folder = ? AND modseq <= ?", (folder, modseq))
        tx.execute("UPDATE folder SET forgotten = ? WHERE id = ?", (modseq, folder))
    return bool(found)


def had_between(source: Reader | Transaction, account: int, name: str, first: int, last: int) -> bool:
    """Tell whether the account had a post with one of these numbers that the log has not, or the first of them."""
    row = source.one(
        """
        SELECT 1 FROM had_post h WHERE account = ?1 AND source = ?2 AND post BETWEEN ?3 AND ?4
        AND (post = ?3 OR NOT EXISTS (SELECT 1 FROM post_log p WHERE p.source = ?2 AND p.post = h.post)) LIMIT 1
        """,
        (account, name, first, last),
    )
    return row is not None


def _due_entries(
    source: Reader | Transaction, account: int, settings: Settings, now: float
) -> Iterator[tuple[int, int]]:
    sql = "SELECT id, special_use, keep_days, keep_messages FROM folder WHERE account = ?"
    for folder, use, own_days, messages in source.all(sql, (account,)):
        days = settings.days.get(use, 0) if own_days is None else own_days
        if days:
            before = now - days * DAY_SECONDS
            yield from ((folder, row[0]) for row in source.all(_OLD, (folder, before, FLAGGED, SLICE_MAX)))
        if messages:
            yield from ((folder, row[0]) for row in source.all(_SURPLUS, (folder, messages, FLAGGED, SLICE_MAX)))
    before = now - settings.log_days * DAY_SECONDS
    yield from source.all(_OLD_POSTS, (account, before, FLAGGED, SLICE_MAX))


def _had_to_forget(source: Reader | Transaction, account: int) -> list[tuple[str, int]]:
    """Of each source's posts that have left the log, all but the highest."""
    rows = source.all(_LEFT, (account,))
    below = [rows[at] for at in range(1, len(rows)) if rows[at][0] == rows[at - 1][0]]
    return [(name, post) for name, post in below[:SLICE_MAX]]


def _expunges_to_forget(source: Reader | Transaction, account: int) -> dict[int, int]:
    """The modseq of the newest expunge that is too many: all of one modseq go together."""
    rows = source.all(
        """
        SELECT f.id, (SELECT modseq FROM expunged WHERE folder = f.id ORDER BY modseq DESC, uid DESC LIMIT 1 OFFSET ?)
        FROM folder f WHERE f.account = ?
        """,
        (EXPUNGED_KEPT_MAX, account),
    )
    return {folder: modseq for folder, modseq in rows if modseq is not None}
