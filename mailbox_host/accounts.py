"""Accounts: who has a mailbox on this host.

Law: an account is made whole, with its folders, or not at all; removed, it leaves nothing but the UIDVALIDITY from
which its name would go on (RFC 3501 2.3.1.1: a folder of the same name must not repeat one).
"""

from __future__ import annotations

from collections.abc import Iterable

from mailbox_host.folder_names import UIDVALIDITY_MAX
from store import Bodies, Reader, Transaction

# RFC 6154 2: name and use of the folders that every account starts with.
FIRST_FOLDERS = (
    ("INBOX", ""),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Archive", "\\Archive"),
    ("Junk", "\\Junk"),
    ("Trash", "\\Trash"),
)


class AccountExists(Exception):
    """There is an account of this name already."""


class NoSuchAccount(LookupError):
    """There is no account of this name."""


class AccountMoved(NoSuchAccount):
    """It is another host's by now, or about to be."""


def add(tx: Transaction, name: str, password_hash: str | None, now: float) -> None:
    """Make an account with its folders; without a password nobody can sign in to it. Raise AccountExists."""
    if exists(tx, name):
        raise AccountExists(f"there is an account {name} already")
    add_many(tx, [(name, password_hash)], now)


def add_many(tx: Transaction, rows: Iterable[tuple[str, str | None]], now: float) -> int:
    """Make many accounts, passing over names that exist; return how many were made. About 20 microseconds each."""
    head = int((tx.one("SELECT coalesce(max(seq), 0) FROM post_log") or (0,))[0])
    wanted = [(*row, head, min(int(now), UIDVALIDITY_MAX), now) for row in rows]
    before = int((tx.one("SELECT coalesce(max(id), 0) FROM account") or (0,))[0])
    made = tx.executemany(
        """
        INSERT OR IGNORE INTO account (name, password, cursor, uidvalidity, created)
        SELECT ?1, ?2, ?3, max(?4, coalesce((SELECT uidvalidity + 1 FROM former_account WHERE name = ?1), 1)), ?5
        """,
        wanted,
    ).rowcount
    for place, (folder, special_use) in enumerate(FIRST_FOLDERS):  # each a UIDVALIDITY of its own: they can be renamed
        values = (folder, special_use, place, before)
        tx.execute(
            """
            INSERT INTO folder (account, name, special_use, uidvalidity)
            SELECT id, ?1, ?2, uidvalidity + ?3 FROM account WHERE id > ?4
            """,
            values,
        )
        tx.execute("INSERT INTO subscription SELECT id, ? FROM account WHERE id > ?", (folder, before))
    tx.execute("UPDATE account SET uidvalidity = uidvalidity + ? WHERE id > ?", (len(FIRST_FOLDERS) - 1, before))
    return made


def remove(tx: Transaction, name: str) -> None:
    """Remove an account and all that is its own. Raise NoSuchAccount."""
    account = account_id(tx, name)
    folders = "folder IN (SELECT id FROM folder WHERE account = ?)"
    bodies = tx.all(f"SELECT body, count(*) FROM entry WHERE {folders} GROUP BY body", (account,))
    for table in ("entry", "expunged"):
        tx.execute(f"DELETE FROM {table} WHERE {folders}", (account,))
    for table in ("folder", "subscription", "had_post", "follow", "seen", "sift", "uid_gap", "taken_back"):
        tx.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    tx.execute("DELETE FROM owed WHERE follower = ?", (account,))
    tx.execute("INSERT OR REPLACE INTO former_account SELECT name, uidvalidity FROM account WHERE id = ?", (account,))
    tx.execute("DELETE FROM account WHERE id = ?", (account,))
    for body, count in bodies:
        Bodies.release(tx, body, count)


def set_password(tx: Transaction, name: str, password_hash: str | None) -> None:
    """Change what the account's password is checked against. Raise NoSuchAccount."""
    tx.execute("UPDATE account SET password = ? WHERE id = ?", (password_hash, account_id(tx, name)))


def stored_hash(source: Reader | Transaction, name: str) -> str | None:
    """Return the stored hash; None where there is no account, or one without a password."""
    row = source.one("SELECT password FROM account WHERE name = ? AND NOT away", (name,))
    return row[0] if row else None


def exists(source: Reader | Transaction, name: str) -> bool:
    return source.one("SELECT 1 FROM account WHERE name = ? AND NOT away", (name,)) is not None


def names(source: Reader | Transaction, after: str = "", limit: int = 1000) -> list[str]:
    """Return names in order, those after `after`: a page of them."""
    rows = source.all("SELECT name FROM account WHERE name > ? AND NOT away ORDER BY name LIMIT ?", (after, limit))
    return [row[0] for row in rows]


def account_id(source: Reader | Transaction, name: str) -> int:
    """Return the account's row; raise NoSuchAccount. Inside this package only."""
    row = source.one("SELECT id FROM account WHERE name = ? AND NOT away", (name,))
    if row is None:
        raise NoSuchAccount(f"there is no account {name}")
    return int(row[0])
