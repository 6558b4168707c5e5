"""The table of footers: a source has one, or no row.

Law: it goes with the source; another one of the same name begins without.
"""

from __future__ import annotations

from store import Migration

FOOTERS = Migration(
    "reflector",
    8,
    """
    CREATE TABLE footer (source TEXT PRIMARY KEY, words TEXT NOT NULL, since REAL NOT NULL) STRICT, WITHOUT ROWID
    """,
)
