"""Folders: made, renamed, deleted and counted.

Law: a UIDVALIDITY is given once per account, ever; INBOX stays. Every change to what a folder holds raises its modseq.
"""

from __future__ import annotations

from typing import NamedTuple

from mailbox_host.accounts import account_id
from mailbox_host.folder_names import (
    FOLDERS_MAX,
    INBOX,
    SEPARATOR,
    UIDVALIDITY_MAX,
    BadFolderName,
    FolderError,
    FolderExists,
    NoSuchFolder,
    TooManyFolders,
    canonical,
    checked,
    parents,
)
from mailbox_host.refiling import drop_all, move_all
from store import Reader, Transaction

__all__ = [
    "BadFolderName",
    "Counts",
    "Folder",
    "FolderError",
    "FolderExists",
    "NoSuchFolder",
    "TooManyFolders",
    "counts",
    "create_folder",
    "delete_folder",
    "find_folder",
    "list_folders",
    "rename_folder",
    "set_subscribed",
    "subscriptions",
]

SUBSCRIPTIONS_MAX = 2 * FOLDERS_MAX

_SELECT = """
    SELECT f.id, a.name, f.name, f.special_use, f.uidvalidity, f.uidnext, f.modseq,
        EXISTS (SELECT 1 FROM subscription s WHERE s.account = f.account AND s.name = f.name)
    FROM account a JOIN folder f ON f.account = a.id WHERE a.name = ?
"""


class Folder(NamedTuple):
    """A folder as it was read. `modseq` is the highest in it (RFC 7162 3.1.2.1); `special_use`: "" or ``\\Sent`` ..."""

    id: int
    account: str
    name: str
    special_use: str
    uidvalidity: int
    uidnext: int
    modseq: int
    subscribed: bool


class Counts(NamedTuple):
    """What STATUS and SELECT tell of a folder. `first_unseen_uid` is 0 where all are seen."""

    messages: int
    unseen: int
    deleted: int
    size: int
    first_unseen_uid: int


def list_folders(source: Reader | Transaction, account: str) -> list[Folder]:
    """Return the account's folders, by name."""
    return [_folder(row) for row in source.all(_SELECT + "ORDER BY f.name", (account,))]


def find_folder(source: Reader | Transaction, account: str, name: str) -> Folder | None:
    row = source.one(_SELECT + "AND f.name = ?", (account, canonical(name)))
    return _folder(row) if row else None


def counts(source: Reader | Transaction, folder_id: int) -> Counts:
    """Count a folder's entries, in one pass."""
    row = source.one(
        """
        SELECT count(*), count(*) FILTER (WHERE NOT flags & 1), count(*) FILTER (WHERE flags & 8),
            coalesce(sum(size), 0), coalesce(min(uid) FILTER (WHERE NOT flags & 1), 0)
        FROM entry WHERE folder = ?
        """,
        (folder_id,),
    )
    return Counts(*(row or (0, 0, 0, 0, 0)))


def deleted_storage(source: Reader | Transaction, folder_id: int) -> int:
    """Return how many octets of the quota an EXPUNGE would give back."""
    sql = "SELECT coalesce(sum(size), 0) FROM entry WHERE folder = ? AND flags & 8 AND source IS NULL"
    return int((source.one(sql, (folder_id,)) or (0,))[0])


def create_folder(tx: Transaction, account: str, name: str, now: float, special_use: str = "") -> Folder:
    """Make a folder, and those above it (RFC 3501 6.3.3). Raise FolderExists, BadFolderName, TooManyFolders."""
    name = checked(name)
    owner = account_id(tx, account)
    if _id_of(tx, owner, name) is not None:
        raise FolderExists(f"there is a folder {name} already")
    missing = [above for above in parents(name) if _id_of(tx, owner, above) is None]
    _check_room(tx, owner, len(missing) + 1)
    for above in missing:
        _insert(tx, owner, above, now)
    _insert(tx, owner, name, now, special_use)
    return _must_find(tx, account, name)


def rename_folder(tx: Transaction, account: str, old: str, new: str, now: float) -> None:
    """Rename a folder and all below it. INBOX stays, and what it held moves (RFC 3501 6.3.5)."""
    old, new = canonical(old), checked(new)
    owner = account_id(tx, account)
    folder = _must_find(tx, account, old)
    if _id_of(tx, owner, new) is not None:
        raise FolderExists(f"there is a folder {new} already")
    if old == INBOX:
        target = create_folder(tx, account, new, now)
        move_all(tx, folder.id, target.id, now)
        return
    if new.startswith(old + SEPARATOR):
        raise BadFolderName("a folder cannot be moved into itself")
    _rename_tree(tx, owner, old, new)
    missing = [above for above in parents(new) if _id_of(tx, owner, above) is None]
    _check_room(tx, owner, len(missing))
    for above in missing:
        _insert(tx, owner, above, now)


def delete_folder(tx: Transaction, account: str, name: str) -> None:
    """Delete a folder and what it holds; those below it stay (RFC 3501 6.3.4). Follows that filed there fall back to
    INBOX."""
    name = canonical(name)
    if name == INBOX:
        raise FolderError("INBOX cannot be deleted")
    folder = _must_find(tx, account, name)
    inbox = _must_find(tx, account, INBOX)
    drop_all(tx, folder.id)
    owner = account_id(tx, account)
    tx.execute("UPDATE follow SET folder = ? WHERE account = ? AND folder = ?", (inbox.id, owner, folder.id))
    tx.execute("DELETE FROM folder WHERE id = ?", (folder.id,))


def set_subscribed(tx: Transaction, account: str, name: str, on: bool) -> None:
    """SUBSCRIBE, UNSUBSCRIBE. A deleted folder's name stays subscribed until it is taken back (RFC 3501 6.3.6)."""
    name = canonical(name)
    owner = account_id(tx, account)
    if not on:
        tx.execute("DELETE FROM subscription WHERE account = ? AND name = ?", (owner, name))
        return
    _must_find(tx, account, name)
    row = tx.one("SELECT count(*) FROM subscription WHERE account = ?", (owner,))
    if row and row[0] >= SUBSCRIPTIONS_MAX:  # names of folders that are gone, above all
        raise TooManyFolders(f"an account has at most {SUBSCRIPTIONS_MAX} subscriptions")
    tx.execute("INSERT OR IGNORE INTO subscription VALUES (?, ?)", (owner, name))


def subscriptions(source: Reader | Transaction, account: str) -> list[str]:
    """Return the subscribed names in order, also those whose folder is gone."""
    rows = source.all(
        "SELECT s.name FROM account a JOIN subscription s ON s.account = a.id WHERE a.name = ? ORDER BY s.name",
        (account,),
    )
    return [row[0] for row in rows]


def _folder(row: tuple[object, ...]) -> Folder:
    return Folder._make((*row[:7], bool(row[7])))


def _must_find(tx: Transaction, account: str, name: str) -> Folder:
    folder = find_folder(tx, account, name)
    if folder is None:
        raise NoSuchFolder(f"there is no folder {name}")
    return folder


def _id_of(tx: Transaction, owner: int, name: str) -> int | None:
    row = tx.one("SELECT id FROM folder WHERE account = ? AND name = ?", (owner, name))
    return int(row[0]) if row else None


def _check_room(tx: Transaction, owner: int, more: int) -> None:
    row = tx.one("SELECT count(*) FROM folder WHERE account = ?", (owner,))
    if more and row and row[0] + more > FOLDERS_MAX:
        raise TooManyFolders(f"an account has at most {FOLDERS_MAX} folders")


def _insert(tx: Transaction, owner: int, name: str, now: float, special_use: str = "") -> None:
    given = tx.one(
        "UPDATE account SET uidvalidity = max(uidvalidity + 1, ?) WHERE id = ? RETURNING uidvalidity",
        (min(int(now), UIDVALIDITY_MAX), owner),
    )
    assert given is not None
    values = (owner, name, special_use, given[0])
    tx.execute("INSERT INTO folder (account, name, special_use, uidvalidity) VALUES (?, ?, ?, ?)", values)


def _rename_tree(tx: Transaction, owner: int, old: str, new: str) -> None:
    """Give `old` and all below it names under `new`; their subscriptions go along."""
    below = old + SEPARATOR
    rows = tx.all(
        "SELECT id, name FROM folder WHERE account = ? AND (name = ? OR substr(name, 1, ?) = ?)",
        (owner, old, len(below), below),
    )
    for folder, name in rows:
        renamed = checked(new + name[len(old) :])
        if _id_of(tx, owner, renamed) is not None:
            raise FolderExists(f"there is a folder {renamed} already")
        tx.execute("UPDATE folder SET name = ? WHERE id = ?", (renamed, folder))
        moved = tx.execute("DELETE FROM subscription WHERE account = ? AND name = ?", (owner, name)).rowcount
        if moved:
            tx.execute("INSERT OR IGNORE INTO subscription VALUES (?, ?)", (owner, renamed))
