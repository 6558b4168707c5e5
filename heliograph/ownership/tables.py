"""The tables of what a host owns (ownership.py), whom the zone named, and what came ahead of a hand-over.

Law: a change is a new Migration with the next version.
"""

from __future__ import annotations

from store import Migration

MIGRATION = Migration(
    "heliograph",
    1,
    """
    CREATE TABLE owned (map TEXT NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (map, bucket)) STRICT, WITHOUT ROWID;
    CREATE TABLE claimed (serial INTEGER NOT NULL) STRICT
    """,
)
# named: whom the zone last named, and whom it named before: what those signed may still be on its way. carried: bodies
# that came from a host ahead of the rows that will name them.
HOLDING = Migration(
    "heliograph",
    2,
    """
    CREATE TABLE holding (
        map TEXT NOT NULL, bucket INTEGER NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL, peer TEXT NOT NULL,
        serial INTEGER NOT NULL, since REAL NOT NULL, kept INTEGER NOT NULL, PRIMARY KEY (map, bucket)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO holding SELECT map, bucket, 'owner', 1, '', coalesce((SELECT max(serial) FROM claimed), 0), 0, 0
    FROM owned;
    DROP TABLE owned;
    CREATE TABLE named (
        map TEXT NOT NULL, bucket INTEGER NOT NULL, host TEXT NOT NULL, until REAL, PRIMARY KEY (map, bucket, host)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE carried (peer TEXT NOT NULL, body INTEGER NOT NULL, PRIMARY KEY (peer, body)) STRICT, WITHOUT ROWID
    """,
)
MIGRATIONS = (MIGRATION, HOLDING)
