"""The reflectors' tables.

Law: a subscription is an interval of post numbers, [from_post, until_post), with a generation; at most one interval of
an address is open. Followers whose timelines live on this host have no row here: their `follow` rows are the list.
"""

from __future__ import annotations

from store import Migration

OPEN = 2**63 - 1  # until_post of an interval that nobody has closed: no post number reaches it

MIGRATION = Migration(
    "reflector",
    1,
    f"""
    -- A removed source stays as a tombstone: were its numbers given out again, timelines would take new posts for old.
    CREATE TABLE source (
        name TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, backlog INTEGER NOT NULL,
        next_post INTEGER NOT NULL, generation INTEGER NOT NULL, subscribers INTEGER NOT NULL, created REAL NOT NULL,
        removed INTEGER NOT NULL
    ) STRICT;

    -- hash: of the address, for splitting a list by ranges. token: the bounce token of a foreign subscriber, else ''.
    CREATE TABLE subscriber (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, address TEXT NOT NULL, kind TEXT NOT NULL, hash INTEGER NOT NULL,
        from_post INTEGER NOT NULL, until_post INTEGER NOT NULL, generation INTEGER NOT NULL, token TEXT NOT NULL,
        folder TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX subscriber_address ON subscriber (source, address, generation);
    CREATE UNIQUE INDEX subscriber_open ON subscriber (source, address) WHERE until_post = {OPEN};
    CREATE UNIQUE INDEX subscriber_token ON subscriber (source, token) WHERE token <> '';
    -- A post reads this index alone, and of it only intervals that end behind the post's number.
    CREATE INDEX subscriber_interval ON subscriber (source, until_post, from_post, kind, address, token);

    CREATE TABLE confirmation (
        fingerprint BLOB PRIMARY KEY, source TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL,
        folder TEXT NOT NULL, expires REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX confirmation_expires ON confirmation (expires);

    -- What was taken already; door is '' for posts.
    CREATE TABLE posted (
        source TEXT NOT NULL, envid TEXT NOT NULL, door TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (source, envid, door)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX posted_at ON posted (at);

    CREATE TABLE recent_post (
        source TEXT NOT NULL, post INTEGER NOT NULL, body INTEGER NOT NULL, PRIMARY KEY (source, post)
    ) STRICT, WITHOUT ROWID;

    -- How many mails of a purpose an address was sent on a day, and how many it (or its forger) asked for.
    CREATE TABLE asked (
        day INTEGER NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL, purpose TEXT NOT NULL,
        sent INTEGER NOT NULL, asked INTEGER NOT NULL, PRIMARY KEY (day, address, source, purpose)
    ) STRICT, WITHOUT ROWID
    """,
)
