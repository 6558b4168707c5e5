"""A host's database, opened by whoever holds the host's lock.

Law: a host whose database is gone does not begin anew by itself. It would own, empty, all that the zone gives it, and
refuse for good the mail of everybody whose mailbox was lost: a disk that is not mounted must not do that.
"""

from __future__ import annotations

from pathlib import Path

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.tables import MIGRATIONS
from store import Store
from store.durable_files import flush_folder

FILE_NAME = "heliograph.db"
MARK = "has-a-database"  # a file that stays when the database goes


def open_database(folder: Path) -> Store:
    """Open it, or make it where this host never had one. Raise CommandError where it had one, and it is gone."""
    path, mark = folder / FILE_NAME, folder / MARK
    if mark.exists() and not path.exists():
        raise CommandError(exits.CONFIG, _what_to_do(folder, mark))
    store = Store(path, MIGRATIONS)
    if not mark.exists():
        mark.touch(mode=0o600)
        flush_folder(folder)
    return store


def _what_to_do(folder: Path, mark: Path) -> str:
    return (
        f"{folder.name} had a database, and {folder / FILE_NAME} is gone. Is its disk mounted? If it is lost: give"
        f" {folder.name} up to its standby (`heliograph host promote {folder.name}`), or take {folder} away and"
        f" `heliograph restore` its backup. Only if it is to begin anew, and empty: remove {mark}"
    )
