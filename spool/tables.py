"""The queue's two tables.

Law: a `queue_message` lives as long as one of its `queue_recipient` rows and holds one reference to its body. Ids are
never used twice (AUTOINCREMENT): a message that is being delivered cannot be mistaken for another.

`state` 0 is fresh: never put off. Fresh rows are found by (message, n) behind a cursor, for ids grow in the order of
commits; so putting and taking them off costs one B-tree. `state` 1 is deferred: found by `next_attempt`. Both indexes
are partial and hold deferred rows only.
"""

from __future__ import annotations

from store import Migration

FRESH, DEFERRED = 0, 1

_QUEUE = Migration(
    "spool",
    1,
    """
    CREATE TABLE queue_message (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sender TEXT NOT NULL, body INTEGER NOT NULL, envid TEXT NOT NULL,
        signed_by TEXT NOT NULL, accepted_at REAL NOT NULL, ret TEXT NOT NULL, eightbit INTEGER NOT NULL,
        smtputf8 INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE queue_recipient (
        message INTEGER NOT NULL, n INTEGER NOT NULL, address TEXT NOT NULL, sender TEXT, notify TEXT NOT NULL,
        orcpt TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt REAL NOT NULL, destination TEXT NOT NULL DEFAULT '', reply TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (message, n)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX queue_due ON queue_recipient (next_attempt) WHERE state = 1;
    CREATE INDEX queue_destination ON queue_recipient (destination) WHERE state = 1
    """,
)

_CLIENT_ENVID = Migration("spool", 2, "ALTER TABLE queue_message ADD COLUMN client_envid TEXT NOT NULL DEFAULT ''")

MIGRATIONS = (_QUEUE, _CLIENT_ENVID)
