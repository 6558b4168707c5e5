"""Mailboxes that another server keeps (Dovecot, say): nothing becomes an entry here; posts are handed out.

Law: a post is handed to a follower once: `had_post` is written in the transaction that queues it for her. Of the log,
everything up to `outward.seq` was handed to everybody who follows; who follows later and is to have some of it stands
in `owed`. The post after it was handed to accounts up to `outward.follower`: a crash goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mailbox_host.sifting import is_wanted, leave_out, wanted
from store import Reader, Transaction

FOLLOWERS_AT_ONCE_MAX = 5_000  # in one transaction: some 100 ms of the writer's time, their queue rows with it
POSTS_AT_ONCE_MAX = 100  # to one account, of what it is owed

_NOT_HAD = """
    NOT EXISTS (SELECT 1 FROM had_post h WHERE h.account = f.account AND h.source = l.source AND h.post = l.post)
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.account = f.account AND e.source = l.source AND e.post = l.post)
"""
# As in filing.py: where intervals overlap, the highest generation's folder.
_FOLLOWERS = f"""
    SELECT f.account, a.name, d.name, max(f.generation) FROM post_log l CROSS JOIN follow f ON f.source = l.source
    AND f.until_post > l.post AND f.from_post <= l.post AND f.account > ?2
    JOIN account a ON a.id = f.account AND NOT a.away JOIN folder d ON d.id = f.folder
    WHERE l.seq = ?1 AND f.from_post IS NOT NULL AND {_NOT_HAD} GROUP BY f.account ORDER BY f.account LIMIT ?3
"""
_OWED = f"""
    SELECT l.seq, l.source, l.post, l.body, d.name, max(f.generation) FROM follow f CROSS JOIN post_log l
    ON l.source = f.source AND l.post >= f.from_post AND l.post < f.until_post JOIN folder d ON d.id = f.folder
    WHERE f.account = ?1 AND f.source = ?2 AND f.from_post IS NOT NULL AND {_NOT_HAD}
    GROUP BY l.seq ORDER BY l.seq LIMIT ?3
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """One post for some accounts: (name, folder) each."""

    body: int
    to: tuple[tuple[str, str], ...]


def is_outward(source: Reader | Transaction) -> bool:
    """Tell whether another server keeps this host's mailboxes."""
    return source.one("SELECT 1 FROM outward") is not None


def hands_out(source: Reader | Transaction, account: int) -> bool:
    """Tell whether an account is handed its posts. One that is away is not, but for what it is owed: what the log here
    has for it is filed, and given to whoever owns it (extras.py)."""
    sql = "SELECT 1 FROM outward CROSS JOIN account a WHERE a.id = ?1 AND (NOT a.away OR EXISTS ({}))"
    return source.one(sql.format("SELECT 1 FROM owed WHERE follower = ?1"), (account,)) is not None


def begin(tx: Transaction) -> None:
    """From now on. What was not filed yet, nobody having looked, is owed."""
    if is_outward(tx):
        return
    tx.execute(
        """
        INSERT INTO owed SELECT DISTINCT f.account, f.source FROM follow f JOIN account a ON a.id = f.account
        WHERE f.from_post IS NOT NULL AND EXISTS (SELECT 1 FROM post_log l WHERE l.source = f.source
            AND l.seq > a.cursor AND l.post >= f.from_post AND l.post < f.until_post)
        """
    )
    tx.execute("INSERT INTO outward SELECT coalesce(max(seq), 0), 0 FROM post_log")


def end(tx: Transaction) -> None:
    """The mailboxes are here (again). Who was owed something finds it in the log."""
    tx.execute("UPDATE account SET cursor = 0 WHERE id IN (SELECT follower FROM owed)")
    tx.execute("DELETE FROM owed")
    tx.execute("DELETE FROM outward")


def rest(tx: Transaction) -> None:
    """Hand out nothing of what is here: the database is a lost host's, whose heir takes over its log."""
    tx.execute("DELETE FROM owed")
    tx.execute("UPDATE outward SET seq = (SELECT coalesce(max(seq), 0) FROM post_log), follower = 0")


def put_aside(tx: Transaction, name: str) -> None:
    """An account is not this host's any more, and is handed nothing. Should its posts be filed yet, they are looked for
    in the whole log."""
    if is_outward(tx):
        row = tx.one("UPDATE account SET cursor = 0 WHERE name = ? RETURNING id", (name,))
        tx.execute("DELETE FROM owed WHERE follower = ?", row or (0,))


def owe(tx: Transaction, account: int, source: str) -> None:
    """An account covers more of a source now: what others were handed already, it is owed."""
    sql = """
        INSERT OR IGNORE INTO owed SELECT ?1, ?2 WHERE EXISTS (
            SELECT 1 FROM outward w CROSS JOIN follow f ON f.account = ?1 AND f.source = ?2 AND f.from_post IS NOT NULL
            CROSS JOIN post_log l ON l.source = ?2 AND l.post >= f.from_post AND l.post < f.until_post
            AND (l.seq <= w.seq OR w.follower >= ?1) WHERE {})
    """
    tx.execute(sql.format(_NOT_HAD), (account, source))


def owe_all(tx: Transaction, name: str) -> None:
    """An account came from another host, where it had what it had; or goes to one that never heard of it."""
    if is_outward(tx):
        sql = "SELECT DISTINCT f.account, f.source FROM account a JOIN follow f ON f.account = a.id WHERE a.name = ?"
        tx.execute(f"INSERT OR IGNORE INTO owed {sql} AND f.from_post IS NOT NULL", (name,))


def is_pending(source: Reader | Transaction, name: str) -> bool:
    """Tell whether an account is to be handed something still."""
    if source.one("SELECT 1 FROM account a JOIN owed o ON o.follower = a.id WHERE a.name = ?", (name,)):
        return True
    sql = f"""
        SELECT 1 FROM outward w CROSS JOIN post_log l ON l.seq > w.seq CROSS JOIN account a ON a.name = ? AND NOT a.away
        CROSS JOIN follow f ON f.account = a.id AND f.source = l.source AND f.from_post <= l.post
        AND f.until_post > l.post WHERE {_NOT_HAD}
    """
    return source.one(sql, (name,)) is not None


def is_due(source: Reader | Transaction) -> bool:
    """Tell whether `next_lots` would do anything."""
    sql = "SELECT 1 FROM owed UNION ALL SELECT 1 FROM outward w WHERE (SELECT max(seq) FROM post_log) > w.seq LIMIT 1"
    return source.one(sql) is not None


def next_lots(tx: Transaction) -> list[Lot] | None:
    """Take what is to be handed out next, a bounded part of it; None: nothing is left. It is had from here on: the
    caller queues it in this transaction."""
    owed = tx.one("SELECT follower, source FROM owed LIMIT 1")
    if owed is not None:
        return _owed_posts(tx, *owed)
    place = tx.one("SELECT seq, follower FROM outward")
    post = tx.one("SELECT min(seq) FROM post_log WHERE seq > ?", (place[0],)) if place else None
    return _fresh_post(tx, post[0], place[1]) if place and post and post[0] is not None else None


def _owed_posts(tx: Transaction, account: int, source: str) -> list[Lot]:
    row = tx.one("SELECT name FROM account WHERE id = ?", (account,))
    due = tx.all(_OWED, (account, source, POSTS_AT_ONCE_MAX)) if row else []
    if len(due) < POSTS_AT_ONCE_MAX:
        tx.execute("DELETE FROM owed WHERE follower = ? AND source = ?", (account, source))
    chosen = wanted(tx, account, due)
    leave_out(tx, account, [(post[1], post[2]) for post in chosen])
    return [Lot(body, ((row[0], folder),)) for _, _, _, body, folder, _ in chosen if row]


def _fresh_post(tx: Transaction, seq: int, after: int) -> list[Lot]:
    post = tx.one("SELECT source, post, body FROM post_log WHERE seq = ?", (seq,))
    assert post is not None
    rows = tx.all(_FOLLOWERS, (seq, after, FOLLOWERS_AT_ONCE_MAX))
    if len(rows) < FOLLOWERS_AT_ONCE_MAX:
        tx.execute("UPDATE outward SET seq = ?, follower = 0", (seq,))
    else:
        tx.execute("UPDATE outward SET follower = ?", (rows[-1][0],))
    tx.executemany("INSERT OR IGNORE INTO had_post VALUES (?, ?, ?)", [(row[0], post[0], post[1]) for row in rows])
    to = tuple((name, folder) for _, name, folder, _ in _choosing(tx, rows, post[0], post[2]))
    return [Lot(post[2], to)] if to else []


def _choosing(tx: Transaction, rows: list[Any], source: str, body: int) -> list[Any]:
    """Leave out those who chose other posts of this source by words."""
    sifting = {account for (account,) in tx.all("SELECT account FROM sift WHERE source = ?", (source,))}
    return [row for row in rows if row[0] not in sifting or is_wanted(tx, row[0], source, body)]
