"""A copy of a database that is in use.

Law: the copy is the database as it was at one moment, whole. Nothing is locked: readers and the writer go on. As long
as it takes, the write-ahead log grows by what is written meanwhile, for it holds what the copy must not see.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

STEP_PAGES = 1_024  # 4 MB: after each, others have the disk for a moment, and progress is told


class Damaged(Exception):
    """SQLite says that the copy is not whole."""


def copy_database(source: Path, target: Path, progress: Callable[[int, int], object] = lambda done, all: None) -> None:
    """Copy to a new file and check it. `progress`: is told pages done, and all."""
    with closing(_open(source)) as here, closing(sqlite3.connect(target, isolation_level=None)) as there:
        here.execute("BEGIN")  # one read transaction all the way: SQLite begins again whenever it sees another version
        here.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        here.backup(there, pages=STEP_PAGES, progress=lambda _, left, total: progress(total - left, total))
        there.execute("PRAGMA journal_mode = DELETE")  # one file, complete
        said = there.execute("PRAGMA quick_check(1)").fetchone()
    if said != ("ok",):
        raise Damaged(f"{source}: {said[0]}")


def skip_sequences(connection: sqlite3.Connection, count: int) -> None:
    """Let ids that are never used twice (AUTOINCREMENT) go on further ahead."""
    connection.execute("UPDATE sqlite_sequence SET seq = seq + ?", (count,))


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection
