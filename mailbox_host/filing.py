"""From the log into folders: the one place where posts become entries.

Law: every log row with seq <= the account's cursor that its follows cover has an entry, or had one (`had_post`). Each
change keeps that: a moved cursor files what it passes, a new interval files what it adds, a new row lies beyond every
cursor. Goodbyes only take away. Where another server keeps the mailboxes (outward.py), nothing is filed here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from mailbox_host.outward import hands_out, owe
from mailbox_host.refiling import insert
from mailbox_host.sifting import at_once, wanted
from store import Bodies, Transaction

# Entries made in one transaction: 5,000 take some 60 ms of the writer's time. Who has more waiting comes again.
FILED_AT_ONCE_MAX = 5_000

# A row per post that is covered and was not had yet, in log order; where intervals overlap, the highest generation's
# folder (SQLite: a bare column beside max() comes from the row that has the maximum). CROSS JOIN fixes the order:
# from the account's follows into the log, however long that is.
_DUE = """
    SELECT l.seq, l.source, l.post, l.body, l.size, l.arrival, f.folder, max(f.generation)
    FROM follow f CROSS JOIN post_log l
    ON l.source = f.source AND {window}
    WHERE f.account = ?1 AND f.from_post IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM entry e WHERE e.account = ?1 AND e.source = l.source AND e.post = l.post)
    AND NOT EXISTS (
        SELECT 1 FROM had_post h WHERE h.account = ?1 AND h.source = l.source AND h.post = l.post)
    GROUP BY l.seq ORDER BY l.seq LIMIT ?2
"""
# A unary plus takes a term out of SQLite's choice of index: beyond the cursor lie few rows, whatever the interval
# covers; an interval that was just opened covers few, however far the cursor is.
DUE_BEYOND = "l.seq > ?3 AND +l.post >= f.from_post AND +l.post < f.until_post"
_BEYOND = _DUE.format(window=DUE_BEYOND)
_BEHIND = _DUE.format(
    window="+l.seq <= ?3 AND l.post >= f.from_post AND l.post < f.until_post AND f.source = ?4 AND f.generation = ?5"
)


def file_beyond(tx: Transaction, account: int, cursor: int, most: int = FILED_AT_ONCE_MAX) -> int:
    """File what the log holds beyond the cursor and move the cursor; return how many posts that were."""
    if hands_out(tx, account):
        return 0
    head, most = int((tx.one("SELECT coalesce(max(seq), 0) FROM post_log") or (0,))[0]), at_once(tx, account, most)
    if head <= cursor:
        return 0
    due = tx.all(_BEYOND, (account, most, cursor))
    _file(tx, account, due)
    tx.execute("UPDATE account SET cursor = ? WHERE id = ?", (due[-1][0] if len(due) == most else head, account))
    return len(due)


def file_covered(tx: Transaction, account: int, source: str, generation: int, most: int = FILED_AT_ONCE_MAX) -> int:
    """File what a new interval adds below the cursor; return how many posts that were.

    Where that is too much for one transaction, the cursor goes back to where it stopped: what follows is filed when
    somebody looks, and what lies there of other sources is had already.
    """
    if hands_out(tx, account):
        owe(tx, account, source)
        return 0
    cursor = int((tx.one("SELECT cursor FROM account WHERE id = ?", (account,)) or (0,))[0])
    most = at_once(tx, account, most)
    due = tx.all(_BEHIND, (account, most, cursor, source, generation))
    _file(tx, account, due)
    if len(due) == most:
        tx.execute("UPDATE account SET cursor = ? WHERE id = ?", (due[-1][0], account))
    return len(due)


def _file(tx: Transaction, account: int, due: list[Any]) -> None:
    by_folder: dict[int, list[tuple[Any, ...]]] = {}
    due = wanted(tx, account, due)
    for _, source, post, body, size, arrival, folder, _ in due:
        by_folder.setdefault(folder, []).append((account, source, post, body, size, 0, "", arrival))
    Bodies.share_many(tx, Counter(row[3] for row in due))
    for folder, rows in by_folder.items():
        insert(tx, folder, rows)
