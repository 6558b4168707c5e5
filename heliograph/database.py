"""A host's database, opened by whoever holds the host's lock.

Law: a host whose database is gone, empty, or another host's does not begin anew by itself. It would own, empty, all
that the zone gives it, and refuse for good the mail of everybody whose mailbox was lost: a disk that is not mounted
must not do that, nor a copy that went to the wrong folder.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.tables import MIGRATIONS
from store import Store
from store.durable_files import replace_durably
from store.identity import identity

FILE_NAME = "heliograph.db"
MARK = "has-a-database"  # a file that stays when the database goes, and knows which one it was
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
NO_WAY_IN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}


def open_database(folder: Path) -> Store:
    """Open it, or make it where this host never had one. Raise CommandError where it had one, and it is gone, is
    another one, or cannot be read."""
    path, mark = folder / FILE_NAME, folder / MARK
    if mark.exists() and not (path.exists() and path.stat().st_size):
        raise CommandError(exits.CONFIG, _gone(folder, mark))
    try:
        store = Store(path, MIGRATIONS)
    except sqlite3.DatabaseError as error:
        raise told(error, folder) from error
    try:
        _keep(store, folder, mark)
    except BaseException:
        store.close()
        raise
    return store


def told(error: sqlite3.DatabaseError, folder: Path) -> Exception:
    """Turn what SQLite says of a disk into what to do; anything else is returned as it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    path = folder / FILE_NAME
    if code in DAMAGED:
        return CommandError(exits.CONFIG, f"{path} is damaged ({error}). Stop {folder.name}; {_other_ways(folder)}")
    if code in NO_WAY_IN:
        text = f"{path}: {error}: is the disk mounted read-only, and does {folder} belong to the user of the hosts?"
        return CommandError(exits.NOPERM, text)
    if code == sqlite3.SQLITE_FULL:
        return CommandError(exits.TEMPFAIL, f"{path}: the disk is full: make room")
    return error


def _keep(store: Store, folder: Path, mark: Path) -> None:
    """The mark knows the database from its first start on; a mark of an earlier version, or of a restore, is empty."""
    mine = identity(store.reader).hex()
    known = mark.read_text().strip() if mark.exists() else ""
    if known not in ("", mine):
        text = f"{folder / FILE_NAME} is not the database that {folder.name} had: was another host's copied here?"
        raise CommandError(exits.CONFIG, f"{text} Bring the right one back; if it is lost: {_other_ways(folder)}")
    if not known:
        replace_durably(mark, mine.encode())


def _gone(folder: Path, mark: Path) -> str:
    return (
        f"{folder.name} had a database, and {folder / FILE_NAME} is gone, or empty. Is its disk mounted? If it is lost:"
        f" {_other_ways(folder)}. Only if it is to begin anew, and empty: remove {mark}"
    )


def _other_ways(folder: Path) -> str:
    return (
        f"give {folder.name} up to its standby (`heliograph host promote {folder.name}`), or take {folder} away and"
        f" `heliograph restore` its backup"
    )
